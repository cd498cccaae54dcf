//! What went wrong, as the resource manager says it (arm.md 2).

use cs_authority::{Audiences, TokenRefusal};
use cs_ids::{Scope, SubscriptionId, TenantId};
use cs_rbac::Caller;
use cs_resources::{ResourceError, simple};
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

impl From<ResourceError> for Failure {
    fn from(error: ResourceError) -> Self {
        use StatusCode as S;
        let text = error.to_string();
        match error {
            ResourceError::BadName(bad) => Self::bad(
                match bad.kind {
                    "vault name" => "VaultNameNotValid",
                    "storage account name" => "AccountNameInvalid",
                    "resource group name" => "InvalidResourceGroup",
                    _ => "InvalidResourceName",
                },
                format!("{text}."),
            ),
            ResourceError::NoSubscription(id) => Self::no_subscription(id),
            ResourceError::NoGroup(name) => Self::new(
                S::NOT_FOUND,
                "ResourceGroupNotFound",
                format!("Resource group '{}' could not be found.", shown(&name)),
            ),
            ResourceError::NoResource(id) => {
                let kind = id.kind().map(|k| k.as_str()).unwrap_or_default();
                let group = id.group().unwrap_or_default();
                let message = format!(
                    "The Resource '{kind}/{}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
                    id.name()
                );
                Self::new(S::NOT_FOUND, "ResourceNotFound", message)
            }
            ResourceError::NoParent(id) => {
                let kind = id.kind().map(|k| k.as_str()).unwrap_or_default();
                let message = format!(
                    "Can not perform requested operation on nested resource. Parent resource '{kind}/{}' not found.",
                    id.name()
                );
                Self::new(S::NOT_FOUND, "ParentResourceNotFound", message)
            }
            ResourceError::NoScope(scope) => {
                let message = format!("The scope '{scope}' could not be found.");
                Self::new(S::NOT_FOUND, "ResourceNotFound", message)
            }
            ResourceError::LocationRequired => {
                Self::bad("LocationRequired", "The location property is required for this definition.")
            }
            ResourceError::LocationFixed { id, existing, wanted } => {
                let (code, what) = match id.kind() {
                    None => ("InvalidResourceGroupLocation", "resource group"),
                    Some(_) => ("InvalidResourceLocation", "resource"),
                };
                let message = format!(
                    "Invalid {what} location '{wanted}'. The {what} '{}' already exists in location '{existing}'.",
                    id.name()
                );
                Self::new(S::CONFLICT, code, message)
            }
            ResourceError::Invalid { what, why } => {
                let message = format!("The value of '{what}' is not valid: it {why}.");
                Self { target: Some(what), ..Self::bad("InvalidParameter", message) }
            }
            ResourceError::BadTags(why) => Self::bad("InvalidTag", format!("{why}.")),
            ResourceError::TagInUse(name) => Self::new(
                S::CONFLICT,
                "TagInUse",
                format!("The tag '{}' is in use by resources and cannot be deleted.", shown(&name)),
            ),
            ResourceError::TagNotDefined => {
                Self::new(S::NOT_FOUND, "TagNameNotFound", "The tag name must be created before its values.")
            }
            ResourceError::VaultNameTaken(name) => Self::new(
                S::CONFLICT,
                "VaultAlreadyExists",
                format!(
                    "The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name."
                ),
            ),
            ResourceError::VaultNameDeleted(_) => Self::new(
                S::CONFLICT,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
            ),
            ResourceError::NoDeletedVault(name) => Self::new(
                S::NOT_FOUND,
                "DeletedVaultNotFound",
                format!("The specified deleted vault '{}' does not exist.", shown(&name)),
            ),
            ResourceError::PurgeProtected(name) => Self::new(
                S::CONFLICT,
                "DeletedVaultPurgeNotAllowed",
                format!("The vault '{name}' is protected against purging until its retention is over."),
            ),
            ResourceError::SwitchNeedsRoleWrite => Self::new(
                S::FORBIDDEN,
                "AuthorizationFailed",
                "Changing 'enableRbacAuthorization' needs the action 'Microsoft.Authorization/roleAssignments/write' over the vault.",
            ),
            ResourceError::AccountNameTaken { name, ours: false } => Self::new(
                S::CONFLICT,
                "StorageAccountAlreadyTaken",
                format!("The storage account named {name} is already taken."),
            ),
            ResourceError::AccountNameTaken { name, ours: true } => Self::new(
                S::CONFLICT,
                "StorageAccountAlreadyExists",
                format!("The storage account named {name} already exists under the subscription."),
            ),
            ResourceError::ServerNameTaken(name) => Self::new(
                S::CONFLICT,
                "ServerNameAlreadyExists",
                format!("Specified server name '{name}' is already used."),
            ),
            ResourceError::OtherMachineKey => Self::new(
                S::CONFLICT,
                "MachineAlreadyConnected",
                "A machine of this name is connected with another key. Delete the machine resource first, or connect under another name.",
            ),
            ResourceError::JoinTokenUnknown => Self::unauthorized(
                "InvalidJoinToken",
                "The join token is not known, was taken back, or is not written as it was handed out.",
            ),
            ResourceError::JoinTokenExpired(at) => Self::unauthorized(
                "JoinTokenExpired",
                format!("The join token ran out at '{at}'. Ask for a new one."),
            ),
            ResourceError::JoinTokenUsed(at) => Self::unauthorized(
                "JoinTokenUsed",
                format!("The join token was used at '{at}'. Each lets one machine in: ask for another."),
            ),
            ResourceError::BadAssignmentName(name) => Self::bad(
                "InvalidRoleAssignmentId",
                format!(
                    "The role assignment ID '{}' is not valid. The role assignment ID must be a GUID.",
                    shown(&name)
                ),
            ),
            ResourceError::NoPrincipal { object, tenant } => Self::bad(
                "PrincipalNotFound",
                format!(
                    "Principal {} does not exist in the directory {tenant}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
                    simple(object.uuid())
                ),
            ),
            ResourceError::PrincipalTaken(_) => Self::new(S::CONFLICT, "PrincipalExists", format!("{text}.")),
            ResourceError::OtherPrincipalType { principal, found, given } => Self::bad(
                "UnmatchedPrincipalType",
                format!(
                    "The PrincipalId '{}' has type '{found}', which is different from specified PrinciaplType '{given}'.",
                    simple(principal.uuid())
                ),
            ),
            ResourceError::NoRole(id) => Self::new(
                S::NOT_FOUND,
                "RoleDefinitionDoesNotExist",
                format!("The specified role definition with ID '{}' does not exist.", shown(&id)),
            ),
            ResourceError::RoleNotAssignable(id) => Self::bad(
                "RoleDefinitionNotAssignable",
                format!("The role definition '{id}' cannot be assigned at this scope."),
            ),
            ResourceError::BadRole(why) => Self::bad(
                "InvalidActionOrNotAction",
                format!("{} does not match any of the actions supported by the providers.", shown(&why)),
            ),
            ResourceError::BadAssignableScope(scope) => Self::bad(
                "AssignableScopeNotUnderSubscriptionScope",
                format!(
                    "The assignable scope '{}' is not valid: it must be the root management group, a subscription or a resource group of this tenant.",
                    shown(&scope)
                ),
            ),
            ResourceError::RoleNameTaken(name) => Self::new(
                S::CONFLICT,
                "RoleDefinitionWithSameNameExists",
                format!(
                    "A custom role with the same name already exists in this directory. Use a different name: '{}'.",
                    shown(&name)
                ),
            ),
            ResourceError::RoleIsAssigned => Self::bad(
                "RoleDefinitionHasAssignments",
                "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).",
            ),
            ResourceError::BuiltInRole => Self::bad(
                "RoleDefinitionUpdateNotPermitted",
                "A built-in role definition cannot be changed or deleted.",
            ),
            ResourceError::TooManyRoles => Self::bad(
                "RoleDefinitionLimitExceeded",
                "Role definition limit exceeded. No more role definitions can be created.",
            ),
            ResourceError::Locked { scope, what, by } => Self::new(
                S::CONFLICT,
                "ScopeLocked",
                format!(
                    "The scope '{scope}' cannot perform {what} operation because following scope(s) are locked: '{by}'. Please remove the lock and try again."
                ),
            ),
            ResourceError::AssignmentExists(name) => Self::new(
                S::CONFLICT,
                "RoleAssignmentExists",
                format!(
                    "The role assignment already exists. The ID of the existing role assignment is {}.",
                    name.replace('-', "").to_lowercase()
                ),
            ),
            ResourceError::AssignmentFixed => Self::bad(
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            ),
            ResourceError::BadCondition(_) => Self::bad(
                "InvalidRoleAssignmentCondition",
                format!("The given role assignment condition is invalid: {text}."),
            ),
            ResourceError::TooManyAssignments => Self::bad(
                "RoleAssignmentLimitExceeded",
                "The role assignment limit has been exceeded. No more role assignments can be created.",
            ),
            ResourceError::FederatedExists => Self::new(
                S::CONFLICT,
                "Conflict",
                "Issuer and subject combination already exists for this Managed Identity.",
            ),
            ResourceError::TooManyFederated => Self::bad(
                "FederatedIdentityCredentialsLimitExceeded",
                "Too many Federated Identity Credentials: at most 20 are allowed for one Managed Identity.",
            ),
            ResourceError::NoFederated(name) => Self::new(
                S::NOT_FOUND,
                "NotFound",
                format!("The federated identity credential '{}' was not found.", shown(&name)),
            ),
            ResourceError::MayNotAssign(id) => Self::new(
                S::FORBIDDEN,
                "LinkedAuthorizationFailed",
                format!(
                    "The client has permission to perform this action, but not the action 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope '{id}', or the linked scope is invalid."
                ),
            ),
            ResourceError::NotMovable(id) => Self::new(
                S::CONFLICT,
                "ResourceMoveNotSupported",
                format!("Resource move is not supported for resources of this type: '{id}'."),
            ),
            ResourceError::MoveTargetTaken(id) => Self::new(
                S::CONFLICT,
                "ResourceMoveFailed",
                format!("The resource '{id}' already exists in the target resource group."),
            ),
            ResourceError::Precondition => Self::precondition(),
            ResourceError::Busy(_) => Self::new(
                S::CONFLICT,
                "AnotherOperationInProgress",
                "Another operation on this resource is in progress. Please try again.",
            ),
            ResourceError::Store(store) if store.is_unstorable() => Self::unstorable(),
            ResourceError::Store(store) => Self::store(&store.to_string()),
        }
    }
}

impl Failure {
    /// What one database takes and another does not.
    fn unstorable() -> Self {
        Self::bad(
            "InvalidParameter",
            "A name, tag or other text of the request is longer than this site's database can look for, or holds the character NUL.",
        )
    }

    fn store(why: &str) -> Self {
        tracing::error!(why, "the store failed a request of the resource manager");
        Self::busy()
    }
}
