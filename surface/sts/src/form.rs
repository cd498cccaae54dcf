//! The token endpoint's form: bounded, once each, credentials in one place only.

use cs_serve::{BodyError, Query, Request, read_body, single};
use http::{HeaderMap, header};

use crate::{Aadsts, Call, Failure};

/// An assertion with a certificate chain is below 16 KiB; this is ample (sts.md 3.1).
const FORM_MAX_BYTES: usize = 64 * 1024;
/// What must not stand in the query, where proxies log it (B30).
const NEVER_IN_QUERY: [&str; 6] =
    ["grant_type", "client_secret", "client_assertion", "code", "password", "refresh_token"];

/// The fields of a token request. Empty fields count as absent.
pub(crate) struct Form {
    fields: Query,
    basic: Option<(String, String)>,
}

impl Form {
    pub(crate) async fn read(call: &Call<'_>, request: Request) -> Result<Self, Failure> {
        if NEVER_IN_QUERY.iter().any(|name| call.query.get(name).is_some()) {
            return Err(Failure::of(
                Aadsts::INVALID_INPUT,
                "Credentials and grants belong in the request body, not in the query string.",
            ));
        }
        let (parts, body) = request.into_parts();
        let kind = single(&parts.headers, header::CONTENT_TYPE).ok().flatten().unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(malformed());
        }
        let bytes = read_body(body, FORM_MAX_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(_) => {
                Failure::of(Aadsts::MALFORMED, "Invalid request. The request body is too large.")
            }
            BodyError::Broken(_) => malformed(),
        })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
        let fields = Query::parse(Some(text)).map_err(|_| malformed())?;
        if fields.has_duplicates() {
            return Err(Failure::of(
                Aadsts::MALFORMED,
                "Invalid request. A parameter is given more than once.",
            ));
        }
        let basic = basic_credentials(&parts.headers)?;
        let form = Self { fields, basic };
        if form.basic.is_some()
            && (form.field("client_secret").is_some() || form.field("client_assertion").is_some())
        {
            return Err(Failure::of(
                Aadsts::MALFORMED,
                "Invalid request. Credentials are given both in the header and in the body.",
            ));
        }
        Ok(form)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn client(&self) -> Option<&str> {
        self.basic.as_ref().map(|(client, _)| client.as_str()).or_else(|| self.field("client_id"))
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.basic.as_ref().map(|(_, secret)| secret.as_str()).or_else(|| self.field("client_secret"))
    }
}

fn malformed() -> Failure {
    Failure::of(Aadsts::MALFORMED, "Invalid request. Request is malformed or invalid.")
}

/// RFC 6749 2.3.1: both halves are form-encoded before they are joined.
fn basic_credentials(headers: &HeaderMap) -> Result<Option<(String, String)>, Failure> {
    let Some(value) = single(headers, header::AUTHORIZATION).map_err(|()| malformed())? else {
        return Ok(None);
    };
    let (scheme, rest) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let read = || {
        let text = String::from_utf8(cs_jose::decode_any(rest.trim())?).ok()?;
        let (client, secret) = text.split_once(':')?;
        let decode = |half: &str| cs_serve::percent_decode(&half.replace('+', " "));
        Some((decode(client)?, decode(secret)?))
    };
    read().map(Some).ok_or_else(malformed)
}
