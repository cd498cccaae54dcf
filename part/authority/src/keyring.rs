//! Signing keys: made, kept sealed, published before they sign, accepted after they are retired.

use std::sync::{Arc, PoisonError, RwLock};

use cs_ids::TenantId;
use cs_jose::{Jwk, PublicKey, RsaKey, Signer};
use cs_seal::Aad;
use cs_store::{SigningKeyRow, StoreError};
use cs_time::Timestamp;

use crate::AuthorityParts;

/// A new key is published this long before it signs, in seconds: verifiers cache the list for a day (sts.md 2.2).
const PUBLISHED_BEFORE_SECONDS: i64 = 24 * 3600;

#[derive(Default)]
pub(crate) struct Keyring(RwLock<Arc<Vec<SigningKey>>>);

pub(crate) struct SigningKey {
    tenant: TenantId,
    kid: String,
    pub(crate) signer: Arc<Signer>,
    public: PublicKey,
    jwk: Jwk,
    signs_from: Timestamp,
    retired: Option<Timestamp>,
}

/// A key as verifiers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    pub kid: String,
    pub jwk: Jwk,
}

fn place(tenant: TenantId, kid: &str) -> Aad {
    Aad::of_signing_key(tenant, kid)
}

impl Keyring {
    pub(crate) async fn load_or_make(
        &self,
        tenant: TenantId,
        parts: &AuthorityParts,
    ) -> Result<(), StoreError> {
        self.load(tenant, parts).await?;
        let now = parts.clock.now();
        let usable = |k: &SigningKey| k.tenant == tenant && k.retired.is_none_or(|r| r > now);
        if !self.all().iter().any(usable) {
            let row = Self::make(tenant, now, parts)?;
            parts.site.add_signing_key(row).await?;
            self.load(tenant, parts).await?;
        }
        Ok(())
    }

    fn make(
        tenant: TenantId,
        signs_from: Timestamp,
        parts: &AuthorityParts,
    ) -> Result<SigningKeyRow, StoreError> {
        let damaged = |cause: &str| StoreError::Damaged { what: "signing key", cause: cause.to_owned() };
        let key = RsaKey::generate().map_err(|_| damaged("it could not be made"))?;
        let kid = key.public().thumbprint();
        let sealing =
            parts.tenant_keys.get(&tenant).ok_or_else(|| damaged("the tenant's key is not open"))?;
        let pkcs8 = key.to_pkcs8().map_err(|_| damaged("it could not be written"))?;
        Ok(SigningKeyRow {
            tenant,
            sealed_key: sealing.seal(&place(tenant, &kid), &pkcs8, &*parts.chance),
            kid,
            certificate: Vec::new(),
            signs_from,
            retired: None,
            created: parts.clock.now(),
        })
    }

    /// Makes the next key of a tenant: it signs in a day, or at once in an emergency. The others retire when the last
    /// token they may still sign has run out; in an emergency at once.
    pub(crate) async fn rotate(
        &self,
        tenant: TenantId,
        at_once: bool,
        parts: &AuthorityParts,
    ) -> Result<String, StoreError> {
        let now = parts.clock.now();
        let signs_from = if at_once { now } else { now.plus_seconds(PUBLISHED_BEFORE_SECONDS) };
        let row = Self::make(tenant, signs_from, parts)?;
        let kid = row.kid.clone();
        parts.site.add_signing_key(row).await?;
        let retired = if at_once { now } else { signs_from.plus_seconds(PUBLISHED_BEFORE_SECONDS) };
        // A key that an earlier rotation gave a day to run out has no such day in an emergency (B33).
        let outlives = |k: &SigningKey| k.retired.is_none_or(|r| at_once && r > retired);
        for old in self.all().iter().filter(|k| k.tenant == tenant && outlives(k)) {
            parts.site.retire_signing_key(tenant, old.kid.clone(), retired).await?;
        }
        self.load(tenant, parts).await?;
        Ok(kid)
    }

