//! The machine as it is connected now: its facts, kept fresh from its own resource at the site, and its identity.
//!
//! The registration is looked at before each answer (one `stat`): a machine that `csagent disconnect` took off serves
//! no token any more, not even a cached one, and one that was connected anew serves its new identity.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use cs_broker::{AttestError, Attester, Facts, Identity, IssueError, MachineFacts, Token, TokenIssuer};
use cs_ids::CorrelationId;
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use reqwest::Method;
use serde_json::Value;

use crate::{
    config,
    failure::{Failure, Kind},
    host,
    issuer::{self, SiteIssuer},
    rotation::{self, Outcome, Refused},
    site::{self, API_VERSION},
    state::{Place, STATUS, Stamp, State, Status},
};

/// Facts older than this, in seconds, are asked for before they are shown: people look at tags they have just set.
const FRESH_SECONDS: i64 = 5;
/// For so long at most; then what is known is shown.
const PATIENCE: Duration = Duration::from_millis(800);
/// After a failure nobody who asks waits for the site, for so many seconds.
const REST_SECONDS: i64 = 30;
/// The own token is used as long as this much is left of it, in seconds.
const TOKEN_LEFT_SECONDS: i64 = 600;

/// Attested documents asked for at once: each is a request to the site and a signature there.
const ATTESTING_MAX: usize = 4;

/// Whatever is connected now.
pub struct Live {
    place: Place,
    known: RwLock<Known>,
    /// One request for the machine's resource at a time; when the next may be, in seconds.
    next: tokio::sync::Mutex<i64>,
    /// Attested documents that are being asked for.
    attesting: tokio::sync::Semaphore,
}

#[derive(Default)]
struct Known {
    stamp: Option<Stamp>,
    connection: Option<Arc<Connection>>,
}

/// One registration.
struct Connection {
    state: State,
    /// See [`Facts::environment`].
    environment: String,
    identity: Identity,
    issuer: SiteIssuer,
    facts: RwLock<Arc<Facts>>,
    /// Its own, and the user-assigned ones, as the site last said.
    identities: RwLock<Arc<[Identity]>>,
    token: Mutex<Option<Token>>,
}

impl Live {
    /// # Errors
    /// A [`Failure`] when the registration cannot be used, and, where one is needed at once, when there is none.
    pub fn new(place: Place, needs_one: bool) -> Result<Self, Failure> {
        let stamp = place.stamp();
        let state = if needs_one { Some(place.connected()?) } else { place.load()? };
        let connection = state.map(|state| Connection::open(&place, state).map(Arc::new)).transpose()?;
        Ok(Self {
            place,
            known: RwLock::new(Known { stamp, connection }),
            next: tokio::sync::Mutex::new(0),
            attesting: tokio::sync::Semaphore::new(ATTESTING_MAX),
        })
    }

