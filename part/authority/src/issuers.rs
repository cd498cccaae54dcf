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
    /// Only ever grows: a list read before a name was added must not take the name away again.
    known: RwLock<Vec<String>>,
    /// Held while a name is added: two new names at once would each write a list without the other.
    adding: tokio::sync::Mutex<()>,
}

/// The part of an issuer before the tenant: `https://login.S[:port]`.
pub(crate) fn base(address: &Address) -> String {
    if address.names().is_cloud() { CLOUD.to_owned() } else { address.login() }
}

/// What v2 tokens and discovery name: under the public cloud's names too it is the login host.
pub(crate) fn v2(address: &Address, tenant: &str) -> String {
    format!("{}/{tenant}/v2.0", address.login())
}

impl Issuers {
    pub(crate) async fn load(site: &dyn Site) -> Result<Self, StoreError> {
        let issuers = Self::default();
        issuers.reload(site).await?;
        Ok(issuers)
    }

    /// Picks up names that other replicas have issued under, and writes again what their writing has lost of ours.
    pub(crate) async fn reload(&self, site: &dyn Site) -> Result<(), StoreError> {
        let stored = read(site).await?;
        let ours = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if ours.iter().any(|name| !stored.contains(name)) {
            self.write(&ours, site).await?;
        }
        self.learn(stored);
        Ok(())
    }

    /// Makes sure that tokens issued under this name will be accepted, also after a restart.
    pub(crate) async fn remember(&self, base: &str, site: &dyn Site) -> Result<(), StoreError> {
        let name = portless(base);
        if self.knows(name) {
            return Ok(());
        }
        self.write(&[name.to_owned()], site).await
    }

    async fn write(&self, names: &[String], site: &dyn Site) -> Result<(), StoreError> {
        let _one_at_a_time = self.adding.lock().await;
        let mut all = read(site).await?;
        let new: Vec<String> = names.iter().filter(|name| !all.contains(name)).cloned().collect();
        if all.len() + new.len() > KEPT {
            return Err(StoreError::Conflict("the list of issuers is full, which".to_owned()));
        }
        if !new.is_empty() {
            all.extend(new);
            site.set_setting(SETTING.to_owned(), serde_json::json!(all).to_string()).await?;
        }
        self.learn(all);
        Ok(())
    }

    fn learn(&self, names: Vec<String>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }

    fn knows(&self, base: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == base)
    }

    /// Whether `iss` is one of ours for this tenant, v1 or v2.
    pub(crate) fn accept(&self, iss: &str, tenant: TenantId) -> bool {
        accepts(iss, tenant, &self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether `iss` is a tenant's at one of these names.
pub(crate) fn accepts(iss: &str, tenant: TenantId, names: &[String]) -> bool {
    let of_tenant = |suffix: &str| iss.strip_suffix(suffix)?.strip_suffix(&format!("/{tenant}"));
    let base = of_tenant("/v2.0").or_else(|| of_tenant("/"));
    base.is_some_and(|base| names.iter().any(|name| name == portless(base)))
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
