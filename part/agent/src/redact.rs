//! Takes secrets out of text that leaves the machine (H04). It would rather take too much: who reads a log misses an
//! opaque word less than its owner misses a key.

/// Stands where something was taken out.
pub const GONE: &str = "[redacted]";
/// What stands behind these names, and an equals sign or a colon, is taken out.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "assertion",
    "access_token",
    "accesstoken",
    "access-token",
    "refresh_token",
    "id_token",
    "authorization",
    "accountkey",
    "accesskey",
    "sharedkey",
    "identity-header",
    "identity_header",
    "api-key",
    "apikey",
    "sig",
];
/// Words that are longer than this and look drawn by lot are taken for secrets; challenges have 43 characters.
const OPAQUE_MIN_CHARS: usize = 24;

/// The text without what may be a secret.
pub fn redact(text: &str) -> String {
    let text = without_private_keys(text);
    let text = without_user_info(&text);
    let text = without_named_values(&text);
    without_opaque_words(&text)
}

/// PEM blocks, also where line ends are written as `\n`. A block without an end is taken out to the end of the text.
fn without_private_keys(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(at);
        out.push_str(before);
        let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
        if !label.contains("PRIVATE KEY") {
            out.push_str(BEGIN);
            rest = &block[BEGIN.len()..];
            continue;
        }
        out.push_str(GONE);
        let end = format!("-----END {label}-----");
        rest = block.find(&end).map_or("", |i| &block[i + end.len()..]);
    }
    out + rest
}

/// An address without the name and password in it; for addresses of proxies, which are written without a scheme too.
pub fn address(url: &str) -> String {
    let (scheme, _, rest) = credentials(url);
    format!("{scheme}{rest}")
}

/// The same, but one sees that there are some.
pub fn masked(url: &str) -> String {
    match credentials(url) {
        (_, "", _) => url.to_owned(),
        (scheme, _, rest) => format!("{scheme}{GONE}@{rest}"),
    }
}

/// `http://`, `user:password@`, `proxy:3128`. It would rather take too much for a password than too little.
fn credentials(url: &str) -> (&str, &str, &str) {
    let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let scheme = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
    let (scheme, behind) = url.split_at(scheme.map_or(0, |(scheme, _)| scheme.len() + 3));
    let (given, rest) = behind.split_at(behind.rfind('@').map_or(0, |at| at + 1));
    (scheme, given, rest)
}

/// `scheme://user:password@host`, and `user:password@host` alone.
fn without_user_info(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "/\"'<>".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(ends).unwrap_or(rest.len());
        let (now, later) = rest.split_at(word);
        let is_authority =
            out.ends_with("://") || now.split('@').next().is_some_and(|name| name.contains(':'));
        match now.rfind('@').filter(|_| is_authority) {
            Some(at) => out.extend([GONE, &now[at..]]),
            None => out.push_str(now),
        }
        let gap = later.chars().next().map_or(0, char::len_utf8);
        out.push_str(&later[..gap]);
        rest = &later[gap..];
    }
    out
}

/// `name=value`, `"name": "value"`, `Name: Basic value`.
fn without_named_values(text: &str) -> String {
    text.split_inclusive('\n').map(without_named_values_in_line).collect()
}

fn without_named_values_in_line(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut at = 0;
    while at < line.len() {
        let next = NAMES.iter().filter_map(|n| lower[at..].find(n).map(|i| (at + i, n.len()))).min();
        let Some((start, length)) = next else { break };
        let behind = start + length;
        match value_behind(line, behind) {
            Some((from, to)) => {
                out.push_str(&line[at..from]);
                out.push_str(GONE);
                at = to;
            }
            None => {
                out.push_str(&line[at..behind]);
                at = behind;
            }
        }
    }
    out.push_str(&line[at.min(line.len())..]);
    out
}

/// Where the value stands that belongs to a name which ends at `behind`.
fn value_behind(line: &str, behind: usize) -> Option<(usize, usize)> {
    let rest = &line[behind..];
    // The rest of a longer name, as in `client_secret_file`, then quotes, then the sign.
    let sign = rest.find(['=', ':'])?;
    let between = &rest[..sign];
    if !between.chars().all(|c| c.is_ascii_alphanumeric() || "_-\"'\\ ".contains(c)) || between.len() > 24 {
        return None;
    }
    let value = &rest[sign + 1..];
    let opened = value.trim_start_matches([' ', '"', '\'', '\\']);
    let mut from = behind + sign + 1 + (value.len() - opened.len());
    let mut opened = opened;
    for scheme in ["basic ", "bearer ", "sharedkey "] {
        if opened.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)) {
            from += scheme.len();
            opened = &opened[scheme.len()..];
        }
    }
    let quoted = value.trim_start_matches([' ', '\\']).starts_with(['"', '\'']);
    let ends =
        |c: char| if quoted { "\"'\n".contains(c) } else { c.is_whitespace() || "\"'&,;)}".contains(c) };
    let end = opened.find(ends).unwrap_or(opened.len());
    (end > 0).then_some((from, from + end))
}

