//! The machine as it is connected now: its facts, kept fresh from its own resource at the site, and its identity.
//!
//! The registration is looked at before each answer (one `stat`): a machine that `csagent disconnect` took off serves
//! no token any more, not even a cached one, and one that was connected anew serves its new identity.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use cs_broker::{AttestError, Attester, Facts, Identity, IssueError, MachineFacts, Token, TokenIssuer};
use cs_ids::CorrelationId;
use cs_time::{Clock, MachineClock};

pub use self::connection::tags_of;
use self::connection::{Connection, attached_to, identities};
use crate::{
    failure::Failure,
    rotation::{Outcome, Refused},
    state::{Place, STATUS, Stamp, State, Status},
};

mod connection;

/// Facts older than this, in seconds, are asked for before they are shown: people look at tags they have just set.
const FRESH_SECONDS: i64 = 5;
/// For so long at most; then what is known is shown.
const PATIENCE: Duration = Duration::from_millis(800);
/// After a failure nobody who asks waits for the site, for so many seconds.
const REST_SECONDS: i64 = 30;
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
