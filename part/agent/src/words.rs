//! Words that come from command lines and from vaults: tags, join tokens, what a vault wants a token for.

use serde_json::{Map, Value};

/// Every join token begins so.
pub const JOIN_TOKEN: &str = "csj1_";

/// The join token in a text, blanks around it left out; `None` where it is none.
pub fn join_token(text: &str) -> Option<&str> {
    let looks_like_one = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let token = text.trim();
    (token.starts_with(JOIN_TOKEN) && token.chars().all(looks_like_one)).then_some(token)
}

/// `resource="https://vault.azure.net"` of a challenge; older vaults write it as a scope.
pub fn vault_resource(challenge: &str) -> Option<String> {
    let parts = challenge.strip_prefix("Bearer ")?.split(',').map(str::trim);
    let mut pairs = parts.filter_map(|part| part.split_once('='));
    let (name, value) = pairs.find(|(name, _)| matches!(*name, "resource" | "scope"))?;
    let value = value.trim_matches('"');
    Some(if name == "scope" { value.trim_end_matches("/.default") } else { value }.to_owned())
}

/// `A=1,B='x, y'`: quotes keep commas.
///
/// # Errors
/// The pair that is none, or that comes twice.
pub fn tags(text: &str) -> Result<Map<String, Value>, String> {
    let bad = |what: &str| format!("{what} is not NAME=VALUE");
    let mut all = Map::new();
    for pair in split_outside_quotes(text) {
        let (name, value) = pair.split_once('=').ok_or_else(|| bad(pair))?;
        let (name, value) = (unquoted(name.trim()), unquoted(value.trim()));
        if name.is_empty() || all.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(bad(pair));
        }
    }
    Ok(all)
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut quote = None;
    let parts = text.split(|c| {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        quote.is_none() && c == ','
    });
    parts.map(str::trim).filter(|p| !p.is_empty()).collect()
}

fn unquoted(text: &str) -> &str {
    ['\'', '"'].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vaults_challenge_is_read() {
        for (challenge, resource) in [
            (
                r#"Bearer authorization="https://login.x/t", resource="https://vault.azure.net""#,
                Some("https://vault.azure.net"),
            ),
            (r#"Bearer resource="https://vault.s:8443", authorization="a""#, Some("https://vault.s:8443")),
            (
                r#"Bearer authorization="a", scope="https://vault.azure.net/.default""#,
                Some("https://vault.azure.net"),
            ),
            ("Basic realm=x", None),
            ("", None),
        ] {
            assert_eq!(vault_resource(challenge).as_deref(), resource, "{challenge}");
        }
    }

    #[test]
    fn tags_as_azcmagent_takes_them() {
        let read = tags("A=1, B='x y',C=\"a,b=c\",D=").unwrap();
        let of = |name: &str| read[name].as_str().unwrap();
        assert_eq!((of("A"), of("B"), of("C"), of("D")), ("1", "x y", "a,b=c", ""));
        for bad in ["A", "=1", "A=1,A=2", "'"] {
            assert!(tags(bad).is_err(), "{bad}");
        }
        assert!(tags("").unwrap().is_empty());
    }
}
