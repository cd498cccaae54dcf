//! Graph's errors: az reads `error.message` and falls over anything that is not JSON.

use cs_authority::TokenRefusal;
use cs_directory::DirectoryError;
use cs_serve::{BodyError, Context, Response, json};
use cs_time::Timestamp;
use cs_wire_arm::graph::{GraphError, GraphErrorBody, InnerError};
use http::{HeaderValue, StatusCode, header};

#[derive(Debug)]
pub(crate) enum Failure {
    Unauthorized(Option<TokenRefusal>),
    /// `/me` of an application.
    NotDelegated,
    Bad(String),
    BadFilter(String),
    /// A batch that is none.
    Batch(String),
    /// A step of a batch waits for this one, which failed.
    Dependency(String),
    Nowhere(String),
    Version(String),
    OtherMethods(Vec<&'static str>),
    TooLarge,
    /// What decides or records cannot answer just now.
    Busy,
    Directory(DirectoryError),
}

/// The version of Graph served.
const VERSION: &str = "v1.0";

/// What a message repeats of what a caller sent: short and on one line (H06).
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

impl Failure {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Bad(text.into())
    }

    pub(crate) fn nowhere(path: &str) -> Self {
        let version = path.split('/').find(|s| !s.is_empty()).unwrap_or_default();
        if !version.eq_ignore_ascii_case(VERSION) {
            return Self::Version(shown(version));
        }
        Self::Nowhere(shown(path.rsplit('/').find(|s| !s.is_empty()).unwrap_or_default()))
    }

    /// Status, code and text.
    fn words(&self) -> (StatusCode, &'static str, String) {
        const BUSY: &str = "The request could not be decided just now. Please try again.";
        match self {
            Self::Unauthorized(Some(TokenRefusal::Unconfirmed)) | Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", BUSY.to_owned())
            }
            Self::Unauthorized(None) => {
                (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", "Access token is empty.".to_owned())
            }
            Self::Unauthorized(Some(refusal)) => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                format!("Access token validation failure. {}.", shown(&refusal.to_string())),
            ),
            Self::NotDelegated => (
                StatusCode::BAD_REQUEST,
                "BadRequest",
                "/me request is only valid with delegated authentication flow.".to_owned(),
            ),
            Self::Bad(text) => (StatusCode::BAD_REQUEST, "Request_BadRequest", text.clone()),
            Self::BadFilter(text) => (
                StatusCode::BAD_REQUEST,
                "Request_UnsupportedQuery",
                format!("Unsupported or invalid query filter clause specified: '{text}'."),
            ),
            Self::Batch(text) => (StatusCode::BAD_REQUEST, "BadRequest", text.clone()),
            Self::Dependency(id) => (
                StatusCode::FAILED_DEPENDENCY,
                "FailedDependency",
                format!("The request with id '{}' failed, on which this one depends.", shown(id)),
            ),
            Self::Version(version) => (
                StatusCode::BAD_REQUEST,
                "BadRequest",
                format!("Invalid version: '{version}'. This directory is served as '{VERSION}'."),
            ),
            Self::Nowhere(segment) => (
                StatusCode::BAD_REQUEST,
                "BadRequest",
                format!("Resource not found for the segment '{segment}'."),
            ),
            Self::OtherMethods(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.".to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "The request body is too large.".to_owned(),
            ),
            Self::Directory(error) => of_directory(error),
        }
    }

    pub(crate) fn answer(self, context: &Context, client_id: Option<&str>, now: Timestamp) -> Response {
        let (status, code, message) = self.words();
        let inner = InnerError {
            date: now.format("%Y-%m-%dT%H:%M:%S"),
            request_id: context.request_id.to_string(),
            client_request_id: client_id.map_or_else(|| context.request_id.to_string(), shown),
        };
        let mut response =
            json(status, &GraphError { error: GraphErrorBody { code: code.to_owned(), message, inner } });
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let login = context.address.login();
            let value = format!("Bearer realm=\"\", authorization_uri=\"{login}/common/oauth2/authorize\"");
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
        }
        if let Self::OtherMethods(methods) = &self
            && let Ok(value) = HeaderValue::from_str(&methods.join(", "))
        {
            headers.insert(header::ALLOW, value);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn of_directory(error: &DirectoryError) -> (StatusCode, &'static str, String) {
    const BAD: &str = "Request_BadRequest";
    match error {
        DirectoryError::NoObject(id) => (
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            format!(
                "Resource '{}' does not exist or one of its queried reference-property objects are not present.",
                shown(id)
            ),
        ),
        DirectoryError::NoLink => (
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            "The reference does not exist or one of its queried reference-property objects are not present."
                .to_owned(),
        ),
        DirectoryError::NoSecrets | DirectoryError::Managed | DirectoryError::Invalid(_) => {
            (StatusCode::BAD_REQUEST, BAD, format!("{error}"))
        }
        DirectoryError::Taken(what @ ("identifierUris" | "userPrincipalName")) => (
            StatusCode::BAD_REQUEST,
            BAD,
            format!("Another object with the same value for property {what} already exists."),
        ),
        DirectoryError::Taken(what) => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            format!("Another object with the same value for property {what} already exists."),
        ),
        DirectoryError::LinkExists => (
            StatusCode::BAD_REQUEST,
            BAD,
            "One or more added object references already exist for the following modified properties: 'members'."
                .to_owned(),
        ),
        DirectoryError::TooMany(what) => (
            StatusCode::BAD_REQUEST,
            "Directory_QuotaExceeded",
            format!("There are as many {what} as there may be. Remove one first."),
        ),
        DirectoryError::Denied(_) => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.".to_owned(),
        ),
        DirectoryError::Store(store) if store.is_unstorable() => (
            StatusCode::BAD_REQUEST,
            "Request_BadRequest",
            "A text of the request is longer than this directory's database can look for, or holds the character NUL."
                .to_owned(),
        ),
        DirectoryError::Store(store) => {
            tracing::error!(%store, "the directory could not be read or written");
            (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "Please try again.".to_owned())
        }
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Broken(_) => Self::bad("The request body broke off."),
        }
    }
}
