//! Headers every surface reads the same way.

use http::{HeaderMap, header, header::AsHeaderName};

/// What `Authorization` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer<'h> {
    /// No such header.
    Absent,
    /// More than one, not text, or `Bearer` without a token.
    Malformed,
    /// Another scheme, with its parameter.
    Other(&'h str, &'h str),
    Token(&'h str),
}

/// Tokens beyond this are refused unread (sts.md 8).
const TOKEN_MAX_BYTES: usize = 16 * 1024;

/// Reads `Authorization`: exactly one, scheme without case (sts.md 8).
pub fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Bearer::Absent };
    let (None, Ok(text)) = (all.next(), value.to_str()) else { return Bearer::Malformed };
    let Some((scheme, rest)) = text.trim().split_once(' ') else { return Bearer::Malformed };
    let rest = rest.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Bearer::Other(scheme, rest);
    }
    // The text is ASCII, and looked at whole: that is many bytes at a time.
    let is_blank = rest.bytes().fold(false, |found, byte| found | (byte <= b' '));
    if rest.is_empty() || rest.len() > TOKEN_MAX_BYTES || is_blank {
        return Bearer::Malformed;
    }
    Bearer::Token(rest)
}

/// The value of a header that must not come twice: `Ok(None)` when absent, `Err(())` when doubled or not text.
#[expect(
    clippy::result_unit_err,
    reason = "there is nothing more to say; each surface has its own words for it"
)]
pub fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&str>, ()> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn one_bearer_in_any_case() {
        assert_eq!(bearer(&with(&[])), Bearer::Absent);
        assert_eq!(bearer(&with(&["bEARER a.b.c"])), Bearer::Token("a.b.c"));
        assert_eq!(bearer(&with(&["SharedKey a:b"])), Bearer::Other("SharedKey", "a:b"));
        for bad in [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&with(bad)), Bearer::Malformed, "{bad:?}");
        }
    }
}
