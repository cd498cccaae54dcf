//! Subscriptions, resource groups, resources, their tags and host names.

use async_trait::async_trait;
use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_time::Timestamp;
use serde_json::Value;

use crate::{AuditRecord, Credential, Principal, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub tenant: TenantId,
    pub id: SubscriptionId,
    pub display_name: String,
    pub tags: Vec<(String, String)>,
    pub created: Timestamp,
}

/// A resource group or resource, as stored: everything a type has of its own is in `properties`.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub tenant: TenantId,
    pub id: ResourceId,
    /// `Microsoft.Resources/resourceGroups` for groups.
    pub kind: String,
    pub location: String,
    /// In the order written; names compare without case.
    pub tags: Vec<(String, String)>,
    /// Root members beside `properties`: `sku`, `kind`, `identity`, … (a JSON object).
    pub extra: Value,
    /// A JSON object.
    pub properties: Value,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: String,
    pub updated_by: String,
    /// Set while soft-deleted (vaults): then only `deleted_resources` and `recover` find it.
    pub deleted: Option<Timestamp>,
    /// Raised by every write; the basis of optimistic updates.
    pub generation: i64,
}

/// A user-assigned identity that a machine may act as; ids as text, as they stand in the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedIdentity {
    pub resource: String,
    pub client: String,
    pub object: String,
}

/// What is attached to a resource, from the `identity` member of its row.
pub fn attached_identities(resource: &Resource) -> Vec<AttachedIdentity> {
    let map = resource.extra.get("identity").and_then(|i| i.get("userAssignedIdentities"));
    let one = |(id, ids): (&String, &Value)| {
        let text = |name: &str| ids.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(AttachedIdentity {
            resource: id.clone(),
            client: text("clientId")?,
            object: text("principalId")?,
        })
    };
    map.and_then(Value::as_object).map(|map| map.iter().filter_map(one).collect()).unwrap_or_default()
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: create.
    Absent,
    /// Exactly this generation: update.
    Generation(i64),
}

/// Kinds of host names a resource claims; unique across tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostKind {
    Vault,
    Account,
    /// A database server.
    Server,
}

impl HostKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Account => "account",
            Self::Server => "server",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Vault, Self::Account, Self::Server].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whose host name it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOwner {
    pub tenant: TenantId,
    pub id: ResourceId,
    /// Wrapped data key of the vault or account (`cs_seal`).
    pub wrapped_key: Vec<u8>,
    /// Folded id under which the name was claimed, which the resource keeps when it moves: what is sealed is bound to it.
    pub sealed_as: String,
    /// The resource's generation: what was made of the resource is good for as long as this stays.
    pub generation: i64,
}

/// A principal that comes with a resource (a machine's identity).
#[derive(Debug, Clone)]
pub struct NewPrincipal {
    pub principal: Principal,
    pub credentials: Vec<Credential>,
}

/// One write of a resource with all that must come with it in the same transaction.
#[derive(Debug, Clone)]
pub struct ResourceWrite {
    pub resource: Resource,
    pub expect: Expect,
    /// First label of a host name to claim, folded, with the wrapped data key. `Exists` when it is taken.
    pub host: Option<(HostKind, String, Vec<u8>)>,
    pub principal: Option<NewPrincipal>,
}

/// Conditions joined by "and". All keys folded as those of [`cs_ids::Scope`] are: the letters of ASCII alone.
#[derive(Debug, Clone, Default)]
pub struct ResourceFilter {
    /// Listings are of one subscription, as in ARM; without it nothing is found.
    pub subscription: Option<SubscriptionId>,
    pub group: Option<String>,
    pub kind: Option<String>,
    pub name: Option<String>,
    /// Tag name (folded) and, where given, its exact value.
    pub tag: Option<(String, Option<String>)>,
    pub location: Option<String>,
    /// Only resource groups (`Some(true)`), only resources (`Some(false)`).
    pub groups: Option<bool>,
    /// Continue after this id key.
    pub after: Option<String>,
    /// Only what lies below this id key.
    pub below: Option<String>,
    pub limit: u32,
}

/// How often a tag name and value is in use in a subscription. `value` `None`: the predefined name itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagUse {
    pub name: String,
    pub value: Option<String>,
    pub count: i64,
}

/// Which soft-deleted resources to list. Names and ids are folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeletedFilter {
    /// Only those below this id.
    pub below: Option<String>,
    pub name: Option<String>,
    /// Only those whose key comes after this one.
    pub after: String,
    /// At most so many.
    pub limit: u32,
}

#[async_trait]
pub trait Resources: Send + Sync {
    /// How often this replica has changed resources, host names and what goes with them: for [`crate::Fresh`].
    fn changes(&self) -> u64;

    /// Whether this process makes every write to its database: then [`Resources::changes`] counts all changes there are.
    fn is_alone(&self) -> bool;

    async fn subscriptions(&self, tenant: TenantId) -> Result<Vec<Subscription>, StoreError>;

    /// Whose subscription it is, whatever the tenant.
    async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError>;

    async fn add_subscription(
        &self,
        subscription: Subscription,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    async fn set_subscription_tags(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        tags: Vec<(String, String)>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Live ones only.
    async fn resource(&self, tenant: TenantId, id: ResourceId) -> Result<Option<Resource>, StoreError>;

    /// Live ones only, in the order of their keys.
    async fn resources(&self, tenant: TenantId, filter: ResourceFilter) -> Result<Vec<Resource>, StoreError>;

    /// Live machines of a tenant whose `vmId` this is, in letters of either case, by their keys.
    async fn machines_called(&self, tenant: TenantId, vm_id: String) -> Result<Vec<Resource>, StoreError>;

    /// Answers the stored row with its new generation.
    ///
    /// # Errors
    /// `Exists` when something is there already or the host name is taken, `Conflict` when the generation is
    /// another, `Missing` when the resource group, or the resource it is a child of, is not there.
    async fn put_resource(&self, write: ResourceWrite, audit: AuditRecord) -> Result<Resource, StoreError>;

    /// Removes a resource or group and what lies below: children, host names, identities of what goes (with their
    /// credentials), role assignments at and below, secrets, containers and blobs. `false` when it was not there.
    async fn remove_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Gives resources other ids, all or none. Their children, content, host names, tags and identities come along; role and
    /// deny assignments and locks at and below them go.
    ///
    /// # Errors
    /// `Missing` when one or its new group is not there, `Exists` when a new id is taken.
    async fn move_resources(
        &self,
        tenant: TenantId,
        moves: Vec<(ResourceId, ResourceId)>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Marks as deleted, keeps content and host name. `false` when it was not there.
    async fn soft_delete_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Undoes a soft delete. `false` when there is none.
    async fn recover_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Soft-deleted ones of a subscription, in the order of their keys.
    async fn deleted_resources(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        filter: DeletedFilter,
    ) -> Result<Vec<Resource>, StoreError>;

    /// Who holds this host label (folded), soft-deleted vaults excluded.
    async fn host_owner(&self, kind: HostKind, label: String) -> Result<Option<HostOwner>, StoreError>;

    /// Whether the label is claimed by anything, soft-deleted vaults included.
    async fn host_taken(&self, kind: HostKind, label: String) -> Result<bool, StoreError>;

    /// Tag names and values of a subscription: predefined ones and those in use.
    async fn tag_uses(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
    ) -> Result<Vec<TagUse>, StoreError>;

    /// Predefines a tag name, or a value of it. `true` when new.
    async fn define_tag(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        name: String,
        value: Option<String>,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// `false` when it was not there.
    async fn undefine_tag(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        name: String,
        value: Option<String>,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;
}
