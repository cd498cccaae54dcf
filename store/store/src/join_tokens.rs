//! Join tokens: each lets one machine into one resource group, once.

use async_trait::async_trait;
use cs_ids::{ClientId, ObjectId, ResourceId, TenantId};
use cs_time::Timestamp;

use crate::{AuditRecord, Resource, ResourceWrite, StoreError};

/// A join token as it is kept: its secret is not.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    pub tenant: TenantId,
    /// Public: listings name it, and so does the token's own text.
    pub id: String,
    /// The one group whose machine it makes.
    pub group: ResourceId,
    /// SHA-256 of the secret (drawn by us, 256 bits, so no slow hash is needed).
    pub hash: Vec<u8>,
    /// What the machine is tagged with, whatever it says itself.
    pub tags: Vec<(String, String)>,
    pub created: Timestamp,
    /// It is good only while whoever made it may make machines in the group.
    pub created_by: ObjectId,
    pub created_by_client: ClientId,
    pub expires: Timestamp,
    pub used: Option<JoinUse>,
}

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JoinToken({} for {}, used: {:?})", self.id, self.group, self.used)
    }
}

/// What a token was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinUse {
    pub at: Timestamp,
    /// Resource id of the machine.
    pub machine: String,
    /// Thumbprint of its key: whoever holds that may hear the answer again.
    pub key: String,
}

#[async_trait]
pub trait JoinTokens: Send + Sync {
    /// Adds one; those of the tenant that ran out before `forget` go.
    async fn add_join_token(
        &self,
        token: JoinToken,
        forget: Timestamp,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    async fn join_token(&self, tenant: TenantId, id: String) -> Result<Option<JoinToken>, StoreError>;

    /// Those of a group, newest first.
    async fn join_tokens(&self, tenant: TenantId, group: ResourceId) -> Result<Vec<JoinToken>, StoreError>;

    /// `false` when the group has none of that id.
    async fn remove_join_token(
        &self,
        tenant: TenantId,
        group: ResourceId,
        id: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Spends a token and writes the machine it was spent for, in one transaction.
    ///
    /// # Errors
    /// `Conflict` when it was used, taken back or has run out meanwhile; else as [`crate::Resources::put_resource`].
    async fn join(
        &self,
        id: String,
        used: JoinUse,
        machine: ResourceWrite,
        audit: AuditRecord,
    ) -> Result<Resource, StoreError>;
}
