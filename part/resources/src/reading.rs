//! Reading one resource over and over, as clients that wait or compare do.
//!
//! What was read is kept where this replica is the only writer of its database: then the count of its own writes says
//! whether anything has changed, and what is kept is what is there. Where replicas share a database it is asked each
//! time, since whoever wrote at one of them must not read the old state at another.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_names::Address;
use cs_rbac::Operation;
use cs_store::{Fresh, Resource};
use quick_cache::{Equivalent, Weighter, sync::Cache};
use serde_json::Value;

use crate::{Manager, ResourceError};

/// All of it together, in bytes: a site on a small machine is 30 MiB altogether.
const KEPT_BYTES: u64 = 4 * 1024 * 1024;
/// A machine or vault with its ids, about.
const USUAL_BYTES: usize = 2048;
const SUBSCRIPTIONS_KEPT: usize = 1024;

/// Tenant and folded id.
type Key = (TenantId, String);

#[derive(Hash)]
struct Asked<'a>(TenantId, &'a str);

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

/// A resource as it was read, with room for what whoever shows it makes of it.
#[derive(Debug)]
pub struct Seen {
    pub resource: Resource,
    /// How it was written for the callers of one address. It goes with the row it was made of.
    pub written: OnceLock<(Address, Bytes)>,
}

impl Seen {
    fn new(resource: Resource) -> Arc<Self> {
        Arc::new(Self { resource, written: OnceLock::new() })
    }
}

/// What was read and is still so.
pub(crate) struct Known {
    resources: Cache<Key, Fresh<Arc<Seen>>, Weight>,
    /// A subscription never changes its tenant, and none goes.
    tenants: Cache<SubscriptionId, TenantId>,
}

impl Default for Known {
    fn default() -> Self {
        let kept = Cache::with_weighter(
            usize::try_from(KEPT_BYTES).unwrap_or(usize::MAX) / USUAL_BYTES,
            KEPT_BYTES,
            Weight,
        );
        Self { resources: kept, tenants: Cache::new(SUBSCRIPTIONS_KEPT) }
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Fresh<Arc<Seen>>> for Weight {
    fn weight(&self, (_, id): &Key, kept: &Fresh<Arc<Seen>>) -> u64 {
        let r = &kept.value.resource;
        let tags: usize = r.tags.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        // Twice: as a document and as text.
        (512 + id.len() * 4 + 2 * (tags + size(&r.extra) + size(&r.properties))) as u64
    }
}

/// About what a document takes in memory, in bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
        Value::String(text) => 32 + text.len(),
        Value::Array(all) => 32 + all.iter().map(size).sum::<usize>(),
        Value::Object(all) => {
            64 + all.iter().map(|(name, value)| 64 + name.len() + size(value)).sum::<usize>()
        }
    }
}

impl Manager {
    /// The resource, or the error that it is not there: to be shown. Whoever changes something reads with
    /// [`Manager::existing`].
    pub async fn shown(&self, op: &Operation, id: &ResourceId) -> Result<Arc<Seen>, ResourceError> {
        if !self.at.resources.is_alone() {
            return self.existing(op, id).await.map(Seen::new);
        }
        let (tenant, now) = (op.caller.tenant, self.at.clock.now());
        let changes = self.at.resources.changes();
        let known = self.known.resources.get(&Asked(tenant, id.key()));
        if let Some(known) = known.filter(|known| known.is_good(changes, now)) {
            return Ok(known.value);
        }
        let found = Seen::new(self.existing(op, id).await?);
        let key = (tenant, id.key().to_owned());
        self.known.resources.insert(key, Fresh::new(Arc::clone(&found), changes, now));
        Ok(found)
    }

    /// Whose subscription it is. Told to anybody who asks: clients learn from it where to sign in (arm.md 2.2).
    pub async fn tenant_of(&self, id: SubscriptionId) -> Result<Option<TenantId>, ResourceError> {
        if let Some(tenant) = self.known.tenants.get(&id) {
            return Ok(Some(tenant));
        }
        let found = self.at.resources.subscription(id).await?.map(|s| s.tenant);
        // One that is not there may come.
        if let Some(tenant) = found {
            self.known.tenants.insert(id, tenant);
        }
        Ok(found)
    }
}
