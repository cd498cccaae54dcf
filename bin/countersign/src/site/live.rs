//! What this host's machine resource says now: its facts and the identities it may act as.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cs_broker::{Facts, Identity, MachineFacts, host};
use cs_ids::{ResourceId, TenantId};
use cs_store::{AttachedIdentity, Fresh, Resource, Resources, attached_identities};
use cs_time::Clock;

/// The machine's resource as it is now; what follows from it is made anew only when it has changed.
pub struct Live {
    pub resources: Arc<dyn Resources>,
    pub tenant: TenantId,
    pub id: ResourceId,
    /// The system-assigned one.
    pub identity: Identity,
    pub clock: Arc<dyn Clock>,
    pub known: Mutex<Option<Fresh<Option<Known>>>>,
}

/// What one generation of the resource says.
#[derive(Clone)]
pub struct Known {
    generation: i64,
    facts: Arc<Facts>,
    identities: Arc<[Identity]>,
}

#[async_trait]
impl MachineFacts for Live {
    async fn facts(&self) -> Option<Arc<Facts>> {
        self.now().await.map(|known| known.facts)
    }

    async fn identities(&self) -> Arc<[Identity]> {
        let known = self.now().await.map(|known| known.identities);
        known.unwrap_or_else(|| [self.identity.clone()].into())
    }
}

impl Live {
    /// `None` where there is no such resource.
    async fn now(&self) -> Option<Known> {
        let (changes, now) = (self.resources.changes(), self.clock.now());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = match known {
            Some(known) if known.is_good(changes, now) => return known.value,
            other => other.and_then(|known| known.value),
        };
        let found = match self.resources.resource(self.tenant, self.id.clone()).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the machine's resource could not be read");
                return known;
            }
        };
        let now_known = found.map(|resource| {
            known.filter(|known| known.generation == resource.generation).unwrap_or_else(|| Known {
                generation: resource.generation,
                facts: Arc::new(self.describe(&resource)),
                identities: self.identities_of(&resource),
            })
        });
        let fresh = Fresh::new(now_known.clone(), changes, now);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        now_known
    }

    fn identities_of(&self, resource: &Resource) -> Arc<[Identity]> {
        let attached = attached_identities(resource).into_iter().filter_map(as_identity);
        std::iter::once(self.identity.clone()).chain(attached).collect()
    }

    fn describe(&self, resource: &Resource) -> Facts {
        let text = |name: &str| {
            resource.properties.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
        };
        Facts {
            name: resource.id.name().to_owned(),
            location: resource.location.clone(),
            resource_group: resource.id.group().unwrap_or_default().to_owned(),
            subscription_id: resource.id.subscription().to_string(),
            resource_id: resource.id.to_string(),
            tenant_id: self.tenant.to_string(),
            vm_id: text("vmId"),
            tags: resource.tags.clone(),
            os_name: text("osName"),
            os_version: text("osVersion"),
            interfaces: host::interfaces(),
            environment: String::new(),
        }
    }
}

fn as_identity(attached: AttachedIdentity) -> Option<Identity> {
    Some(Identity {
        client: attached.client.parse().ok()?,
        object: attached.object.parse().ok()?,
        resource: attached.resource,
        system_assigned: false,
    })
}