    /// Reads a tenant's keys anew; keys that are known already are not opened again.
    pub(crate) async fn load(&self, tenant: TenantId, parts: &AuthorityParts) -> Result<(), StoreError> {
        let rows = parts.site.signing_keys(tenant).await?;
        let known = self.all();
        let mut keys: Vec<SigningKey> = Vec::new();
        for row in rows {
            let old = known.iter().find(|k| k.tenant == tenant && k.kid == row.kid);
            keys.push(match old {
                Some(old) => old.again(row.signs_from, row.retired),
                None => open(row, parts)?,
            });
        }
        keys.extend(known.iter().filter(|k| k.tenant != tenant).map(|k| k.again(k.signs_from, k.retired)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }

    fn all(&self) -> Arc<Vec<SigningKey>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs now: the newest that may.
    pub(crate) fn signer(&self, tenant: TenantId, now: Timestamp) -> Option<Arc<Signer>> {
        let all = self.all();
        let fit = all
            .iter()
            .filter(|k| k.tenant == tenant && k.signs_from <= now && k.retired.is_none_or(|r| r > now));
        fit.max_by_key(|k| k.signs_from).map(|k| Arc::clone(&k.signer))
    }

    /// The key a token names, with its tenant; retired ones no more (B33).
    pub(crate) fn public(&self, kid: &str, now: Timestamp) -> Option<(TenantId, PublicKey)> {
        let all = self.all();
        let found = all.iter().find(|k| k.kid == kid && k.retired.is_none_or(|r| r > now))?;
        Some((found.tenant, found.public.clone()))
    }

    /// Whether tokens of this key are still accepted.
    pub(crate) fn accepts(&self, kid: &str, now: Timestamp) -> bool {
        self.all().iter().any(|k| k.kid == kid && k.retired.is_none_or(|r| r > now))
    }

    pub(crate) fn published(&self, tenant: TenantId, now: Timestamp) -> Vec<PublishedKey> {
        let all = self.all();
        let fit = all.iter().filter(|k| k.tenant == tenant && k.retired.is_none_or(|r| r > now));
        fit.map(|k| PublishedKey { kid: k.kid.clone(), jwk: k.jwk.clone() }).collect()
    }
}

impl SigningKey {
    fn again(&self, signs_from: Timestamp, retired: Option<Timestamp>) -> Self {
        Self {
            tenant: self.tenant,
            kid: self.kid.clone(),
            signer: Arc::clone(&self.signer),
            public: self.public.clone(),
            jwk: self.jwk.clone(),
            signs_from,
            retired,
        }
    }
}

fn open(row: SigningKeyRow, parts: &AuthorityParts) -> Result<SigningKey, StoreError> {
    let damaged =
        || StoreError::Damaged { what: "signing key", cause: format!("{} cannot be opened", row.kid) };
    let sealing = parts.tenant_keys.get(&row.tenant).ok_or_else(damaged)?;
    let pkcs8 = sealing.open(&place(row.tenant, &row.kid), &row.sealed_key).map_err(|_| damaged())?;
    let key = RsaKey::from_pkcs8(&pkcs8).map_err(|_| damaged())?;
    let jwk = key.public();
    Ok(SigningKey {
        tenant: row.tenant,
        public: jwk.public_key().ok_or_else(damaged)?,
        jwk,
        signer: Arc::new(Signer::authority(key, &row.kid)),
        kid: row.kid,
        signs_from: row.signs_from,
        retired: row.retired,
    })
}

impl crate::Authority {
    /// Makes a new signing key (see `countersign keys rotate`); `at_once` is for emergencies: tokens of the old keys
    /// are refused from now on. Answers the new key's id.
    ///
    /// # Errors
    /// The store's.
    pub async fn rotate_keys(&self, tenant: TenantId, at_once: bool) -> Result<String, StoreError> {
        let kid = self.keyring.rotate(tenant, at_once, &self.parts).await?;
        if at_once {
            self.verified.clear();
        }
        Ok(kid)
    }
}
