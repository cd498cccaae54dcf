//! The table of doors: every route of a surface with what it needs.
//!
//! Templates: `{name}` is one segment that is not empty, `{name?}` a last segment that may be missing or empty
//! (`/secrets/x`, `/secrets/x/`, `/secrets/x/v1`), `{name*}` one or more segments (a scope), `{name**}` the raw rest
//! (a blob's name, slashes and all). `query` holds pairs that must be there (`restype=container&comp=list`; a name
//! without `=` must be absent when written `!comp`). The first row that fits wins.

use crate::{Query, percent_decode};

/// What a caller must bring. Surfaces act on it before their handlers see a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nobody is asked for anything; the text says why that is right.
    Nothing(&'static str),
    /// The header `Metadata: true` (and, for tokens, the challenge).
    MetadataHeader,
    /// A good token of the surface's audience; what it may do is decided by the handler, as the text says.
    Token(&'static str),
    /// A role with this management action.
    Action(&'static str),
    /// A role with this data action, or the access-policy permission of that kind where the vault has policies.
    Data { action: &'static str, policy: Option<(&'static str, &'static str)> },
    /// Credentials in the request itself (the token endpoint).
    Credentials,
}

/// One row.
#[derive(Debug)]
pub struct Door<Op: 'static> {
    pub method: &'static str,
    pub path: &'static str,
    pub query: &'static str,
    pub needs: Needs,
    pub op: Op,
}

/// How paths compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Byte for byte; empty segments mean something (Blob, Key Vault, metadata).
    Exact,
    /// Words without case, empty segments collapsed, a trailing slash ignored (resource manager, token service).
    Lenient,
}

/// What the path held, decoded but for `{name**}`, which is as received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The value of a placeholder; empty when it was optional and absent.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v.as_str())
    }
}

