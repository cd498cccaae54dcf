//! Vaults: secrets with versions, sealed under the vault's own key, deleted softly.
//!
//! [`Vaults::open`] finds the vault a host names. What a caller may do there is decided outside, by roles or by the
//! vault's access policies ([`OpenVault::rbac`]); every call takes the proof of it.

mod backup;
mod deleted;
mod error;
mod open;
mod secret;

use std::{collections::HashMap, sync::Arc};

use cs_ids::TenantId;
use cs_seal::{Aad, Key};
use cs_store::{AuditLog, Fresh, Resources, Secrets};
use cs_time::{Chance, Clock};

pub use backup::BACKUP_MAX_BYTES;
pub use cs_store::{AuditRecord, SecretChange, SecretRow};
pub use deleted::Deleted;
pub use error::VaultError;
pub use open::OpenVault;
pub use secret::{NewSecret, Secret, VALUE_MAX_BYTES};

/// What vaults are made of.
pub struct VaultParts {
    pub resources: Arc<dyn Resources>,
    pub secrets: Arc<dyn Secrets>,
    pub audit: Arc<dyn AuditLog>,
    /// The opened keys of the tenants.
    pub tenant_keys: HashMap<TenantId, Arc<Key>>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

/// All vaults of a site.
pub struct Vaults {
    pub(crate) parts: VaultParts,
    /// By host label.
    opened: quick_cache::sync::Cache<String, Fresh<Arc<OpenVault>>>,
}

/// Opened vaults remembered.
const OPENED_KEPT: usize = 4096;

impl Vaults {
    pub fn new(parts: VaultParts) -> Self {
        Self { parts, opened: quick_cache::sync::Cache::new(OPENED_KEPT) }
    }
}

/// What a wrapped data key is bound to; whoever makes one (creating a vault or an account) wraps it here.
pub fn data_key_place(tenant: TenantId) -> Aad {
    Aad::of_data_key(tenant)
}
