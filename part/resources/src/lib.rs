//! What the product knows of subscriptions, groups, resources, tags and role assignments.
//!
//! One [`Manager`] for all tenants. Every call that changes something takes the [`cs_rbac::Operation`] and the proof
//! [`cs_rbac::Allowed`] that it is permitted, and commits its audit record with the change. Two writers of one
//! resource are told apart by its generation: whoever comes second reads again and applies its change to what is
//! there ([`write`]), so that a lost update cannot happen.
//!
//! | kind | its own rules |
//! | --- | --- |
//! | what all kinds share | [`kinds`], [`write`], [`reading`] |
//! | groups | [`groups`] |
//! | machines, the identity that comes with one and those attached, join tokens | [`machines`] |
//! | user-assigned identities | [`identities`] |
//! | vaults | [`vaults`] |
//! | storage accounts and their keys | [`accounts`] |
//! | database servers and who may be which role there | [`servers`] |
//! | tags, on anything | [`tags`] |
//! | role assignments, custom roles, deny assignments | [`assignments`], [`roles`], [`denies`], [`scopes`] |
//! | locks | [`locks`] |
//! | moving resources | [`moves`] |
//! | the activity log | [`activity`] |
//! | taking over what was made elsewhere | [`adopt`] |

mod accounts;
mod activity;
mod adopt;
mod assignments;
mod denies;
mod error;
mod groups;
mod identities;
mod input;
mod kinds;
mod listing;
mod locks;
mod machines;
mod moves;
mod reading;
mod roles;
mod scopes;
mod servers;
mod subscriptions;
mod tags;
mod vaults;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ServerName, TenantId};
use cs_store::{
    AccessRules, Assignments, AuditLog, Directory, FederatedCredentials, JoinTokens, Locks, MachineKeyRing,
    Resources, Site, StoreError,
};
use cs_time::{Chance, Clock, Timestamp};

pub use accounts::{ACCOUNTS, AccountKey};
pub use activity::Activity;
pub use adopt::{KnownIds, known_object};
pub use assignments::{AssignmentInput, Existing, ListWhich, PrincipalHint, role_guid, simple};
pub use cs_store::{
    Assignment, DenyRow, FederatedCredential, JoinToken, Lock, LockLevel, Part, Place, PrincipalKind,
    Resource, ResourceFilter, Subscription, Tenant,
};
pub use error::ResourceError;
pub use groups::GROUPS;
pub use identities::IDENTITIES;
pub use input::{Input, Patch, When};
pub use listing::Page;
pub use locks::Deed;
pub use machines::{Attachments, EXTENSIONS, JoinText, MACHINES, principal_of};
pub use reading::Seen;
pub use roles::{KnownRole, Made, RoleInput};
pub use servers::SERVERS;
pub use tags::{TagChange, TagName, TagValue};
pub use vaults::{NameVerdict, PolicyChange, VAULTS, VaultOptions, scheduled_purge};

/// Makes data keys for vaults and accounts. The key itself never comes here.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// A new data key, wrapped under the tenant's key.
    ///
    /// # Errors
    /// When the tenant's key cannot be read.
    async fn new_wrapped_key(&self, tenant: TenantId) -> Result<Vec<u8>, StoreError>;

    /// The shared key of an account that follows from its wrapped data key, base64 of 64 bytes. `which` names the key
    /// and when it was made: another time is another key.
    ///
    /// # Errors
    /// When the data key cannot be opened.
    fn account_key(
        &self,
        tenant: TenantId,
        wrapped: &[u8],
        account: &str,
        which: (&str, &str),
    ) -> Result<String, StoreError>;

    /// The certificate (PEM) of the authority whose key comes of a server's data key; `None` where no gateway
    /// belongs to the site.
    fn client_authority(
        &self,
        _tenant: TenantId,
        _wrapped: &[u8],
        _server: &ServerName,
        _now: Timestamp,
    ) -> Option<String> {
        None
    }
}

/// What a [`Manager`] stands on.
#[derive(Clone)]
pub struct Ground {
    pub site: Arc<dyn Site>,
    pub resources: Arc<dyn Resources>,
    pub assignments: Arc<dyn Assignments>,
    pub rules: Arc<dyn AccessRules>,
    pub locks: Arc<dyn Locks>,
    pub log: Arc<dyn AuditLog>,
    pub directory: Arc<dyn Directory>,
    pub federated: Arc<dyn FederatedCredentials>,
    pub joining: Arc<dyn JoinTokens>,
    pub machine_keys: Arc<dyn MachineKeyRing>,
    pub keys: Arc<dyn DataKeys>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

/// Manages resources.
pub struct Manager {
    at: Ground,
    known: reading::Known,
}

impl Manager {
    pub fn new(at: Ground) -> Self {
        Self { at, known: reading::Known::default() }
    }
}
