//! Objects named in parentheses, as OData writes keys: `users('ada@lab.example')`, `servicePrincipals(appId='…')`.
//!
//! Both become what the tables of doors know, `users/ada@lab.example` and `servicePrincipals/{object id}`, before a door is
//! looked for.

use cs_directory::DirectoryError;
use cs_ids::ClientId;
use cs_rbac::Operation;
use cs_serve::percent_decode;

use crate::{Parts, failure::Failure};

/// Where the key stands: `/v1.0/{collection}(…)`.
const PLACE: usize = 1;

/// A key in parentheses.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Own(String),
    AppId(String),
}

/// The path with its key as a segment of its own.
pub(crate) async fn plain(parts: &Parts, op: &Operation, path: &str) -> Result<String, Failure> {
    let mut segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let Some((collection, key)) = segments.get(PLACE).and_then(|s| split(s)) else {
        return Ok(path.to_owned());
    };
    let key = match key {
        Key::Own(key) => key,
        Key::AppId(text) => match text.parse() {
            Ok(client) => object_of(parts, op, &collection, client).await?,
            Err(_) => None,
        }
        .ok_or_else(|| DirectoryError::NoObject(text.chars().take(128).collect()))?,
    };
    segments.splice(PLACE..=PLACE, [collection, cs_serve::percent_encode(&key)]);
    Ok(format!("/{}", segments.join("/")))
}

async fn object_of(
    parts: &Parts,
    op: &Operation,
    collection: &str,
    client: ClientId,
) -> Result<Option<String>, Failure> {
    let directory = &parts.principals;
    if collection.eq_ignore_ascii_case("applications") {
        let found = directory.application_of_client(op, client).await?;
        return Ok(found.map(|a| a.object.to_string()));
    }
    let found = directory.by_client(op.caller.tenant, client).await?;
    Ok(found.map(|p| p.object.to_string()))
}

/// `collection('key')` or `collection(appId='key')`; quotes within a key are doubled.
fn split(segment: &str) -> Option<(String, Key)> {
    let text = percent_decode(segment)?;
    let (collection, inside) = text.strip_suffix(')')?.split_once('(')?;
    if collection.is_empty() || !collection.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let by_client = ["applications", "servicePrincipals"].iter().any(|c| c.eq_ignore_ascii_case(collection));
    let (quoted, key): (&str, fn(String) -> Key) = match inside.split_once('=') {
        Some((name, quoted)) if by_client && name.eq_ignore_ascii_case("appId") => (quoted, Key::AppId),
        _ => (inside, Key::Own),
    };
    let text = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    if text.is_empty() || text.replace("''", "").contains('\'') {
        return None;
    }
    Some((collection.to_owned(), key(text.replace("''", "'"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_parentheses() {
        let own = |key: &str| Some(("users".to_owned(), Key::Own(key.to_owned())));
        assert_eq!(split("users('$a@lab.example')"), own("$a@lab.example"));
        assert_eq!(split("users%28%27o''x%27%29"), own("o'x"));
        assert_eq!(split("users('a/b')"), own("a/b"));
        let by_client = Some(("servicePrincipals".to_owned(), Key::AppId("x".to_owned())));
        assert_eq!(split("servicePrincipals(appId='x')"), by_client);
        for odd in [
            "users",
            "users()",
            "users('')",
            "users('a'b')",
            "users(a)",
            "users(appId='x')",
            "('x')",
            "%zz('x')",
        ] {
            assert_eq!(split(odd), None, "{odd}");
        }
    }
}
