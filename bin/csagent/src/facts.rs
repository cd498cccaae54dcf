//! The machine's facts: from the registration, kept fresh from its own resource at the site.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use cs_broker::{Facts, Identity, MachineFacts};
use cs_time::{Clock, MachineClock};
use reqwest::Method;
use serde_json::Value;

use crate::{
    failure::Failure,
    host, site,
    site::SiteIssuer,
    state::{Place, State},
};

/// The registration as it is now.
pub struct Live {
    place: Place,
    state: Mutex<State>,
    facts: RwLock<Arc<Facts>>,
    identity: Identity,
    client: reqwest::Client,
    issuer: Arc<SiteIssuer>,
}

impl Live {
    pub fn new(place: Place, state: State, issuer: Arc<SiteIssuer>) -> Result<Self, Failure> {
        let bad = |what: &str| Failure::failed(format!("the registration's {what} cannot be read"));
        let identity = Identity {
            client: state.client_id.parse().map_err(|_| bad("client id"))?,
            object: state.principal_id.parse().map_err(|_| bad("principal id"))?,
            resource: state.resource_id.clone(),
            system_assigned: true,
        };
        let client = site::client(state.ca.as_deref())?;
        let facts = RwLock::new(Arc::new(describe(&state)));
        Ok(Self { place, state: Mutex::new(state), facts, identity, client, issuer })
    }

    /// Asks the site for this machine's own resource: its tags, and a sign of life.
    pub async fn refresh(&self) -> Result<(), Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let token = self.issuer.token(&state.audience).await.map_err(|e| Failure::failed(e.to_string()))?;
        let url = format!("{}{}?api-version=2024-07-31-preview", state.site, state.resource_id);
        let own = site::call(
            &self.client,
            "reading the machine's resource",
            Method::GET,
            &url,
            Some(&token.access_token),
            None,
        );
        let own = own.await?;
        state.last_heartbeat = Some(MachineClock.now().rfc3339());
        state.tags = tags_of(&own);
        let facts = describe(&state);
        let mut known = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if **known != facts {
            *known = Arc::new(facts);
        }
        drop(known);
        self.place.save(&state)?;
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(())
    }
}

#[async_trait]
impl MachineFacts for Live {
    async fn facts(&self) -> Option<Arc<Facts>> {
        Some(Arc::clone(&self.facts.read().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn identities(&self) -> Vec<Identity> {
        vec![self.identity.clone()]
    }
}

/// The tags of a resource, in its order.
pub fn tags_of(resource: &Value) -> Vec<(String, String)> {
    let pairs = resource.get("tags").and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    pairs.map(|all| all.iter().filter_map(text).collect()).unwrap_or_default()
}

fn describe(state: &State) -> Facts {
    let (os_name, os_version) = host::operating_system();
    Facts {
        name: state.resource_name.clone(),
        location: state.location.clone(),
        resource_group: state.resource_group.clone(),
        subscription_id: state.subscription_id.clone(),
        resource_id: state.resource_id.clone(),
        tenant_id: state.tenant_id.clone(),
        vm_id: state.vm_id.clone(),
        tags: state.tags.clone(),
        os_name,
        os_version,
        interfaces: host::interfaces(),
    }
}
