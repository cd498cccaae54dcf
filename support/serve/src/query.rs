//! Query strings: decoded once, names too (Node sends `api%2Dversion`).

use std::borrow::Cow;

/// More parameters than any client sends.
const PARAMETERS_MAX: usize = 64;

/// The query cannot be read: bad percent-encoding, not UTF-8, or too many parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the query string cannot be read")]
pub struct BadQuery;

/// The parameters of a query, in order, decoded. Names compare without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// One whose values are looked for in the store. A NUL is refused: nothing is called so, and PostgreSQL takes none in a
    /// text.
    ///
    /// # Errors
    /// [`BadQuery`].
    pub fn storable(raw: Option<&str>) -> Result<Self, BadQuery> {
        let all = Self::parse(raw)?;
        if all.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(BadQuery);
        }
        Ok(all)
    }

    /// # Errors
    /// [`BadQuery`].
    pub fn parse(raw: Option<&str>) -> Result<Self, BadQuery> {
        let mut all = Vec::new();
        for pair in raw.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
            if all.len() == PARAMETERS_MAX {
                return Err(BadQuery);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            all.push((form_decode(name)?, form_decode(value)?));
        }
        Ok(Self(all))
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether any name comes twice.
    pub fn has_duplicates(&self) -> bool {
        self.0
            .iter()
            .enumerate()
            .any(|(i, (n, _))| self.0[..i].iter().any(|(m, _)| m.eq_ignore_ascii_case(n)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// Whether a text in a JSON document holds the character NUL, which one of the databases takes in no text.
pub fn json_has_nul(document: &[u8]) -> bool {
    let mut rest = document;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        // An escape is the backslash and what follows it: two backslashes are no begin of another one.
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

fn form_decode(text: &str) -> Result<String, BadQuery> {
    match text.contains('+') {
        true => percent_decode(&text.replace('+', " ")),
        false => percent_decode(text),
    }
    .ok_or(BadQuery)
}

/// Decodes `%41`; `None` for a broken escape or bytes that are not UTF-8. A plus stays a plus.
pub fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let broken = (0..bytes.len())
        .filter(|&i| bytes[i] == b'%')
        .any(|i| !bytes.get(i + 1..i + 3).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)));
    if broken {
        return None;
    }
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// Fit for a segment of a path, or a name or value of a query or form: all but letters, digits and `-_.~$` is encoded.
pub fn percent_encode(text: &str) -> String {
    const ENCODED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'$');
    percent_encoding::utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_decodes_to_itself() {
        assert_eq!(percent_encode("$filter"), "$filter");
        assert_eq!(percent_encode("a b+c/ü'&=%"), "a%20b%2Bc%2F%C3%BC%27%26%3D%25");
        for text in ["", "a b+c/ü'&=%", "-_.~$", "\u{0}\n"] {
            assert_eq!(percent_decode(&percent_encode(text)).as_deref(), Some(text));
        }
    }

    #[test]
    fn decodes_names_and_values() {
        let q = Query::parse(Some("api%2Dversion=7.4&a=b+c%2B&empty&x=")).unwrap();
        assert_eq!(q.get("API-version"), Some("7.4"));
        assert_eq!(q.get("a"), Some("b c+"));
        assert_eq!((q.get("empty"), q.get("x"), q.get("y")), (Some(""), Some(""), None));
        assert!(!q.has_duplicates());
        assert!(Query::parse(Some("a=1&A=2")).unwrap().has_duplicates());
    }

    #[test]
    fn refuses_what_cannot_be_read() {
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "%=1"] {
            assert_eq!(Query::parse(Some(bad)), Err(BadQuery), "{bad}");
        }
        assert!(Query::parse(Some(&"a=1&".repeat(65))).is_err());
        assert_eq!(Query::parse(Some("a=x%00")).unwrap().get("a"), Some("x\0"));
        for bad in ["a=x%00", "%00=1"] {
            assert_eq!(Query::storable(Some(bad)), Err(BadQuery), "{bad}");
        }
    }

    #[test]
    fn a_nul_in_json_is_seen_and_what_only_looks_like_one_is_not() {
        for with in [r#"{"a":"\u0000"}"#, r#"{"\u0000":1}"#, r#"["\\\u0000"]"#, r#"["x\"\u0000"]"#] {
            assert!(json_has_nul(with.as_bytes()), "{with}");
        }
        for without in ["", "{}", r#"["\\u0000"]"#, r#"["u0000"]"#, r#"["\u0001"]"#, r#"["\u000"#, "\\"] {
            assert!(!json_has_nul(without.as_bytes()), "{without}");
        }
    }
}