fn without_opaque_words(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/_=-.~".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let gap = rest[word..].find(is_part).unwrap_or(rest.len() - word);
        let (now, later) = rest.split_at(word);
        out.push_str(if is_opaque(now) { GONE } else { now });
        out.push_str(&later[..gap]);
        rest = &later[gap..];
    }
    out
}

/// Upper case, lower case and digits mixed in one long piece, or the beginning of a token.
fn is_opaque(word: &str) -> bool {
    let mixed = |piece: &str| {
        piece.len() >= OPAQUE_MIN_CHARS
            && piece.bytes().any(|b| b.is_ascii_uppercase())
            && piece.bytes().any(|b| b.is_ascii_lowercase())
            && piece.bytes().any(|b| b.is_ascii_digit())
    };
    (word.starts_with("eyJ") && word.len() > 12)
        || word.starts_with("csj1_")
        || word.split(['/', '.', '=']).any(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h04_secrets_of_every_kind_are_taken_out() {
        for (text, secret) in [
            ("client_secret=hunter2&x=1", "hunter2"),
            (r#"{"service-principal-secret": "a b c"}"#, "a b c"),
            (r#"{\"password\":\"p4ss\"}"#, "p4ss"),
            ("Authorization: Basic short", "short"),
            ("authorization = Bearer abc.def", "abc.def"),
            ("token eyJhbGciOiJSUzI1NiJ9.e30.c2ln end", "eyJhbGciOiJSUzI1NiJ9"),
            ("answer 6aAPq0Zc7yZkq0bF7u7YkXjvQn4m3w2x1y0zABCDEFG", "6aAPq0Zc7y"),
            ("AccountName=a;AccountKey=Zm9v/YmFy+==;Endpoint=x", "Zm9v"),
            ("https://a.blob/x?sv=1&sig=abc%2Fdef&se=2", "abc%2Fdef"),
            ("proxy http://user:pa:ss@proxy:3128 used", "pa:ss"),
            ("proxy http://opensesame@proxy:3128 used", "opensesame"),
            (r#"{"proxy.url": "user:pa@ss@proxy:3128"}"#, "pa@ss"),
            ("HTTPS_PROXY=user:pass@proxy:3128", "pass@"),
            ("-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n", "MHcC"),
            (r"key -----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY----- end", "MIGH"),
            ("-----BEGIN PRIVATE KEY-----\nMIGHcut", "MIGHcut"),
            ("--service-principal-secret=x9", "x9"),
            ("IDENTITY_HEADER=853b9a84", "853b9a84"),
            ("--join-token csj1_abcdef", "csj1_abcdef"),
        ] {
            let clean = redact(text);
            assert!(!clean.contains(secret) && clean.contains(GONE), "{text} -> {clean}");
        }
    }

    #[test]
    fn h04_addresses_of_proxies_lose_what_stands_before_the_host() {
        for (url, bare, shown) in [
            ("http://u:p@proxy:3128", "http://proxy:3128", "http://[redacted]@proxy:3128"),
            ("http://u:p@ss@proxy:3128/", "http://proxy:3128/", "http://[redacted]@proxy:3128/"),
            ("u:p@proxy:3128", "proxy:3128", "[redacted]@proxy:3128"),
            ("u:p://x@proxy", "proxy", "[redacted]@proxy"),
            ("http://token@[::1]:1", "http://[::1]:1", "http://[redacted]@[::1]:1"),
        ] {
            assert_eq!((address(url).as_str(), masked(url).as_str()), (bare, shown));
        }
        for plain in ["http://proxy:3128", "proxy:3128", "", "é"] {
            assert_eq!((address(plain), masked(plain)), (plain.to_owned(), plain.to_owned()));
        }
    }

    #[test]
    fn what_helps_is_left() {
        for text in [
            "2026-11-23T10:00:00Z WARN csagent: the site did not answer cause=\"connection refused\"\n",
            "/subscriptions/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f/resourceGroups/arc-lab/providers/Microsoft.HybridCompute/machines/m-1",
            "-----BEGIN CERTIFICATE-----\nshort\n-----END CERTIFICATE-----\n",
            "https://management.countersign.localhost:8443/metadata/endpoints?api-version=2022-09-01",
            "2001:db8::1 é ü",
            "systemd[1]: Started user@1000.service for somebody@example.com.",
        ] {
            assert_eq!(redact(text), text);
        }
        assert_eq!(redact("a AADSTS700016: gone"), "a AADSTS700016: gone");
    }
}
