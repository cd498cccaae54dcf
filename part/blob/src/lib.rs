//! Blob storage: containers and block blobs, content streamed.
//!
//! Content of up to [`INLINE_MAX_BYTES`] lies in the blob's row, so that a small durable put costs one grouped commit;
//! the rest goes to the bytes store first, durably, and only then is the row committed. What a row no longer names is
//! swept later, so that readers of the old content can finish.

mod account;
mod blocks;
mod checks;
mod conditions;
mod containers;
mod error;
mod leases;
mod list;
mod read;
mod sweep;
mod write;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use cs_bytes::BlobBytes;
use cs_ids::TenantId;
use cs_rbac::{Denied, Operation};
use cs_seal::Key;
use cs_store::{AuditRecord, Fresh, Resources};
use cs_time::{Chance, Clock, Timestamp};

pub use account::{Account, DEVELOPMENT_ACCOUNT, DelegationKey};
pub use blocks::{BlockUse, CommittedBlock, NewBlock};
pub use checks::Checks;
pub use conditions::{Conditions, Verdict};
pub use cs_bytes::BytesError;
pub use cs_store::{
    BlobNote, BlobProperties, BlobRow, ContainerRow, Lease, LeaseKey, LeaseRefusal, LeaseState,
};
pub use error::BlobError;
pub use leases::{LeaseAction, LeaseAnswer, LeaseFault};
pub use list::{Listed, Listing};
pub use read::Content;
pub use write::{Incoming, NewBlob};

/// Content up to this size lies in the row.
pub const INLINE_MAX_BYTES: usize = 64 * 1024;

/// What blob storage is made of.
pub struct BlobParts {
    pub resources: Arc<dyn Resources>,
    pub blobs: Arc<dyn cs_store::Blobs>,
    pub bytes: Arc<dyn BlobBytes>,
    /// The opened keys of the tenants.
    pub tenant_keys: HashMap<TenantId, Arc<Key>>,
    /// Whether the emulator's account has its published key.
    pub development: bool,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

/// All accounts of a site.
pub struct Blobs {
    pub(crate) parts: BlobParts,
    /// Where the look for objects nobody knows goes on.
    pub(crate) swept_to: Mutex<String>,
    /// By host label.
    pub(crate) opened: quick_cache::sync::Cache<String, Fresh<Arc<Account>>>,
}

/// Opened accounts remembered.
const OPENED_KEPT: usize = 4096;

impl Blobs {
    pub fn new(parts: BlobParts) -> Self {
        Self { parts, swept_to: Mutex::default(), opened: quick_cache::sync::Cache::new(OPENED_KEPT) }
    }

    /// Records a refusal; durable on return.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn record_denied(&self, op: &Operation, denied: &Denied) -> Result<(), BlobError> {
        Ok(self.parts.blobs.append(vec![AuditRecord::denied(op, denied)]).await?)
    }

    /// A new ETag, without quotes: never the same twice, also within a second.
    pub(crate) fn etag(&self) -> String {
        let mut bytes = [0; 8];
        self.parts.chance.fill(&mut bytes);
        format!("0x8{:015X}", u64::from_be_bytes(bytes) >> 4)
    }

    /// What a request shows of a lease now.
    pub(crate) fn key(&self, lease: Option<&String>) -> LeaseKey {
        LeaseKey { id: lease.cloned(), at: self.parts.clock.now() }
    }

    /// Times of blobs have whole seconds.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.parts.clock.now().seconds())
    }
}
