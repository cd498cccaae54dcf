//! The directory beyond principals: applications, what describes users and groups, who belongs to what.

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_time::Timestamp;
use serde_json::{Map, Value};

use crate::{AuditRecord, Principal, PrincipalKind, Revision, StoreError};

/// A registered application. What acts is its service principal: the [`Principal`] with the same client id, which may
/// come later, go, and come again.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    pub tenant: TenantId,
    /// Its own, not that of its service principal.
    pub object: ObjectId,
    pub client: ClientId,
    pub display_name: String,
    /// `identifierUris`: unique in the tenant.
    pub uris: Vec<String>,
    /// Members that are kept and shown, and mean nothing here (a JSON object).
    pub details: Value,
    pub created: Timestamp,
}

/// What a principal has beside its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// A user's principal name, folded: unique in the tenant.
    pub handle: Option<String>,
    /// A JSON object.
    pub value: Value,
}

/// What to change of a principal; `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrincipalChange {
    pub display_name: Option<String>,
    pub enabled: Option<bool>,
    pub details: Option<Details>,
    /// What the details were that these were made of.
    pub known: Map<String, Value>,
}

/// Which names a listing is of; folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameIs {
    Anything,
    Equal(String),
    StartsWith(String),
}

/// How one object belongs to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Of a group.
    Member,
    /// Of an application, a service principal or a group.
    Owner,
}

impl LinkKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

/// A membership as replicas follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub group: ObjectId,
    pub member: ObjectId,
    pub deleted: bool,
}

/// Whose tokens stand for an application or identity (sts.md 3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCredential {
    pub tenant: TenantId,
    pub client: ClientId,
    pub id: String,
    /// Unique for its client, without regard to case.
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
    pub created: Timestamp,
}

#[async_trait]
pub trait DirectoryObjects: Send + Sync {
    /// Live principals of some kinds (at most three), in the order of their object ids.
    async fn principals_named(
        &self,
        tenant: TenantId,
        kinds: Vec<PrincipalKind>,
        name: NameIs,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, StoreError>;

    async fn principal_of_handle(
        &self,
        tenant: TenantId,
        handle: String,
    ) -> Result<Option<Principal>, StoreError>;

    /// What is known of each beside its row; whoever has nothing is left out.
    async fn details(
        &self,
        tenant: TenantId,
        objects: Vec<ObjectId>,
    ) -> Result<Vec<(ObjectId, Value)>, StoreError>;

    /// Creates a principal with its details and first owner.
    ///
    /// # Errors
    /// `Exists` when an id or the handle is taken.
    async fn add_described(
        &self,
        principal: Principal,
        details: Details,
        owner: Option<ObjectId>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// # Errors
    /// `Missing` when it is not there, `Exists` when the handle is taken, `Conflict` when the details were changed since they
    /// were `known`.
    async fn change_principal(
        &self,
        tenant: TenantId,
        object: ObjectId,
        change: PrincipalChange,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    async fn application(
        &self,
        tenant: TenantId,
        object: ObjectId,
    ) -> Result<Option<Application>, StoreError>;

    async fn application_of_client(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<Application>, StoreError>;

    async fn application_of_uri(
        &self,
        tenant: TenantId,
        uri: String,
    ) -> Result<Option<Application>, StoreError>;

    /// In the order of their object ids.
    async fn applications(
        &self,
        tenant: TenantId,
        name: NameIs,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Application>, StoreError>;

    /// # Errors
    /// `Exists` when an id or one of its URIs is taken.
    async fn add_application(
        &self,
        application: Application,
        owner: Option<ObjectId>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Writes name, URIs and details anew, made of what was `known`.
    ///
    /// # Errors
    /// `Missing` when it is not there, `Exists` when one of its URIs is taken, `Conflict` when it was changed since.
    async fn change_application(
        &self,
        known: Application,
        application: Application,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Removes an application with its service principal, all credentials and what was assigned to it. `false` when
    /// it was not there.
    async fn remove_application(
        &self,
        tenant: TenantId,
        object: ObjectId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Who belongs to `holder`, in the order of ids.
    async fn linked(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<ObjectId>, StoreError>;

    /// What `who` belongs to, directly.
    async fn holders(
        &self,
        tenant: TenantId,
        who: ObjectId,
        kind: LinkKind,
    ) -> Result<Vec<ObjectId>, StoreError>;

    /// # Errors
    /// `Exists` when it is there already.
    async fn link(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        who: ObjectId,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// `false` when it was not there.
    async fn unlink(
        &self,
        tenant: TenantId,
        holder: ObjectId,
        kind: LinkKind,
        who: ObjectId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Memberships changed after `revision`, with the revision this answer is complete up to.
    async fn memberships_since(
        &self,
        tenant: TenantId,
        revision: Revision,
    ) -> Result<(Vec<Membership>, Revision), StoreError>;
}

#[async_trait]
pub trait FederatedCredentials: Send + Sync {
    /// Those of a client, by name.
    async fn federated(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Vec<FederatedCredential>, StoreError>;

    /// Creates or (by client and name) changes one, with no more than `most` of the client. `true` when it is new.
    ///
    /// # Errors
    /// `Exists` when another of the client has the same issuer and subject, `Conflict` when there are `most` already.
    async fn put_federated(
        &self,
        credential: FederatedCredential,
        most: u32,
        audit: AuditRecord,
    ) -> Result<(FederatedCredential, bool), StoreError>;

    /// `false` when it was not there.
    async fn remove_federated(
        &self,
        tenant: TenantId,
        client: ClientId,
        name: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;
}
