//! The names this site has ever issued tokens under: a changed port or suffix orphans no token (design.md, Trust).
//!
//! Names are kept without their port. The port in a `Host` header is the caller's word, and a list of ports could be
//! filled by anybody who may ask for a token; that a token is ours is proven by its signature, not by its port.

use std::sync::{PoisonError, RwLock};

use cs_ids::TenantId;
use cs_names::Address;
use cs_store::{Site, StoreError};

const SETTING: &str = "issuers";
/// More names than a site ever has: they change with its suffix, which only its owner chooses.
const KEPT: usize = 64;
/// What the public cloud's verifiers expect in v1 tokens (sts.md 6), only under its own names.
const CLOUD: &str = "https://sts.windows.net";

#[derive(Default)]
pub(crate) struct Issuers {
    known: RwLock<Vec<String>>,
    /// Held while a name is added: two new names at once would each write a list without the other.
    adding: tokio::sync::Mutex<()>,
}

/// The part of an issuer before the tenant: `https://login.S[:port]`.
pub(crate) fn base(address: &Address) -> String {
    if address.names().is_cloud() { CLOUD.to_owned() } else { address.login() }
}

impl Issuers {
    pub(crate) async fn load(site: &dyn Site) -> Result<Self, StoreError> {
        let issuers = Self::default();
        issuers.reload(site).await?;
        Ok(issuers)
    }

    pub(crate) async fn reload(&self, site: &dyn Site) -> Result<(), StoreError> {
        let stored = read(site).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = stored;
        Ok(())
    }

    /// Makes sure that tokens issued under this name will be accepted, also after a restart.
    pub(crate) async fn remember(&self, base: &str, site: &dyn Site) -> Result<(), StoreError> {
        let base = portless(base);
        if self.knows(base) {
            return Ok(());
        }
        let _one_at_a_time = self.adding.lock().await;
        let mut all = read(site).await?;
        if !all.iter().any(|known| known == base) {
            if all.len() >= KEPT {
                return Err(StoreError::Conflict("the list of issuers is full, which".to_owned()));
            }
            all.push(base.to_owned());
            site.set_setting(SETTING.to_owned(), serde_json::json!(all).to_string()).await?;
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    fn knows(&self, base: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == base)
    }

    /// Whether `iss` is one of ours for this tenant, v1 or v2.
    pub(crate) fn accept(&self, iss: &str, tenant: TenantId) -> bool {
        let of_tenant = |suffix: &str| iss.strip_suffix(suffix)?.strip_suffix(&format!("/{tenant}"));
        of_tenant("/v2.0").or_else(|| of_tenant("/")).is_some_and(|base| self.knows(portless(base)))
    }
}

/// `https://login.S` of `https://login.S:8443`.
fn portless(base: &str) -> &str {
    match base.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => base,
    }
}

/// The stored list; lists of earlier versions hold ports.
async fn read(site: &dyn Site) -> Result<Vec<String>, StoreError> {
    let text = site.setting(SETTING.to_owned()).await?.unwrap_or_else(|| "[]".to_owned());
    let stored: Vec<String> = serde_json::from_str(&text)
        .map_err(|e| StoreError::Damaged { what: "list of issuers", cause: e.to_string() })?;
    let mut names: Vec<String> = stored.iter().map(|base| portless(base).to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
