//! What belongs to the site as a whole: tenants, signing keys, settings.

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_time::Timestamp;

use crate::{
    Application, Assignment, AuditRecord, Credential, Principal, Resource, StoreError, Subscription,
};

/// A tenant and its wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub display_name: String,
    /// A domain name by which clients may call the tenant, e.g. `countersign.localhost`.
    pub domain: String,
    /// The tenant's key, wrapped under the root key (`cs_seal`).
    pub wrapped_key: Vec<u8>,
    pub created: Timestamp,
}

/// A token signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    pub tenant: TenantId,
    /// `kid` and `x5t` of tokens.
    pub kid: String,
    /// PKCS#8 sealed under the tenant's key.
    pub sealed_key: Vec<u8>,
    /// Self-signed certificate, DER (`x5c` of the JWKS).
    pub certificate: Vec<u8>,
    /// Signs from this time on.
    pub signs_from: Timestamp,
    /// No longer accepted from this time on; `None` while in use.
    pub retired: Option<Timestamp>,
    pub created: Timestamp,
}

impl std::fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKeyRow({})", self.kid)
    }
}

/// What the first start of a site makes, all of it or nothing: a crash in between must not leave an operator whose
/// secret nobody has.
#[derive(Debug, Clone)]
pub struct Planting {
    pub tenant: Tenant,
    pub subscription: Subscription,
    pub group: Resource,
    pub operator: Principal,
    /// The application the operator acts for.
    pub registration: Application,
    pub credential: Credential,
    pub assignment: Assignment,
    /// Name and value of the setting that says that it is done.
    pub done: (String, String),
    pub audit: Vec<AuditRecord>,
}

#[async_trait]
pub trait Site: Send + Sync {
    /// Makes what a site begins with.
    ///
    /// # Errors
    /// `Exists` when another replica was faster: then nothing of this one is there.
    async fn plant(&self, planting: Planting) -> Result<(), StoreError>;

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError>;

    async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError>;

    /// A small named value of the site.
    async fn setting(&self, name: String) -> Result<Option<String>, StoreError>;

    async fn set_setting(&self, name: String, value: String) -> Result<(), StoreError>;

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKeyRow>, StoreError>;

    async fn add_signing_key(&self, key: SigningKeyRow) -> Result<(), StoreError>;

    async fn retire_signing_key(
        &self,
        tenant: TenantId,
        kid: String,
        at: Timestamp,
    ) -> Result<(), StoreError>;
}
