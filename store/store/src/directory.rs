//! Principals and what they prove themselves with.

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AuditRecord, Revision, StoreError};

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// A service principal of a registered application.
    Application,
    /// The system-assigned identity of a resource (a machine).
    MachineIdentity,
    /// A user-assigned managed identity.
    UserAssignedIdentity,
    User,
    Group,
}

impl PrincipalKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::MachineIdentity => "machine",
            Self::UserAssignedIdentity => "user-assigned",
            Self::User => "user",
            Self::Group => "group",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Application, Self::MachineIdentity, Self::UserAssignedIdentity, Self::User, Self::Group]
            .into_iter()
            .find(|k| k.as_str() == text)
    }

    /// `principalType` of role assignments (rbac.md 3): managed identities are service principals.
    pub const fn principal_type(self) -> &'static str {
        match self {
            Self::Application | Self::MachineIdentity | Self::UserAssignedIdentity => "ServicePrincipal",
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// A principal of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    pub object: ObjectId,
    pub kind: PrincipalKind,
    /// Applications and identities have one, users and groups do not.
    pub client: Option<ClientId>,
    pub display_name: String,
    pub enabled: bool,
    /// Resource id of the machine or identity behind a managed identity, canonical text.
    pub resource: Option<String>,
    /// May write to the directory (the operator application; arm.md 5.3).
    pub directory_admin: bool,
    pub created: Timestamp,
    /// Tombstones stay so that other replicas hear of the removal; they are never handed out but by `since`.
    pub deleted: bool,
    pub revision: Revision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// `material` is the SHA-256 of the secret (secrets are drawn by us, 256 bits, so no slow hash is needed).
    Secret,
    /// `material` is a certificate in DER, `lookup` its SHA-256 thumbprint in lower-case hex.
    Certificate,
    /// `material` is the machine's public key (JWK as JSON), `lookup` its RFC 7638 thumbprint (`kid`).
    Key,
}

impl CredentialKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Certificate => "certificate",
            Self::Key => "key",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Secret, Self::Certificate, Self::Key].into_iter().find(|k| k.as_str() == text)
    }
}

/// Which object of a client holds a credential; each proves the client (Graph shows them apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialHolder {
    /// The registered application. It outlives its service principal.
    Application,
    /// The service principal or managed identity, with which it goes.
    Principal,
}

impl CredentialHolder {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Principal => "principal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Application, Self::Principal].into_iter().find(|h| h.as_str() == text)
    }
}

/// Something an application or identity proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub tenant: TenantId,
    pub client: ClientId,
    pub holder: CredentialHolder,
    /// `keyId` in Graph.
    pub id: String,
    pub kind: CredentialKind,
    pub lookup: String,
    pub material: Vec<u8>,
    pub not_before: Timestamp,
    pub expires: Timestamp,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({} {} of {})", self.kind.as_str(), self.id, self.client)
    }
}

#[async_trait]
pub trait Directory: Send + Sync {
    async fn principal(&self, tenant: TenantId, object: ObjectId) -> Result<Option<Principal>, StoreError>;

    async fn principal_of_client(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Option<Principal>, StoreError>;

    /// Live principals in the order of their object ids, after `after`, at most `limit`.
    async fn principals(
        &self,
        tenant: TenantId,
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, StoreError>;

    /// Everything changed after `revision`, tombstones too, with the revision this answer is complete up to.
    async fn principals_since(
        &self,
        tenant: TenantId,
        revision: Revision,
    ) -> Result<(Vec<Principal>, Revision), StoreError>;

    /// Credentials of a client, expired ones too.
    async fn credentials(&self, tenant: TenantId, client: ClientId) -> Result<Vec<Credential>, StoreError>;

    /// `Exists` when the object id or client id is taken.
    async fn add_principal(
        &self,
        principal: Principal,
        credentials: Vec<Credential>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    async fn set_enabled(
        &self,
        tenant: TenantId,
        object: ObjectId,
        enabled: bool,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Removes the principal, the credentials it holds and its role assignments. `false` when it was not there.
    async fn remove_principal(
        &self,
        tenant: TenantId,
        object: ObjectId,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    async fn add_credential(&self, credential: Credential, audit: AuditRecord) -> Result<(), StoreError>;

    /// `false` when it was not there.
    async fn remove_credential(
        &self,
        tenant: TenantId,
        client: ClientId,
        id: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;
}
