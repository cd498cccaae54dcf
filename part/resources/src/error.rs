//! What can go wrong when resources are managed, in the product's words.

use cs_ids::{BadName, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_rbac::{BadCondition, RoleId};
use cs_store::StoreError;
use cs_time::Timestamp;

#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error("subscription {0} is not there")]
    NoSubscription(SubscriptionId),
    #[error("resource group '{0}' is not there")]
    NoGroup(String),
    #[error("'{0}' is not there")]
    NoResource(Box<ResourceId>),
    #[error("'{0}', in which it lies, is not there")]
    NoParent(Box<ResourceId>),
    #[error("scope '{0}' is not there")]
    NoScope(Box<Scope>),
    #[error("a location is required")]
    LocationRequired,
    #[error("'{id}' is in '{existing}' and cannot move to '{wanted}'")]
    LocationFixed { id: Box<ResourceId>, existing: String, wanted: String },
    #[error("'{what}' {why}")]
    Invalid { what: &'static str, why: String },
    #[error("{0}")]
    BadTags(String),
    #[error("tag '{0}' is in use")]
    TagInUse(String),
    #[error("a tag name comes before its values")]
    TagNotDefined,
    #[error("the vault name '{0}' is taken")]
    VaultNameTaken(String),
    #[error("a deleted vault has the name '{0}'")]
    VaultNameDeleted(String),
    #[error("no deleted vault '{0}'")]
    NoDeletedVault(String),
    #[error("vault '{0}' is protected against purging")]
    PurgeProtected(String),
    #[error("turning roles on or off for a vault needs the right to assign roles")]
    SwitchNeedsRoleWrite,
    #[error("the storage account name '{name}' is taken")]
    AccountNameTaken { name: String, ours: bool },
    #[error("the server name '{0}' is taken")]
    ServerNameTaken(String),
    #[error("the machine is connected with another key")]
    OtherMachineKey,
    #[error("the join token is not known, or its secret is wrong")]
    JoinTokenUnknown,
    #[error("the join token ran out at {0}")]
    JoinTokenExpired(Timestamp),
    #[error("the join token was used at {0}")]
    JoinTokenUsed(Timestamp),
    #[error("'{0}' is no GUID")]
    BadAssignmentName(String),
    #[error("principal {object} is not in the directory of {tenant}")]
    NoPrincipal { object: ObjectId, tenant: TenantId },
    #[error("somebody else has the id {0}, or its client id")]
    PrincipalTaken(ObjectId),
    #[error("principal {principal} is a {found}, not a {given}")]
    OtherPrincipalType { principal: ObjectId, found: &'static str, given: String },
    #[error("role {0} is not defined")]
    NoRole(String),
    #[error("role {0} cannot be assigned at this scope")]
    RoleNotAssignable(RoleId),
    #[error("the role definition is not valid: {0}")]
    BadRole(String),
    #[error("a role cannot be made assignable at '{0}'")]
    BadAssignableScope(String),
    #[error("a role is called '{0}' already")]
    RoleNameTaken(String),
    #[error("the role is assigned")]
    RoleIsAssigned,
    #[error("the role came with the product")]
    BuiltInRole,
    #[error("the tenant has as many custom roles as it may have")]
    TooManyRoles,
    /// A lock forbids it; `by` lists the scopes that are locked.
    #[error("'{scope}' cannot be changed: {by} is locked")]
    Locked { scope: Box<Scope>, what: &'static str, by: String },
    #[error("the assignment exists as {0}")]
    AssignmentExists(String),
    #[error("an assignment's role, principal and scope are fixed")]
    AssignmentFixed,
    #[error(transparent)]
    BadCondition(#[from] BadCondition),
    #[error("the subscription has as many role assignments as it may have")]
    TooManyAssignments,
    #[error("another federated credential has the same issuer and subject")]
    FederatedExists,
    #[error("the identity has as many federated credentials as it may have")]
    TooManyFederated,
    #[error("no federated credential '{0}'")]
    NoFederated(String),
    #[error("'{0}' may not be assigned by the caller")]
    MayNotAssign(Box<ResourceId>),
    #[error("'{0}' cannot be moved")]
    NotMovable(Box<ResourceId>),
    #[error("'{0}' is there already")]
    MoveTargetTaken(Box<ResourceId>),
    #[error("the condition of the request does not hold")]
    Precondition,
    /// Others kept changing it; the caller may try again.
    #[error("'{0}' is being changed by others")]
    Busy(Box<ResourceId>),
    #[error("the resource store failed")]
    Store(#[from] StoreError),
}

impl ResourceError {
    /// A name that somebody else holds, in the words of the kind.
    pub(crate) fn or_taken(self, taken: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Store(StoreError::Exists(_)) => taken(),
            other => other,
        }
    }

    /// What was there a moment ago is not.
    pub(crate) fn gone(id: &ResourceId) -> Self {
        match id.kind() {
            None => Self::NoGroup(id.group().unwrap_or_default().to_owned()),
            Some(_) => Self::NoResource(Box::new(id.clone())),
        }
    }

    pub fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { what, why: why.into() }
    }
}