    /// The registration there is now, read anew when it has changed.
    fn now(&self) -> Option<Arc<Connection>> {
        let stamp = self.place.stamp();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.stamp == stamp {
                return known.connection.clone();
            }
        }
        let opened = self.place.load().and_then(|state| {
            state.map(|state| Connection::open(&self.place, state).map(Arc::new)).transpose()
        });
        let connection = opened.unwrap_or_else(|failure| {
            tracing::error!(cause = failure.message, "the registration cannot be used");
            None
        });
        tracing::info!(connected = connection.is_some(), "the registration has changed");
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known { stamp, connection: connection.clone() };
        connection
    }

    /// Whose tokens may be in the cache.
    pub fn client(&self) -> Option<cs_ids::ClientId> {
        self.now().map(|c| c.identity.client)
    }

    /// Asks the site for this machine's own resource: its tags, and a sign of life.
    pub async fn refresh(&self) -> Result<(), Failure> {
        let mut next = self.next.lock().await;
        self.ask(&mut next).await
    }

    async fn ask(&self, next: &mut i64) -> Result<(), Failure> {
        let Some(connection) = self.now() else { return Ok(()) };
        let outcome = connection.own_resource().await;
        let now = MachineClock.now();
        *next = now.seconds() + if outcome.is_ok() { FRESH_SECONDS } else { REST_SECONDS };
        let tags = outcome.as_ref().ok().map(|own| {
            let tags = tags_of(own);
            connection.show(&tags);
            *connection.identities.write().unwrap_or_else(PoisonError::into_inner) =
                identities(&connection.identity, attached_to(own));
            tags
        });
        self.remember(&connection, |status| match &outcome {
            Ok(_) => {
                status.tags = tags;
                status.last_heartbeat = Some(now.rfc3339());
                (status.error_code, status.error_details, status.error_timestamp) = Default::default();
            }
            Err(failure) => {
                status.error_code = failure.code.unwrap_or("AZCM0001").to_owned();
                status.error_details.clone_from(&failure.message);
                status.error_timestamp = now.rfc3339();
            }
        });
        outcome.map(drop)
    }

    /// Changes what `show` tells, as long as the registration that it is about is the one there is. `disconnect` removes
    /// the registration first and this last, so that one which comes in between is seen before or after.
    fn remember(&self, of: &Connection, change: impl FnOnce(&mut Status)) {
        let is_kept = || {
            let same =
                |now: State| now.resource_id == of.state.resource_id && now.client_id == of.state.client_id;
            self.place.load().ok().flatten().is_some_and(same)
        };
        if !is_kept() {
            return;
        }
        let mut status = self.place.status();
        change(&mut status);
        self.place.save_status(&status);
        if !is_kept() {
            drop(self.place.remove(STATUS));
        }
    }

    /// Tells the site that this machine is alive, by a statement of its key, and replaces that when it is time.
    ///
    /// # Errors
    /// [`IssueError::Revoked`] when the site says that nothing may be handed out any more.
    pub async fn beat(&self) -> Result<(), IssueError> {
        let Some(connection) = self.now() else { return Ok(()) };
        let outcome = connection.beat(&self.place).await;
        let refused = match outcome {
            Ok(Outcome::Refused(refused)) => refused,
            Ok(Outcome::Good | Outcome::NewKey | Outcome::Ended) => return Ok(()),
            Err(failure) => {
                tracing::error!(cause = failure.message, "the heartbeat could not be kept, so none was sent");
                return Ok(());
            }
        };
        match refused {
            Refused::Deaf => Ok(()),
            Refused::Later(cause) => {
                tracing::warn!(cause, "the site did not hear this machine");
                Ok(())
            }
            Refused::UnknownKey(said) | Refused::Revoked(said) => {
                tracing::error!(said, "the site refuses this machine");
                self.remember(&connection, |status| {
                    status.error_code = "AZCM0041".to_owned();
                    status.error_details.clone_from(&said);
                    status.error_timestamp = MachineClock.now().rfc3339();
                });
                Err(IssueError::Revoked(said))
            }
        }
    }

    /// Facts that people may just have changed, if the site says so soon.
    async fn freshen(&self) {
        let attempt = async {
            let mut next = self.next.lock().await;
            let now = MachineClock.now().seconds();
            // A clock that was put back must not keep us from asking.
            if now < *next && *next - now <= REST_SECONDS {
                return;
            }
            // Who gives up waiting leaves this behind: as after a failure, others do not wait at once again.
            *next = now + REST_SECONDS;
            if let Err(failure) = self.ask(&mut next).await {
                tracing::warn!(cause = failure.message, "the site did not answer for this machine");
            }
        };
        drop(tokio::time::timeout(PATIENCE, attempt).await);
    }
}

impl Connection {
    fn open(place: &Place, state: State) -> Result<Self, Failure> {
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

    async fn beat(&self, place: &Place) -> Result<Outcome, Failure> {
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

    async fn own_resource(&self) -> Result<Value, Failure> {
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

    fn identities(&self) -> Arc<[Identity]> {
        Arc::clone(&self.identities.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, tags: &[(String, String)]) {
        let facts = describe(&self.state, tags, &self.environment);
        let mut known = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        if **known != facts {
            *known = Arc::new(facts);
        }
    }
}

#[async_trait]
impl MachineFacts for Live {
    async fn facts(&self) -> Option<Arc<Facts>> {
        self.freshen().await;
        Some(Arc::clone(&self.now()?.facts.read().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn identities(&self) -> Arc<[Identity]> {
        // People ask for an identity that they have just attached, and must not get one they have just taken off.
        self.freshen().await;
        self.now().map(|connection| connection.identities()).unwrap_or_default()
    }
}

#[async_trait]
impl Attester for Live {
    async fn attest(&self, nonce: Option<&str>, correlation: CorrelationId) -> Result<Vec<u8>, AttestError> {
        let connection = self.now().ok_or(AttestError::Nobody)?;
        // An application has no machine that somebody could attest.
        if connection.state.upstream.is_some() {
            return Err(AttestError::Nobody);
        }
        let _place = self.attesting.try_acquire().map_err(|_| AttestError::Busy)?;
        connection.issuer.attested(nonce, correlation).await
    }
}

#[async_trait]
impl TokenIssuer for Live {
    async fn issue(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Token, IssueError> {
        let connection = self.now();
        let acts = |c: &Connection| c.identity.client == identity.client || c.identities().contains(identity);
        match connection.filter(|c| acts(c)) {
            Some(connection) if identity.system_assigned => {
                connection.issuer.token_for(resource, correlation).await
            }
            Some(connection) => connection.issuer.token_of(identity, resource, correlation).await,
            None if !identity.system_assigned => Err(IssueError::Refused {
                code: "identity_not_found".to_owned(),
                text: "this identity is not attached to the machine any more".to_owned(),
            }),
            None => Err(IssueError::Revoked("this machine is not connected as that any more".to_owned())),
        }
    }
}

/// The machine's own first.
fn identities(own: &Identity, attached: Vec<Identity>) -> Arc<[Identity]> {
    std::iter::once(own.clone()).chain(attached).collect()
}

/// The user-assigned identities of a machine's resource.
fn attached_to(resource: &Value) -> Vec<Identity> {
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
