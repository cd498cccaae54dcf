//! Errors of the vault on the wire; the sentences are what people search for (keyvault.md 2.4, 8, 9).

use cs_authority::TokenRefusal;
use cs_rbac::{Denied, Operation};
use cs_serve::{Context, Response, json};
use cs_vault::{OpenVault, VaultError};
use cs_wire_vault::{ErrorBody, ErrorReply, InnerError};
use http::{HeaderValue, StatusCode, header};

use crate::challenge;

pub(crate) enum Failure {
    NoSuchVault(String),
    Unauthorized { challenge: String, message: String },
    Forbidden { inner: &'static str, message: String },
    Bad(String),
    Nowhere,
    Method(Vec<&'static str>),
    TooLarge,
    Unconfirmed,
    Part(VaultError),
}

/// Text of a caller, fit for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

impl Failure {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::Bad(message.into())
    }

    pub(crate) fn unauthorized(context: &Context, vault: &OpenVault, refusal: Option<TokenRefusal>) -> Self {
        if refusal == Some(TokenRefusal::Unconfirmed) {
            return Self::Unconfirmed;
        }
        let resource = context.address.vault_resource();
        let message = match refusal {
            None => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
            Some(TokenRefusal::Audience { found }) => {
                format!("AKV10022: Invalid audience. Expected {resource}, found: {}.", shown(&found))
            }
            Some(TokenRefusal::Issuer { found }) => {
                let login = context.address.login();
                format!(
                    "AKV10032: Invalid issuer. Expected one of {login}/{}/, found {}.",
                    vault.tenant,
                    shown(&found)
                )
            }
            Some(TokenRefusal::Expired(_)) => "[TokenExpired] Error validating token: 'S2S12086'.".to_owned(),
            Some(TokenRefusal::NotYetValid) => {
                "AKV10015: Error validating token: it is not valid yet.".to_owned()
            }
            Some(TokenRefusal::Principal) => {
                "AKV10015: Error validating token: its principal is disabled or gone.".to_owned()
            }
            Some(TokenRefusal::Malformed | TokenRefusal::Signature | TokenRefusal::Unconfirmed) => {
                "AKV10015: Error validating token: it is malformed or its signature does not verify."
                    .to_owned()
            }
        };
        Self::Unauthorized { challenge: challenge::header(context, vault), message }
    }

    pub(crate) fn forbidden(op: &Operation, vault: &OpenVault, denied: &Denied) -> Self {
        let caller = format!("appid={};oid={};iss={}", op.caller.client, op.caller.object, op.caller.issuer);
        let place = format!("{};location={}", vault.id.name(), vault.location);
        if vault.rbac {
            let message = format!(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
                 definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: '{}'\r\n\
                 Resource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null\r\nVault: {place}\r\n",
                denied.action, denied.scope
            );
            return Self::Forbidden { inner: "ForbiddenByRbac", message };
        }
        let caller = format!(
            "appid={};oid={};numgroups=0;iss={}",
            op.caller.client, op.caller.object, op.caller.issuer
        );
        let message = format!(
            "The user, group or application '{caller}' does not have {} permission on key vault '{place}'. For help \
             resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
            denied.action
        );
        Self::Forbidden { inner: "ForbiddenByPolicy", message }
    }

    pub(crate) fn answer(self) -> Response {
        let reply = |status: StatusCode, code, message: String, inner: Option<&'static str>| {
            json(
                status,
                &ErrorReply {
                    error: ErrorBody { code, message, innererror: inner.map(|code| InnerError { code }) },
                },
            )
        };
        match self {
            Self::NoSuchVault(name) => reply(
                StatusCode::NOT_FOUND,
                "VaultNotFound",
                format!("The vault '{}' was not found.", shown(&name)),
                None,
            ),
            Self::Unauthorized { challenge, message } => {
                let mut response = reply(StatusCode::UNAUTHORIZED, "Unauthorized", message, None);
                if let Ok(value) = HeaderValue::from_str(&challenge) {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
                }
                response
            }
            Self::Forbidden { inner, message } => {
                reply(StatusCode::FORBIDDEN, "Forbidden", message, Some(inner))
            }
            Self::Bad(message) => reply(StatusCode::BAD_REQUEST, "BadParameter", message, None),
            Self::Nowhere => {
                reply(StatusCode::NOT_FOUND, "NotFound", "There is nothing at this address.".to_owned(), None)
            }
            Self::Method(allowed) => {
                let mut response = reply(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    "This method is not allowed here.".to_owned(),
                    None,
                );
                if let Ok(value) = HeaderValue::from_str(&allowed.join(", ")) {
                    response.headers_mut().insert(header::ALLOW, value);
                }
                response
            }
            Self::TooLarge => reply(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestBodyTooLarge",
                "The request body is too large.".to_owned(),
                None,
            ),
            Self::Unconfirmed => later(reply(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "Access cannot be decided at the moment. Please try again.".to_owned(),
                None,
            )),
            Self::Part(error) => of_part(&error, reply),
        }
    }
}

fn later(mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn of_part(
    error: &VaultError,
    reply: impl Fn(StatusCode, &'static str, String, Option<&'static str>) -> Response,
) -> Response {
    match error {
        VaultError::NoSuchSecret(name) => reply(
            StatusCode::NOT_FOUND,
            "SecretNotFound",
            format!(
                "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may \
                 be able to recover it using the correct recovery command. For help resolving this issue, please see \
                 https://go.microsoft.com/fwlink/?linkid=2125182"
            ),
            None,
        ),
        VaultError::NoSuchDeletedSecret(name) => {
            reply(StatusCode::NOT_FOUND, "SecretNotFound", format!("Deleted Secret not found: {name}"), None)
        }
        VaultError::Deleted(name) => reply(
            StatusCode::CONFLICT,
            "Conflict",
            format!(
                "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, \
                 the secret can only be recovered or purged."
            ),
            Some("ObjectIsDeletedButRecoverable"),
        ),
        VaultError::Exists(name) => {
            reply(StatusCode::CONFLICT, "Conflict", format!("The secret {name} already exists."), None)
        }
        VaultError::Disabled(_) => reply(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Operation get is not allowed on a disabled secret.".to_owned(),
            Some("SecretDisabled"),
        ),
        VaultError::PurgeProtected => reply(
            StatusCode::FORBIDDEN,
            "Forbidden",
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault."
                .to_owned(),
            None,
        ),
        VaultError::Invalid(message) => reply(StatusCode::BAD_REQUEST, "BadParameter", message.clone(), None),
        VaultError::Sealed => {
            tracing::error!(%error, "a vault's data cannot be opened");
            reply(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "The value could not be read.".to_owned(),
                None,
            )
        }
        VaultError::Store(cause) if cause.is_unstorable() => {
            let text = "A text of the request cannot be stored: it is too long, or holds the character NUL.";
            reply(StatusCode::BAD_REQUEST, "BadParameter", text.to_owned(), None)
        }
        VaultError::Store(cause) => {
            tracing::error!(%cause, "a vault's request could not be answered");
            let text = "The request could not be carried out. Please try again.".to_owned();
            later(reply(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", text, None))
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Part(error)
    }
}
