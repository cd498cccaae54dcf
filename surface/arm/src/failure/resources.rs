//! What went wrong with resources, in ARM's words: every error of the part has its place.

use cs_resources::{ResourceError, simple};
use http::StatusCode;

use super::{Failure, shown};

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
