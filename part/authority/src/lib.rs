//! The token authority: signing keys, token requests, verification.
//!
//! A caller proves itself with a secret or a signed assertion ([`Proof`]), names a resource, and gets a signed token
//! ([`Authority::token`]). A resource shows a token and hears who the caller is ([`TokenCheck::check`]). Neither
//! writes to the database: what must be remembered of one-time assertions is in memory for their five minutes, and
//! sign-ins are audited in groups ([`SignIns`]).

mod assertion;
mod attached;
mod attest;
mod check;
mod claims;
mod error;
mod federated;
mod foreign;
mod issuers;
mod keyring;
mod machine;
mod published;
mod request;
mod resource;
mod verifier;

use std::{collections::HashMap, sync::Arc};

use cs_ids::{ObjectId, TenantId};
use cs_seal::Key;
use cs_store::{
    AuditRecord, Directory, FederatedCredentials, MachineKeyRing, Resources, Site, StoreError, Tenant,
};
use cs_time::{Chance, Clock};

pub use attest::{ATTESTED, Attested, attestable};
pub use check::{Audiences, TokenCheck, TokenRefusal};
pub use error::AuthorityError;
pub use foreign::Documents;
pub use keyring::PublishedKey;
pub use machine::{HEARTBEAT, NEXT_KEY, Statement};
pub use published::{Published, PublishedSite};
pub use request::{IssuedToken, Proof, TenantName, TokenRequest};
pub use resource::KnownResource;

use self::{
    assertion::UsedAssertions, foreign::ForeignKeys, issuers::Issuers, keyring::Keyring, verifier::Verified,
};

/// Whether a principal may act right now; answered from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    Gone,
    Unconfirmed,
}

/// The live directory, as the access part holds it.
pub trait LiveDirectory: Send + Sync {
    fn standing(&self, tenant: TenantId, object: ObjectId) -> Standing;
}

/// Where sign-ins are recorded, in groups of at most a second.
pub trait SignIns: Send + Sync {
    fn record(&self, record: AuditRecord);
}

/// What an authority is made of.
pub struct AuthorityParts {
    pub site: Arc<dyn Site>,
    pub directory: Arc<dyn Directory>,
    pub federated: Arc<dyn FederatedCredentials>,
    pub resources: Arc<dyn Resources>,
    pub machine_keys: Arc<dyn MachineKeyRing>,
    /// Other issuers' discovery documents and keys.
    pub documents: Arc<dyn Documents>,
    pub live: Arc<dyn LiveDirectory>,
    pub sign_ins: Arc<dyn SignIns>,
    /// The opened keys of the tenants.
    pub tenant_keys: HashMap<TenantId, Arc<Key>>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
}

/// The authority of a site, for all its tenants.
pub struct Authority {
    pub(crate) parts: AuthorityParts,
    tenants: Vec<Tenant>,
    pub(crate) keyring: Keyring,
    pub(crate) issuers: Issuers,
    pub(crate) used: UsedAssertions,
    pub(crate) foreign: ForeignKeys,
    pub(crate) verified: quick_cache::sync::Cache<[u8; 32], Arc<Verified>>,
}

/// Verified tokens remembered, each under a kilobyte.
const VERIFIED_KEPT: usize = 16_384;

impl Authority {
    /// Opens the authority; a tenant without a signing key gets its first one, which signs at once.
    ///
    /// # Errors
    /// The store's, and [`StoreError::Damaged`] for a key that the tenant's key does not open.
    pub async fn open(parts: AuthorityParts) -> Result<Self, StoreError> {
        let tenants = parts.site.tenants().await?;
        let keyring = Keyring::default();
        for tenant in &tenants {
            keyring.load_or_make(tenant.id, &parts).await?;
        }
        let issuers = Issuers::load(&*parts.site).await?;
        let verified = quick_cache::sync::Cache::new(VERIFIED_KEPT);
        Ok(Self {
            parts,
            tenants,
            keyring,
            issuers,
            used: UsedAssertions::default(),
            foreign: ForeignKeys::default(),
            verified,
        })
    }

    /// The tenant a client names in the path: its id, its domain, or `adfs`, `common`, `organizations` for the first
    /// tenant of the site (sts.md 1).
    ///
    /// # Errors
    /// [`AuthorityError::MalformedTenant`], [`AuthorityError::UnknownTenant`].
    pub fn tenant(&self, name: &str) -> Result<TenantName, AuthorityError> {
        let folded = name.to_ascii_lowercase();
        let word = matches!(folded.as_str(), "adfs" | "common" | "organizations");
        if let Some(first) = self.tenants.first().filter(|_| word) {
            return Ok(TenantName { id: first.id, written: folded, by_word: true });
        }
        let found = match folded.parse::<TenantId>() {
            Ok(id) => self.tenants.iter().find(|t| t.id == id),
            Err(_) if folded.contains('.') => self.tenants.iter().find(|t| t.domain == folded),
            Err(_) => return Err(AuthorityError::MalformedTenant(name.chars().take(64).collect())),
        };
        let found = found.ok_or_else(|| AuthorityError::UnknownTenant(folded.chars().take(64).collect()))?;
        Ok(TenantName { id: found.id, written: folded, by_word: false })
    }

    /// What v1 tokens issued at this address name as issuer, before the tenant: the v1 discovery document says the same.
    pub fn issuer_base(&self, address: &cs_names::Address) -> String {
        issuers::base(address)
    }

    /// Names that tokens have been issued under, without ports; all of them are accepted.
    pub fn issuer_names(&self) -> Vec<String> {
        self.issuers.names()
    }

    /// The keys verifiers may meet: published ones, and retired ones until their last token ran out.
    pub fn published_keys(&self, tenant: TenantId) -> Vec<PublishedKey> {
        self.keyring.published(tenant, self.parts.clock.now())
    }

    /// Picks up signing keys and issuers that other replicas have made.
    ///
    /// # Errors
    /// The store's.
    pub async fn reload(&self) -> Result<(), StoreError> {
        for tenant in &self.tenants {
            self.keyring.load(tenant.id, &self.parts).await?;
        }
        self.issuers.reload(&*self.parts.site).await
    }
}
