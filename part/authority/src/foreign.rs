//! Other issuers' keys: found by discovery, kept, and fetched anew no more often than their owners can bear.
//!
//! Only issuers that a federated credential names are ever asked, and they are known by the very text that was stored
//! (B23). What comes back is bounded and believed only where it says that it is of that issuer (B18).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use cs_jose::{Jwk, PublicKey};
use cs_time::Timestamp;
use serde_json::Value;

/// Gets a document of another party. Whoever does it guards against what an address may lead to (B17).
#[async_trait]
pub trait Documents: Send + Sync {
    /// # Errors
    /// Why there is no document, for the log.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// Keys are asked for anew after this many seconds.
const FRESH_SECONDS: i64 = 3600;
/// While the issuer is away, the last keys it had count for so long, in seconds (B21).
const KEPT_SECONDS: i64 = 24 * 3600;
/// An issuer is asked at most once in so many seconds, however many unknown keys are named (B22).
const ASK_EVERY_SECONDS: i64 = 30;
/// Keys of one issuer at most; real ones have a handful (B20).
const KEYS_MAX: usize = 100;
/// Issuers remembered at most.
const ISSUERS_MAX: usize = 1024;

/// Why a foreign token cannot be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The issuer publishes no such key.
    Unknown,
    /// The issuer could not be asked, and what it said before is too old.
    Unavailable,
}

#[derive(Default)]
pub(crate) struct ForeignKeys(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>);

#[derive(Default)]
struct Known {
    keys: Vec<(Option<String>, PublicKey)>,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

impl ForeignKeys {
    /// The key an issuer publishes under a name. Askers of one issuer wait for each other: one of them fetches.
    pub(crate) async fn key(
        &self,
        issuer: &str,
        kid: Option<&str>,
        documents: &dyn Documents,
        now: Timestamp,
    ) -> Result<PublicKey, NoKey> {
        let known = self.of(issuer);
        let mut known = known.lock().await;
        let within =
            |at: Option<Timestamp>, seconds: i64| at.is_some_and(|at| now < at.plus_seconds(seconds));
        let found = known.named(kid).filter(|_| within(known.fetched, FRESH_SECONDS));
        if let Some(key) = found {
            return Ok(key);
        }
        if !within(known.tried, ASK_EVERY_SECONDS) {
            known.tried = Some(now);
            match published(issuer, documents).await {
                Ok(keys) => {
                    known.keys = keys;
                    known.fetched = Some(now);
                }
                Err(why) => tracing::warn!(issuer, why, "the keys of another issuer could not be read"),
            }
        }
        if !within(known.fetched, KEPT_SECONDS) {
            return Err(NoKey::Unavailable);
        }
        known.named(kid).ok_or(NoKey::Unknown)
    }

    fn of(&self, issuer: &str) -> Arc<tokio::sync::Mutex<Known>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ISSUERS_MAX && !all.contains_key(issuer) {
            all.clear();
        }
        Arc::clone(all.entry(issuer.to_owned()).or_default())
    }
}

impl Known {
    /// A token that names no key is of the only one there is.
    fn named(&self, kid: Option<&str>) -> Option<PublicKey> {
        match kid {
            Some(kid) => self.keys.iter().find(|(k, _)| k.as_deref() == Some(kid)),
            None => self.keys.first().filter(|_| self.keys.len() == 1),
        }
        .map(|(_, key)| key.clone())
    }
}

async fn published(
    issuer: &str,
    documents: &dyn Documents,
) -> Result<Vec<(Option<String>, PublicKey)>, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let discovery = documents.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
    let discovery: Value = serde_json::from_slice(&discovery).map_err(|e| format!("discovery: {e}"))?;
    let text = |name: &str| discovery.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err("its discovery document is of another issuer".to_owned());
    }
    let url = text("jwks_uri").filter(|url| url.starts_with("https://")).ok_or("it names no jwks_uri")?;
    let keys = documents.fetch(url).await?;
    let keys: Value = serde_json::from_slice(&keys).map_err(|e| format!("keys: {e}"))?;
    let all = keys.get("keys").and_then(Value::as_array).ok_or("it publishes no keys")?;
    if all.len() > KEYS_MAX {
        return Err(format!("it publishes {} keys", all.len()));
    }
    Ok(usable(all))
}

/// Keys that verify signatures. A name that comes twice names nothing.
fn usable(all: &[Value]) -> Vec<(Option<String>, PublicKey)> {
    let kid = |key: &Value| key.get("kid").and_then(Value::as_str).map(str::to_owned);
    let once = |key: &&Value| kid(key).is_none() || all.iter().filter(|k| kid(k) == kid(key)).count() == 1;
    let signs = |key: &&Value| key.get("use").and_then(Value::as_str).is_none_or(|u| u == "sig");
    all.iter()
        .filter(once)
        .filter(signs)
        .filter_map(|key| Some((kid(key), serde_json::from_value::<Jwk>(key.clone()).ok()?.public_key()?)))
        .collect()
}
