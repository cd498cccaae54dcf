//! What went wrong, as the resource manager says it (arm.md 2).

mod resources;

use cs_authority::{Audiences, TokenRefusal};
use cs_ids::{Scope, SubscriptionId, TenantId};
use cs_rbac::Caller;
use cs_serve::{BodyError, Context, Query, Response, json};
use cs_time::Timestamp;
use cs_wire_arm::{BadBody, ErrorBody, ErrorEnvelope};
use http::{HeaderValue, StatusCode, header};

/// A refusal or error on its way to the caller.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<&'static str>,
    /// For 401: the tenant to sign in at, where one is known.
    challenge: Option<Option<TenantId>>,
    allow: Option<String>,
}

impl Failure {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), target: None, challenge: None, allow: None }
    }

    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self { challenge: Some(None), ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    /// Names the tenant to sign in at.
    pub fn at_tenant(mut self, tenant: Option<TenantId>) -> Self {
        if let Some(challenge) = &mut self.challenge {
            *challenge = tenant;
        }
        self
    }

    pub fn no_token() -> Self {
        Self::unauthorized(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    }

    pub fn bad_token() -> Self {
        Self::unauthorized("InvalidAuthenticationToken", "The access token is invalid.")
    }

    pub fn token(refusal: TokenRefusal, audiences: &Audiences, now: Timestamp) -> Self {
        match refusal {
            TokenRefusal::Malformed
            | TokenRefusal::Signature
            | TokenRefusal::NotYetValid
            | TokenRefusal::Principal => Self::bad_token(),
            TokenRefusal::Expired(at) => Self::unauthorized(
                "ExpiredAuthenticationToken",
                format!("The access token expiry UTC time '{at}' is earlier than current UTC time '{now}'."),
            ),
            TokenRefusal::Audience { found } => Self::unauthorized(
                "InvalidAuthenticationTokenAudience",
                format!(
                    "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences '{}'.",
                    shown(&found),
                    audiences.0.join("','")
                ),
            ),
            TokenRefusal::Issuer { found } => Self::unauthorized(
                "InvalidAuthenticationTokenTenant",
                format!("The access token is from the wrong issuer '{}'.", shown(&found)),
            ),
            TokenRefusal::Unconfirmed => Self::busy(),
        }
    }

    pub fn other_tenant(issuer: &str, tenant: TenantId) -> Self {
        Self::unauthorized(
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer '{}'. It must match the tenant 'https://sts.windows.net/{tenant}/' associated with this subscription. Please use the authority (URL) 'https://login.windows.net/{tenant}' to get the token. Note, if the subscription is transferred to another tenant there is no impact to the services, but information about new tenant could take time to propagate (up to an hour). If you just transferred your subscription and see this error message, please try back later.",
                shown(issuer)
            ),
        )
        .at_tenant(Some(tenant))
    }

    pub fn denied(caller: &Caller, action: &str, scope: &Scope) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                caller.client, caller.object
            ),
        )
    }

    pub fn precondition() -> Self {
        let message = "The condition of 'If-Match' or 'If-None-Match' does not hold for this resource.";
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    pub fn bad_uri() -> Self {
        Self::bad("InvalidRequestUri", "The provided request uri is invalid.")
    }

    pub fn bad_body(message: String) -> Self {
        Self::bad("InvalidRequestContent", message)
    }

    pub fn bad_filter(filter: &str) -> Self {
        Self::bad(
            "InvalidFilterInQueryString",
            format!("Invalid $filter '{}' specified in the query string.", shown(filter)),
        )
    }

    pub fn bad_top(found: &str) -> Self {
        Self::bad(
            "InvalidFilterInQueryString",
            format!(
                "Invalid $top '{}' specified in the query string: it must be a number from 1.",
                shown(found)
            ),
        )
    }

    pub fn no_api_version() -> Self {
        Self::bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    }

    pub fn bad_api_version(found: &str, supported: &[&str]) -> Self {
        let message = format!(
            "The api-version '{}' is invalid. The supported versions are '{}'.",
            shown(found),
            supported.join(",")
        );
        Self::bad("InvalidApiVersionParameter", message)
    }

    pub fn bad_subscription(text: &str) -> Self {
        let message =
            format!("The provided subscription identifier '{}' is malformed or invalid.", shown(text));
        Self::bad("InvalidSubscriptionId", message)
    }

    pub fn no_subscription(id: SubscriptionId) -> Self {
        let message = format!("The subscription '{id}' could not be found.");
        Self::new(StatusCode::NOT_FOUND, "SubscriptionNotFound", message)
    }

    /// A path that no table has.
    pub fn no_type(path: &str, query: &Query) -> Self {
        let lower = path.to_ascii_lowercase();
        let tail = lower.rfind("/providers/").map(|at| &path[at + "/providers/".len()..]);
        let segments: Vec<&str> = tail.unwrap_or_default().split('/').filter(|s| !s.is_empty()).collect();
        let message = match segments.as_slice() {
            [namespace, types @ ..] if !types.is_empty() => format!(
                "The resource type '{}' could not be found in the namespace '{}' for api version '{}'.",
                shown(&types.iter().step_by(2).copied().collect::<Vec<_>>().join("/")),
                shown(namespace),
                shown(query.get("api-version").unwrap_or_default())
            ),
            _ => "The requested resource does not exist.".to_owned(),
        };
        let code = if segments.len() > 1 { "InvalidResourceType" } else { "NotFound" };
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub fn other_methods(methods: &[&'static str]) -> Self {
        let message = "The requested resource does not support this http method.";
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpMethod", message);
        Self { allow: Some(methods.join(", ")), ..refused }
    }

    pub fn no_certificates() -> Self {
        let message = "The server gives no client certificates. Its property 'clientCertificates.lifeSeconds' says how long they live.";
        Self::new(StatusCode::CONFLICT, "ClientCertificatesDisabled", message)
    }

    pub fn no_gateway_certificate() -> Self {
        let message = "The site signs no certificates for gateways: give the gateway one of your own.";
        Self::new(StatusCode::CONFLICT, "GatewayCertificateUnavailable", message)
    }

    pub fn busy() -> Self {
        let message = "The request could not be decided just now. Please try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServerBusy", message)
    }

    pub fn internal(why: &str) -> Self {
        tracing::error!(why, "a request failed");
        let message = "The request failed because of an internal error. The request id names it in the log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    }

    pub fn answer(self, context: &Context) -> Response {
        let error = ErrorBody {
            code: self.code.to_owned(),
            message: self.message,
            target: self.target.map(str::to_owned),
        };
        let mut response = json(self.status, &ErrorEnvelope { error });
        let headers = response.headers_mut();
        if let Some(tenant) = self.challenge {
            let tenant = tenant.map_or_else(|| "common".to_owned(), |t| t.to_string());
            let value = format!(
                "Bearer authorization_uri=\"{}/{tenant}\", error=\"invalid_token\", error_description=\"The authentication failed because of missing or invalid 'Authorization' header.\"",
                context.address.login()
            );
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
        }
        if let Some(Ok(allow)) = self.allow.map(|a| HeaderValue::from_str(&a)) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What a message repeats of what a caller sent: short and on one line (H06).
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl From<BadBody> for Failure {
    fn from(bad: BadBody) -> Self {
        Self::bad_body(bad.0)
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(max) => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                format!("The request content size exceeds the maximum size of {max} bytes."),
            ),
            BodyError::Broken(_) => Self::bad_body("The request content was cut off.".to_owned()),
        }
    }
}
