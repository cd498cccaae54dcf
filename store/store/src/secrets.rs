//! Secrets of vaults. Values come and go sealed; opening them is the vault part's work.

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_rbac::Allowed;
use cs_time::Timestamp;

use crate::{AuditRecord, StoreError};

/// Which vault: the tenant and the folded resource id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPlace {
    pub tenant: TenantId,
    pub vault: String,
}

/// One version of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// As first written.
    pub name: String,
    /// 32 lower-case hexadecimal digits.
    pub version: String,
    /// Empty in listings.
    pub sealed: Vec<u8>,
    pub content_type: Option<String>,
    pub tags: Vec<(String, String)>,
    pub enabled: bool,
    /// Seconds since 1970, as clients give them.
    pub not_before: Option<i64>,
    pub expires: Option<i64>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl std::fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretRow({} {})", self.name, self.version)
    }
}

/// A deleted secret: its newest version, and when it goes for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedSecret {
    pub newest: SecretRow,
    pub deleted: Timestamp,
    pub purge: Timestamp,
}

/// What an update changes; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretChange {
    pub content_type: Option<String>,
    pub tags: Option<Vec<(String, String)>>,
    pub enabled: Option<bool>,
    pub not_before: Option<i64>,
    pub expires: Option<i64>,
}

/// A value that takes the place of another: the version it makes, without what it keeps of the one before.
#[derive(Clone, PartialEq, Eq)]
pub struct NextValue {
    pub name: String,
    /// 32 lower-case hexadecimal digits.
    pub version: String,
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for NextValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NextValue({} {})", self.name, self.version)
    }
}

#[async_trait]
pub trait Secrets: Send + Sync {
    /// Adds a version, which becomes the newest. Answers the name as first written.
    ///
    /// # Errors
    /// `Conflict` while the name is in its deleted state.
    async fn set_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        row: SecretRow,
        audit: AuditRecord,
    ) -> Result<String, StoreError>;

    /// A version with its sealed value, or the newest.
    async fn secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        version: Option<String>,
    ) -> Result<Option<SecretRow>, StoreError>;

    /// All versions of a secret with their sealed values, oldest first, at most `limit`; none when it is not there.
    async fn whole_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError>;

    /// Brings back a secret with these versions, the newest last.
    ///
    /// # Errors
    /// `Exists` while the name is in use, `Conflict` while it is in its deleted state.
    async fn restore_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        rows: Vec<SecretRow>,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Changes attributes of a version, or of the newest.
    ///
    /// # Errors
    /// `Conflict` when the end of its time would not come after the begin.
    async fn update_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        version: Option<String>,
        change: SecretChange,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError>;

    /// Adds a version with another value, which keeps of the newest one at that moment what `change` does not name. Answers
    /// it without the value, or `None` where no secret is there.
    ///
    /// # Errors
    /// `Conflict` when the end of its time would not come after the begin.
    async fn replace_value(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        next: NextValue,
        change: SecretChange,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError>;

    /// The newest version of each secret after the folded name `after`, without values.
    async fn secrets(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        after: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError>;

    /// Versions of a secret, oldest first, after version `after`, without values.
    async fn secret_versions(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        after: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError>;

    /// Puts a secret with all its versions into its deleted state.
    async fn delete_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        at: Timestamp,
        purge: Timestamp,
        audit: AuditRecord,
    ) -> Result<Option<DeletedSecret>, StoreError>;

    async fn deleted_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
    ) -> Result<Option<DeletedSecret>, StoreError>;

    async fn deleted_secrets(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        after: String,
        limit: u32,
    ) -> Result<Vec<DeletedSecret>, StoreError>;

    /// Brings a deleted secret back with all its versions.
    async fn recover_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        audit: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError>;

    /// Removes a deleted secret for good. `false` when there is none.
    async fn purge_secret(
        &self,
        allowed: &Allowed,
        place: VaultPlace,
        name: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Removes what has been deleted for longer than its vault keeps it; answers how many.
    async fn purge_due_secrets(&self, now: Timestamp) -> Result<u64, StoreError>;
}
