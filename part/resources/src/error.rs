//! What can go wrong when resources are managed, in the product's words.

use cs_ids::{BadName, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_rbac::{BadCondition, RoleId};
use cs_store::StoreError;

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
    #[error("the machine is connected with another key")]
    OtherMachineKey,
    #[error("'{0}' is no GUID")]
    BadAssignmentName(String),
    #[error("principal {object} is not in the directory of {tenant}")]
    NoPrincipal { object: ObjectId, tenant: TenantId },
    #[error("principal {principal} is a {found}, not a {given}")]
    OtherPrincipalType { principal: ObjectId, found: &'static str, given: String },
    #[error("role {0} is not defined")]
    NoRole(String),
    #[error("role {0} cannot be assigned at this scope")]
    RoleNotAssignable(RoleId),
    #[error("the assignment exists as {0}")]
    AssignmentExists(String),
    #[error("an assignment's role, principal and scope are fixed")]
    AssignmentFixed,
    #[error(transparent)]
    BadCondition(#[from] BadCondition),
    #[error("the subscription has as many role assignments as it may have")]
    TooManyAssignments,
    /// Others kept changing it; the caller may try again.
    #[error("'{0}' is being changed by others")]
    Busy(Box<ResourceId>),
    #[error("the resource store failed")]
    Store(#[from] StoreError),
}

impl ResourceError {
    pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { what, why: why.into() }
    }
}
