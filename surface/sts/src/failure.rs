//! AADSTS errors: one table of codes, one `match` from the part's errors (sts.md 4.2).

use cs_authority::AuthorityError;
use cs_ids::CorrelationId;
use cs_serve::{Context, Response, json, text};
use cs_time::Timestamp;
use cs_wire_sts::ErrorReply;
use http::{HeaderValue, StatusCode, header};

/// A code with its OAuth word and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aadsts {
    pub code: i32,
    error: &'static str,
    status: u16,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $error:literal, $status:literal;)*) => {
        impl Aadsts {
            $(pub(crate) const $name: Self = Self { code: $code, error: $error, status: $status };)*
        }
    };
}

codes! {
    WRONG_SECRET = 7_000_215, "invalid_client", 401;
    EXPIRED_SECRET = 7_000_222, "invalid_client", 401;
    NO_CREDENTIAL = 7_000_218, "invalid_client", 401;
    DISABLED = 7_000_112, "unauthorized_client", 400;
    UNKNOWN_CLIENT = 700_016, "unauthorized_client", 400;
    UNKNOWN_TENANT = 90_002, "invalid_request", 400;
    MALFORMED_TENANT = 900_023, "invalid_request", 400;
    ASSERTION_SIGNATURE = 700_027, "invalid_client", 401;
    ASSERTION = 50_012, "invalid_client", 401;
    ASSERTION_ISSUER = 700_021, "invalid_client", 401;
    ASSERTION_AUDIENCE = 700_023, "invalid_client", 401;
    ASSERTION_TIME = 700_024, "invalid_client", 401;
    SUBJECT_IS_NOT_ISSUER = 50_048, "invalid_client", 401;
    NO_FEDERATED = 700_211, "invalid_client", 401;
    FEDERATED_AUDIENCE = 700_212, "invalid_client", 401;
    FEDERATED_SUBJECT = 700_213, "invalid_client", 401;
    FEDERATED_CASE = 7_002_138, "invalid_client", 401;
    ISSUER_UNAVAILABLE = 501_661, "invalid_client", 401;
    UNKNOWN_RESOURCE = 500_011, "invalid_resource", 400;
    SCOPE_NOT_DEFAULT = 1_002_012, "invalid_scope", 400;
    SEVERAL_RESOURCES = 28_000, "invalid_request", 400;
    MISSING = 900_144, "invalid_request", 400;
    MALFORMED = 9_002_313, "invalid_request", 400;
    INVALID_INPUT = 90_013, "invalid_request", 400;
    UNSUPPORTED_GRANT = 70_003, "unsupported_grant_type", 400;
    INVALID_INSTANCE = 50_049, "invalid_instance", 400;
    UNAVAILABLE = 90_033, "temporarily_unavailable", 503;
}

/// A failure on its way to the wire.
#[derive(Debug)]
pub(crate) enum Failure {
    Aadsts(Aadsts, String),
    Nowhere,
}

impl Failure {
    pub(crate) fn of(code: Aadsts, text: impl Into<String>) -> Self {
        Self::Aadsts(code, text.into())
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::of(
            Aadsts::MISSING,
            format!("The request body must contain the following parameter: '{parameter}'."),
        )
    }

    pub(crate) fn nowhere() -> Self {
        Self::Nowhere
    }

