//! Error answers, word for word (metadata.md 1.4, 3.1 to 3.4).

use cs_serve::{Response, json};
use cs_wire_metadata::{ErrorReply, PlainError, VersionError};
use http::{HeaderValue, StatusCode, header};

use crate::versions::NEWEST;

/// An error of the token path.
pub(crate) fn identity(status: StatusCode, error: &'static str, text: impl Into<String>) -> Response {
    let reply = ErrorReply {
        error,
        error_description: text.into(),
        error_codes: None,
        timestamp: None,
        trace_id: None,
        correlation_id: None,
    };
    private(json(status, &reply))
}

/// An error of any other path.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response {
    json(status, &PlainError { error: text })
}

pub(crate) fn version(text: &str) -> Response {
    json(StatusCode::BAD_REQUEST, &VersionError { error: text, newest_versions: NEWEST })
}

pub(crate) fn method_not_allowed(allowed: &[&str]) -> Response {
    let mut response =
        identity(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This method is not allowed here");
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

/// Asks to come again.
pub(crate) fn later(mut response: Response, seconds: u16) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Never kept by anybody in between.
pub(crate) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
