//! One registration: who it makes this machine, and what the site says of that.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cs_broker::{Facts, Identity, IssueError, Token};
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use reqwest::Method;
use serde_json::Value;

use crate::{
    config,
    failure::{Failure, Kind},
    host,
    issuer::{self, SiteIssuer},
    rotation::{self, Outcome},
    site::{self, API_VERSION},
    state::{Place, State},
};

/// The own token is used as long as this much is left of it, in seconds.
const TOKEN_LEFT_SECONDS: i64 = 600;

/// One registration.
pub(super) struct Connection {
    pub(super) state: State,
    /// See [`Facts::environment`].
    environment: String,
    pub(super) identity: Identity,
    pub(super) issuer: SiteIssuer,
    pub(super) facts: RwLock<Arc<Facts>>,
    /// Its own, and the user-assigned ones, as the site last said.
    pub(super) identities: RwLock<Arc<[Identity]>>,
    token: Mutex<Option<Token>>,
}

impl Connection {
    pub(super) fn open(place: &Place, state: State) -> Result<Self, Failure> {
        let bad = |what: &str| Failure::failed(format!("the registration's {what} cannot be read"));
        let identity = Identity {
            client: state.client_id.parse().map_err(|_| bad("client id"))?,
            object: state.principal_id.parse().map_err(|_| bad("principal id"))?,
            resource: state.resource_id.clone(),
            system_assigned: true,
        };
        let settings = config::load(place)?;
        let (issuer, environment) = (SiteIssuer::of(&state, place, &settings)?, settings.environment());
        let heard = place.status().tags;
        let facts =
            RwLock::new(Arc::new(describe(&state, heard.as_ref().unwrap_or(&state.tags), &environment)));
        let identities = RwLock::new(identities(&identity, Vec::new()));
        Ok(Self { state, environment, identity, issuer, facts, identities, token: Mutex::default() })
    }

    pub(super) async fn beat(&self, place: &Place) -> Result<Outcome, Failure> {
        // An application has no key of ours.
        if self.state.upstream.is_some() {
            return Ok(Outcome::Good);
        }
        // Not after a `disconnect` that came in between.
        if place.load()?.is_none_or(|now| now.client_id != self.state.client_id) {
            return Ok(Outcome::Good);
        }
        let when = (&MachineChance as &dyn Chance, MachineClock.now());
        // Settings that cannot be read keep nobody from saying that this machine is there.
        let every = config::load(place).map_or_else(
            |failure| {
                tracing::error!(cause = failure.message, "the machine's key is not replaced for now");
                None
            },
            |settings| settings.key_rotation(),
        );
        let go_on = &mut |_: &'static str| std::ops::ControlFlow::Continue(());
        let outcome = rotation::beat(place, &self.issuer, when, every, go_on).await?;
        if outcome == Outcome::NewKey {
            self.issuer.use_key(place.key()?).await;
            tracing::info!("the machine has another key");
        }
        Ok(outcome)
    }

    pub(super) async fn own_resource(&self) -> Result<Value, Failure> {
        let token = self.own_token().await.map_err(|error| issuer::failure("asking for a token", &error))?;
        if self.state.upstream.is_some() {
            // There is no resource: that a token was had is the sign of life.
            return Ok(serde_json::json!({}));
        }
        let url = format!("{}{}?api-version={API_VERSION}", self.state.site, self.state.resource_id);
        let what = "reading the machine's resource";
        let own = site::call(self.issuer.http(), what, Method::GET, &url, Some(&token), None).await;
        own.inspect_err(|failure| {
            if failure.kind == Kind::Refused {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        })
    }

    /// For the resource manager; one request a day, not one a minute.
    async fn own_token(&self) -> Result<String, IssueError> {
        let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = MachineClock.now().seconds();
        let good = |t: &Token| (now..now + 2 * 86_400).contains(&(t.expires_on - TOKEN_LEFT_SECONDS));
        if let Some(token) = held.filter(good) {
            return Ok(token.access_token);
        }
        let token = self.issuer.token(&self.state.audience).await?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token.access_token)
    }

    pub(super) fn identities(&self) -> Arc<[Identity]> {
        Arc::clone(&self.identities.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn show(&self, tags: &[(String, String)]) {
        let facts = describe(&self.state, tags, &self.environment);
        let mut known = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if **known != facts {
            *known = Arc::new(facts);
        }
    }
}

/// The machine's own first.
pub(super) fn identities(own: &Identity, attached: Vec<Identity>) -> Arc<[Identity]> {
    std::iter::once(own.clone()).chain(attached).collect()
}

/// The user-assigned identities of a machine's resource.
pub(super) fn attached_to(resource: &Value) -> Vec<Identity> {
    let map = resource.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
    let one = |(id, ids): (&String, &Value)| {
        let text = |name: &str| ids.get(name).and_then(Value::as_str);
        Some(Identity {
            client: text("clientId")?.parse().ok()?,
            object: text("principalId")?.parse().ok()?,
            resource: id.clone(),
            system_assigned: false,
        })
    };
    map.into_iter().flatten().filter_map(one).collect()
}

/// The tags of a resource, in its order.
pub fn tags_of(resource: &Value) -> Vec<(String, String)> {
    let pairs = resource.get("tags").and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    pairs.map(|all| all.iter().filter_map(text).collect()).unwrap_or_default()
}

fn describe(state: &State, tags: &[(String, String)], environment: &str) -> Facts {
    let (os_name, os_version) = host::operating_system();
    Facts {
        name: state.resource_name.clone(),
        location: state.location.clone(),
        resource_group: state.resource_group.clone(),
        subscription_id: state.subscription_id.clone(),
        resource_id: state.resource_id.clone(),
        tenant_id: state.tenant_id.clone(),
        vm_id: state.vm_id.clone(),
        tags: tags.to_vec(),
        os_name,
        os_version,
        interfaces: host::interfaces(),
        environment: environment.to_owned(),
    }
}