    pub(crate) fn answer(&self, context: &Context, correlation: CorrelationId, now: Timestamp) -> Response {
        let Self::Aadsts(code, message) = self else {
            return text(StatusCode::NOT_FOUND, "There is nothing at this address.");
        };
        let (trace, time) = (context.request_id, now.sts());
        let message = plain(message);
        let reply = ErrorReply {
            error: code.error,
            error_description: format!(
                "AADSTS{}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}",
                code.code
            ),
            error_codes: [code.code],
            timestamp: time,
            trace_id: trace.to_string(),
            correlation_id: correlation.to_string(),
            error_uri: format!("{}/error?code={}", context.address.login(), code.code),
        };
        let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = json(status, &reply);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Text without anything that JSON escapes, on one line, in ASCII.
fn plain(message: &str) -> String {
    let fit = |c: char| if c == '"' || c == '\\' || !c.is_ascii() || c.is_ascii_control() { '_' } else { c };
    message.chars().map(fit).collect()
}

pub(crate) fn method_not_allowed(allowed: &[&str]) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.");
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        use AuthorityError as E;
        let (code, text) = match &error {
            E::MalformedTenant(t) => (
                Aadsts::MALFORMED_TENANT,
                format!("Specified tenant identifier '{t}' is neither a valid DNS name, nor a valid external domain."),
            ),
            E::UnknownTenant(t) => (
                Aadsts::UNKNOWN_TENANT,
                format!("Tenant '{t}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."),
            ),
            E::MalformedClient => (Aadsts::UNKNOWN_CLIENT, "The client identifier is not a GUID.".to_owned()),
            E::UnknownClient(c) => (
                Aadsts::UNKNOWN_CLIENT,
                format!("Application with identifier '{c}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant. You may have sent your authentication request to the wrong tenant."),
            ),
            E::Disabled(c) => (Aadsts::DISABLED, format!("Application '{c}' is disabled.")),
            E::Quarantined { client, why } => (
                Aadsts::DISABLED,
                format!("Machine identity '{client}' is quarantined: {why}. An administrator must find out which agent is the machine, take the other off with 'csagent disconnect --force-local-only' there, and run 'countersign machine release'."),
            ),
            E::WrongSecret(c) => (
                Aadsts::WRONG_SECRET,
                format!("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{c}'."),
            ),
            E::ExpiredSecret(c) => (Aadsts::EXPIRED_SECRET, format!("The provided client secret keys for app '{c}' are expired.")),
            E::MalformedAssertion(why) => (Aadsts::ASSERTION, format!("Client assertion contains an invalid signature or cannot be read: {why}.")),
            E::SubjectIsNotIssuer => (Aadsts::SUBJECT_IS_NOT_ISSUER, "Subject must match issuer claim in the client assertion.".to_owned()),
            E::AssertionOfAnother(c) => (
                Aadsts::ASSERTION_ISSUER,
                format!("Client assertion application identifier does not match 'client_id' parameter. The assertion is of '{c}'."),
            ),
            E::NoFederatedCredential { issuer } => (
                Aadsts::NO_FEDERATED,
                format!("No matching federated identity record found for presented assertion issuer '{issuer}'."),
            ),
            E::FederatedSubject { issuer, subject } => (
                Aadsts::FEDERATED_SUBJECT,
                format!("No matching federated identity record found for presented assertion subject '{subject}' of issuer '{issuer}'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion."),
            ),
            E::FederatedCase { issuer, subject } => (
                Aadsts::FEDERATED_CASE,
                format!("No matching federated identity record found for presented assertion subject '{subject}' of issuer '{issuer}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison."),
            ),
            E::FederatedAudience(audience) => (
                Aadsts::FEDERATED_AUDIENCE,
                format!("No matching federated identity record found for presented assertion audience '{audience}'."),
            ),
            E::IssuerUnavailable(issuer) => (
                Aadsts::ISSUER_UNAVAILABLE,
                format!("Request to External OIDC endpoint failed: the keys of issuer '{issuer}' cannot be read."),
            ),
            E::NotAttached(named) => (
                Aadsts::UNKNOWN_CLIENT,
                format!("Identity not found: '{named}' is not attached to the machine that asks."),
            ),
            E::MissingClient => return Self::missing("client_id"),
            E::AssertionSignature(named) => (
                Aadsts::ASSERTION_SIGNATURE,
                format!("Client assertion failed signature validation. The key was not found or does not verify it. Thumbprint of key used by client: '{named}'."),
            ),
            E::AssertionAudience => (
                Aadsts::ASSERTION_AUDIENCE,
                "Client assertion audience claim does not match Realm issuer. It must be the token endpoint of this tenant.".to_owned(),
            ),
            E::AssertionTime(why) => (Aadsts::ASSERTION_TIME, format!("Client assertion is not within its valid time range: {why}.")),
            E::AssertionReplayed => (Aadsts::ASSERTION, "Client assertion was used before.".to_owned()),
            E::ScopeMissing => return Self::missing("scope"),
            E::ScopeNotDefault(s) => (
                Aadsts::SCOPE_NOT_DEFAULT,
                format!("The provided value for scope '{s}' is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."),
            ),
            E::SeveralResources => (
                Aadsts::SEVERAL_RESOURCES,
                "Provided value for the input parameter scope is not valid because it contains more than one resource.".to_owned(),
            ),
            E::UnknownResource(r) => (
                Aadsts::UNKNOWN_RESOURCE,
                format!("The resource principal named '{r}' was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant. You might have sent your authentication request to the wrong tenant."),
            ),
            E::Store(_) | E::Signing => {
                tracing::error!(%error, "a token request could not be answered");
                (Aadsts::UNAVAILABLE, "A transient error has occurred. Please try again.".to_owned())
            }
        };
        Self::Aadsts(code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_need_no_json_escape() {
        assert_eq!(plain("a\"b\\c\nd\u{e9}"), "a_b_c_d_");
    }
}
