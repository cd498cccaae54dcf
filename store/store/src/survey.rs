//! Everything that is kept, row by row: for copies of a site and for checking one.

use async_trait::async_trait;
use cs_ids::TenantId;

use crate::{BlobRow, BlockRow, HostKind, StoreError};

/// Where a walk over rows goes on: the key of the last row, empty at the beginning.
pub type Mark = Vec<String>;

/// A sealed version of a secret, with what its sealing is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    pub tenant: TenantId,
    /// Folded resource id of the vault.
    pub vault: String,
    /// Folded.
    pub name: String,
    pub version: String,
    pub sealed: Vec<u8>,
}

/// A vault, account or database server: its host and its wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    pub tenant: TenantId,
    /// Folded resource id.
    pub resource: String,
    /// The folded id its values were sealed for: where it was made.
    pub sealed_as: String,
    pub kind: HostKind,
    /// The first label of its host.
    pub label: String,
    pub wrapped: Vec<u8>,
}

/// Walks in the order of keys, a page at a time: the rows behind `after`, at most `limit`, and where the next page
/// begins. A page that is not full is the last.
#[async_trait]
pub trait Survey: Send + Sync {
    /// Blobs of all accounts, with inline content.
    async fn all_blobs(&self, after: Mark, limit: u32) -> Result<(Vec<BlobRow>, Mark), StoreError>;

    /// Blocks nobody has committed yet.
    async fn all_blocks(&self, after: Mark, limit: u32) -> Result<(Vec<BlockRow>, Mark), StoreError>;

    async fn all_secrets(&self, after: Mark, limit: u32) -> Result<(Vec<SealedSecret>, Mark), StoreError>;

    async fn all_data_keys(&self, after: Mark, limit: u32) -> Result<(Vec<WrappedKey>, Mark), StoreError>;
}
