//! What the product knows of subscriptions, groups, resources, tags and role assignments.
//!
//! One [`Manager`] for all tenants. Every call that changes something takes the [`cs_rbac::Operation`] and the proof
//! [`cs_rbac::Allowed`] that it is permitted, and commits its audit record with the change. Two writers of one
//! resource are told apart by its generation: whoever comes second reads again and applies its change to what is
//! there ([`write`]), so that a lost update cannot happen.
//!
//! | kind | its own rules |
//! | --- | --- |
//! | groups | [`groups`] |
//! | machines (and the identity that comes with one) | [`machines`] |
//! | vaults | [`vaults`], [`vault_rules`], [`policies`] |
//! | storage accounts | [`accounts`], [`account_rules`] |
//! | tags, on anything | [`tags`], [`tag_names`] |
//! | role assignments | [`assignments`], [`scopes`] |

mod account_rules;
mod accounts;
mod assignments;
mod error;
mod groups;
mod input;
mod listing;
mod machines;
mod policies;
mod scopes;
mod subscriptions;
mod tag_names;
mod tags;
mod vault_rules;
mod vaults;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_store::{Assignments, Directory, Resources, StoreError};
use cs_time::{Chance, Clock};

pub use accounts::ACCOUNTS;
pub use assignments::{AssignmentInput, Existing, ListWhich, PrincipalHint, role_guid, simple};
pub use cs_store::{Assignment, Resource, ResourceFilter, Subscription};
pub use error::ResourceError;
pub use groups::GROUPS;
pub use input::{Input, Patch};
pub use listing::Page;
pub use machines::{MACHINES, principal_of};
pub use policies::PolicyChange;
pub use tag_names::{TagName, TagValue};
pub use tags::TagChange;
pub use vaults::{NameVerdict, VAULTS, VaultOptions, scheduled_purge};

/// Makes data keys for vaults and accounts. The key itself never comes here.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// A new data key, wrapped under the tenant's key.
    ///
    /// # Errors
    /// When the tenant's key cannot be read.
    async fn new_wrapped_key(&self, tenant: TenantId) -> Result<Vec<u8>, StoreError>;
}

/// What a [`Manager`] stands on.
#[derive(Clone)]
pub struct Ground {
    pub resources: Arc<dyn Resources>,
    pub assignments: Arc<dyn Assignments>,
    pub directory: Arc<dyn Directory>,
    pub keys: Arc<dyn DataKeys>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

/// Manages resources.
pub struct Manager {
    at: Ground,
}

impl Manager {
    pub fn new(at: Ground) -> Self {
        Self { at }
    }
}
