//! Graph's errors: az reads `error.message` and falls over anything that is not JSON.

use cs_authority::TokenRefusal;
use cs_directory::DirectoryError;
use cs_serve::{Context, Response, json};
use cs_time::Timestamp;
use cs_wire_arm::graph::{GraphError, GraphErrorBody, InnerError};
use http::{HeaderValue, StatusCode, header};

pub(crate) enum Failure {
    Unauthorized(Option<TokenRefusal>),
    Bad(String),
    BadFilter(String),
    NoObject(String),
    NotServed,
    Directory(DirectoryError),
}

pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

impl Failure {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Bad(text.into())
    }

    pub(crate) fn answer(self, context: &Context, now: Timestamp) -> Response {
        let challenge = matches!(self, Self::Unauthorized(_));
        let (status, code, message) = match self {
            Self::Unauthorized(Some(TokenRefusal::Unconfirmed)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "Please try again.".to_owned())
            }
            Self::Unauthorized(None) => {
                (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", "Access token is empty.".to_owned())
            }
            Self::Unauthorized(Some(refusal)) => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                format!("Access token validation failure. {}.", shown(&refusal.to_string())),
            ),
            Self::Bad(text) => (StatusCode::BAD_REQUEST, "BadRequest", text),
            Self::BadFilter(text) => (
                StatusCode::BAD_REQUEST,
                "Request_UnsupportedQuery",
                format!("Unsupported or invalid query filter clause specified: '{text}'."),
            ),
            Self::NoObject(id) => (
                StatusCode::NOT_FOUND,
                "Request_ResourceNotFound",
                format!(
                    "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
                ),
            ),
            Self::NotServed => (
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                "This part of the directory's interface is not served by this site.".to_owned(),
            ),
            Self::Directory(error) => {
                tracing::error!(%error, "the directory could not be read");
                (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "Please try again.".to_owned())
            }
        };
        let inner = InnerError {
            date: now.format("%Y-%m-%dT%H:%M:%S"),
            request_id: context.request_id.to_string(),
            client_request_id: context.request_id.to_string(),
        };
        let mut response =
            json(status, &GraphError { error: GraphErrorBody { code: code.to_owned(), message, inner } });
        if challenge {
            let login = context.address.login();
            let value = format!("Bearer realm=\"\", authorization_uri=\"{login}/common/oauth2/authorize\"");
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
            }
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}