/// What the table says about a request.
#[derive(Debug)]
pub enum Found<Op: 'static> {
    Door(&'static Door<Op>, Params),
    /// The path is there, but not with this method.
    OtherMethods(Vec<&'static str>),
    Nowhere,
}

/// Room for the segments of most paths.
const SEGMENTS: usize = 16;

enum Piece {
    Word(&'static str),
    One(&'static str),
    Optional(&'static str),
    Many(&'static str),
    Rest(&'static str),
}

/// A compiled table.
pub struct Doors<Op: 'static> {
    rows: Vec<(&'static Door<Op>, Vec<Piece>)>,
    paths: Paths,
}

impl<Op> Doors<Op> {
    pub fn new(table: &'static [Door<Op>], paths: Paths) -> Self {
        Self::joined(table, paths)
    }

    /// Of several tables, the first of which wins.
    pub fn joined(rows: impl IntoIterator<Item = &'static Door<Op>>, paths: Paths) -> Self {
        Self { rows: rows.into_iter().map(|door| (door, compile(door.path))).collect(), paths }
    }

    pub fn table(&self) -> impl Iterator<Item = &'static Door<Op>> {
        self.rows.iter().map(|(door, _)| *door)
    }

    /// Looks a request up. `path` is the raw path of the request.
    pub fn find(&self, method: &str, path: &str, query: &Query) -> Found<Op> {
        let mut segments = Vec::with_capacity(SEGMENTS);
        match self.paths {
            Paths::Exact => segments.extend(path.strip_prefix('/').unwrap_or(path).split('/')),
            Paths::Lenient => segments.extend(path.split('/').filter(|s| !s.is_empty())),
        }
        let mut others = Vec::new();
        for (door, pieces) in &self.rows {
            let Some(params) = self.fit(pieces, &segments) else { continue };
            if door.method != method {
                if !others.contains(&door.method) {
                    others.push(door.method);
                }
            } else if query_fits(door.query, query) {
                return Found::Door(door, params);
            }
        }
        if others.is_empty() { Found::Nowhere } else { Found::OtherMethods(others) }
    }

    fn fit(&self, pieces: &[Piece], segments: &[&str]) -> Option<Params> {
        if !self.words_fit(pieces, segments) {
            return None;
        }
        let mut params = Params::default();
        self.fit_rest(pieces, segments, &mut params).then_some(params)
    }

    /// Most rows are out by their words: these are looked at before anything is decoded.
    fn words_fit(&self, pieces: &[Piece], segments: &[&str]) -> bool {
        let word_fits = |(piece, segment): (&Piece, &&str)| match piece {
            Piece::Word(word) => self.same(word, segment),
            _ => true,
        };
        let is_open = |piece: &Piece| matches!(piece, Piece::Many(_) | Piece::Rest(_) | Piece::Optional(_));
        let Some(open) = pieces.iter().position(is_open) else {
            return pieces.len() == segments.len() && pieces.iter().zip(segments).all(word_fits);
        };
        let after = &pieces[open + 1..];
        open + after.len() <= segments.len()
            && pieces[..open].iter().zip(segments).all(word_fits)
            && after.iter().rev().zip(segments.iter().rev()).all(word_fits)
    }

    fn same(&self, word: &str, segment: &str) -> bool {
        match self.paths {
            Paths::Exact => word == segment,
            Paths::Lenient => word.eq_ignore_ascii_case(segment),
        }
    }

    fn fit_rest(&self, pieces: &[Piece], segments: &[&str], params: &mut Params) -> bool {
        match (pieces, segments) {
            ([], []) => true,
            ([Piece::Word(word), pieces @ ..], [segment, segments @ ..]) => {
                self.same(word, segment) && self.fit_rest(pieces, segments, params)
            }
            ([Piece::One(name), pieces @ ..], [segment, segments @ ..]) => {
                !segment.is_empty()
                    && self.take(name, segment, params)
                    && self.fit_rest(pieces, segments, params)
            }
            ([Piece::Optional(_)], []) => true,
            ([Piece::Optional(name)], [segment]) => self.take(name, segment, params),
            ([Piece::Rest(name)], [..]) if !segments.is_empty() => {
                params.0.push((name, segments.join("/")));
                true
            }
            // The longest run first: a scope is split at the last `/providers/` that fits.
            ([Piece::Many(name), pieces @ ..], [_, ..]) => (1..=segments.len()).rev().any(|n| {
                let before = params.0.len();
                let run = segments[..n].join("/");
                let fits = self.take(name, &run, params) && self.fit_rest(pieces, &segments[n..], params);
                if !fits {
                    params.0.truncate(before);
                }
                fits
            }),
            _ => false,
        }
    }

    fn take(&self, name: &'static str, raw: &str, params: &mut Params) -> bool {
        percent_decode(raw).map(|value| params.0.push((name, value))).is_some()
    }
}

fn compile(path: &'static str) -> Vec<Piece> {
    let piece = |segment: &'static str| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        None => Piece::Word(segment),
        Some(name) => match (name.strip_suffix("**"), name.strip_suffix('*'), name.strip_suffix('?')) {
            (Some(name), ..) => Piece::Rest(name),
            (_, Some(name), _) => Piece::Many(name),
            (_, _, Some(name)) => Piece::Optional(name),
            _ => Piece::One(name),
        },
    };
    path.strip_prefix('/').unwrap_or(path).split('/').map(piece).collect()
}

fn query_fits(wanted: &str, query: &Query) -> bool {
    wanted.split('&').filter(|w| !w.is_empty()).all(|want| {
        match (want.strip_prefix('!'), want.split_once('=')) {
            (Some(name), _) => query.get(name).is_none(),
            (None, Some((name, value))) => query.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value)),
            (None, None) => query.get(want).is_some(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Door<u8>] = &[
        Door {
            method: "GET",
            path: "/secrets/{name}/versions",
            query: "",
            needs: Needs::Token("test"),
            op: 1,
        },
        Door {
            method: "GET",
            path: "/secrets/{name}/{version?}",
            query: "",
            needs: Needs::Token("test"),
            op: 2,
        },
        Door {
            method: "PUT",
            path: "/{scope*}/providers/X/things/{name}",
            query: "",
            needs: Needs::Token("test"),
            op: 3,
        },
        Door {
            method: "PUT",
            path: "/{c}",
            query: "restype=container&!comp",
            needs: Needs::Token("test"),
            op: 4,
        },
        Door { method: "PUT", path: "/{c}/{blob**}", query: "", needs: Needs::Token("test"), op: 5 },
    ];

    fn find(paths: Paths, method: &str, target: &str) -> (u8, Vec<(&'static str, String)>) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match Doors::new(TABLE, paths).find(method, path, &Query::parse(Some(query)).unwrap()) {
            Found::Door(door, params) => (door.op, params.0),
            Found::OtherMethods(_) => (100, vec![]),
            Found::Nowhere => (200, vec![]),
        }
    }

    #[test]
    fn templates() {
        let p = |n: &'static str, v: &str| (n, v.to_owned());
        assert_eq!(find(Paths::Exact, "GET", "/secrets/a/versions").0, 1);
        assert_eq!(find(Paths::Exact, "GET", "/secrets/a/"), (2, vec![p("name", "a"), p("version", "")]));
        assert_eq!(find(Paths::Exact, "GET", "/secrets/a"), (2, vec![p("name", "a")]));
        // An empty name is no secret: only the blob row fits, with another method.
        assert_eq!(find(Paths::Exact, "GET", "/secrets//x").0, 100);
        assert_eq!(find(Paths::Exact, "DELETE", "/secrets/a").0, 100);
        assert_eq!(find(Paths::Exact, "PUT", "/box?restype=container").0, 4);
        // The method is right and the words of the query are not: there is nothing of that kind.
        assert_eq!(find(Paths::Exact, "PUT", "/box?restype=container&comp=acl").0, 200);
        assert_eq!(find(Paths::Exact, "PUT", "/box//a/%2e/"), (5, vec![p("c", "box"), p("blob", "/a/%2e/")]));
    }

    #[test]
    fn scopes_end_at_the_last_fit() {
        let (op, params) = find(Paths::Lenient, "PUT", "/a/PROVIDERS/x/things/q/providers/X//things/n/");
        assert_eq!((op, params[0].1.as_str(), params[1].1.as_str()), (3, "a/PROVIDERS/x/things/q", "n"));
    }
}
