//! The token cache: many askers, one fetch; renewal well before the end; cached tokens while the site is away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use cs_ids::{ClientId, CorrelationId};
use cs_time::{Chance, Clock};

use crate::{Identity, IssueError, Token, TokenIssuer};

/// Renewal starts at a random point of this part of a token's life, in per mille, so that a fleet does not knock all at
/// once.
const RENEW_BETWEEN: std::ops::Range<i64> = 500..900;
/// A token with less than this left is not handed out while the site can give a fresh one, in seconds: the SDKs ask
/// again below five minutes.
const USEFUL_SECONDS: i64 = 300;
/// For so long a token counts as new, in seconds.
const NEW_SECONDS: i64 = 10;
/// The pause after the first failure; it doubles up to the longest, each drawn between half and all of it, in seconds.
const PAUSE_SECONDS: std::ops::RangeInclusive<i64> = 2..=64;
/// A clock may be put back this far, in seconds, before it counts as a jump.
const CLOCK_SLACK_SECONDS: i64 = 60;
/// Resources are named by programs: more than this at once is somebody playing.
const SLOTS_MAX: usize = 512;

/// Hands out tokens for this machine's identities.
pub struct Broker {
    issuer: Arc<dyn TokenIssuer>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    slots: Mutex<HashMap<(ClientId, String), Arc<Slot>>>,
}

/// One identity and resource.
struct Slot {
    identity: Identity,
    resource: String,
    cached: RwLock<Option<Cached>>,
    /// Held while the site is asked: one flight at a time.
    flight: tokio::sync::Mutex<Pause>,
}

#[derive(Clone)]
struct Cached {
    token: Arc<Token>,
    /// When it was had, and when it is due.
    made_at: i64,
    renew_at: i64,
}

impl Cached {
    /// Before it was had only a clock can be that was put back; then nobody knows how old it is.
    fn is_fresh(&self, now: i64) -> bool {
        (self.made_at - CLOCK_SLACK_SECONDS..self.renew_at).contains(&now)
    }
}

/// After a failure nobody asks before `until`.
#[derive(Default)]
struct Pause {
    failures: u32,
    until: i64,
    last: Option<IssueError>,
}

impl Pause {
    /// Not longer than any pause is: the clock may have been put back since.
    fn holds(&self, now: i64) -> bool {
        now < self.until && self.until - now <= *PAUSE_SECONDS.end()
    }
}

impl Broker {
    pub fn new(issuer: Arc<dyn TokenIssuer>, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { issuer, clock, chance, slots: Mutex::default() }
    }

    /// A token for a resource, from the cache where one is good.
    ///
    /// # Errors
    /// [`IssueError`]; with a token in the cache that has not run out, an unreachable site is no error.
    pub async fn token(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Arc<Token>, IssueError> {
        let slot = self.slot(identity, resource);
        let now = self.clock.now().seconds();
        if let Some(cached) = slot.cached() {
            if cached.is_fresh(now) {
                return Ok(cached.token);
            }
            // Due, but good: whoever is first renews, the others go on with what there is.
            if now + USEFUL_SECONDS < cached.token.expires_on {
                return match slot.flight.try_lock() {
                    Ok(mut pause) => self
                        .renew(&slot, &mut pause, correlation)
                        .await
                        .or_else(|e| fallback(e, &cached, now)),
                    Err(_) => Ok(cached.token),
                };
            }
        }
        let mut pause = slot.flight.lock().await;
        let now = self.clock.now().seconds();
        // Somebody else may have landed while we waited.
        if let Some(cached) = slot.cached().filter(|c| c.is_fresh(now)) {
            return Ok(cached.token);
        }
        match self.renew(&slot, &mut pause, correlation).await {
            Ok(token) => Ok(token),
            Err(error) => match slot.cached() {
                Some(cached) => fallback(error, &cached, now),
                None => Err(error),
            },
        }
    }

    /// A token from the cache that is not due for renewal.
    pub fn fresh(&self, identity: &Identity, resource: &str) -> Option<Arc<Token>> {
        let now = self.clock.now().seconds();
        self.slot(identity, resource).cached().filter(|c| c.is_fresh(now)).map(|c| c.token)
    }

    /// A token that the site has just given, for programs that were told that theirs is good no more. So often as they like
    /// they may ask, but not the site: one of the last seconds is new enough.
    ///
    /// # Errors
    /// As [`Broker::token`].
    pub async fn new_token(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Arc<Token>, IssueError> {
        let slot = self.slot(identity, resource);
        let mut pause = slot.flight.lock().await;
        let now = self.clock.now().seconds();
        let is_new = |c: &Cached| c.is_fresh(now) && now - c.made_at < NEW_SECONDS;
        if let Some(cached) = slot.cached().filter(is_new) {
            return Ok(cached.token);
        }
        let renewed = self.renew(&slot, &mut pause, correlation).await;
        renewed.or_else(|error| match slot.cached() {
            Some(cached) => fallback(error, &cached, now),
            None => Err(error),
        })
    }

    /// Renews what is due, in the background: to be called every minute or so.
    pub async fn renew_due(&self) {
        let all: Vec<Arc<Slot>> =
            self.slots.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for slot in all {
            let now = self.clock.now().seconds();
            if slot.cached().is_some_and(|c| !c.is_fresh(now) && now < c.token.expires_on) {
                if let Ok(mut pause) = slot.flight.try_lock() {
                    if let Err(error) = self.renew(&slot, &mut pause, self.chance.uuid().into()).await {
                        tracing::warn!(%error, resource = slot.resource, "a token could not be renewed yet");
                    }
                }
            }
        }
    }

    /// Forgets everything: the machine was disconnected or refused.
    pub fn forget_all(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn renew(
        &self,
        slot: &Slot,
        pause: &mut Pause,
        correlation: CorrelationId,
    ) -> Result<Arc<Token>, IssueError> {
        let now = self.clock.now().seconds();
        if let Some(error) = pause.last.as_ref().filter(|_| pause.holds(now)) {
            return Err(error.clone());
        }
        match self.issuer.issue(&slot.identity, &slot.resource, correlation).await {
            Ok(token) => {
                *pause = Pause::default();
                let made_at = self.clock.now().seconds();
                let cached = Cached { made_at, renew_at: self.renew_at(&token), token: Arc::new(token) };
                *slot.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached.clone());
                Ok(cached.token)
            }
            Err(error) => {
                match &error {
                    IssueError::Revoked(_) => {
                        *slot.cached.write().unwrap_or_else(PoisonError::into_inner) = None;
                        self.forget_all();
                    }
                    IssueError::Unreachable(_) => self.pause(pause, now, &error),
                    IssueError::Refused { .. } => {}
                }
                Err(error)
            }
        }
    }

    fn pause(&self, pause: &mut Pause, now: i64, error: &IssueError) {
        let longest = (*PAUSE_SECONDS.start() << pause.failures.min(16)).min(*PAUSE_SECONDS.end());
        pause.failures += 1;
        pause.until = now + longest / 2 + self.draw(longest / 2 + 1);
        pause.last = Some(error.clone());
    }

    fn renew_at(&self, token: &Token) -> i64 {
        let now = self.clock.now().seconds();
        let life = (token.expires_on - now).max(0);
        now + life * (RENEW_BETWEEN.start + self.draw(RENEW_BETWEEN.end - RENEW_BETWEEN.start)) / 1000
    }

    fn draw(&self, below: i64) -> i64 {
        let mut bytes = [0; 4];
        self.chance.fill(&mut bytes);
        i64::from(u32::from_le_bytes(bytes)) % below.max(1)
    }

    fn slot(&self, identity: &Identity, resource: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (identity.client, resource.to_owned());
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        if slots.len() >= SLOTS_MAX {
            let now = self.clock.now().seconds();
            slots.retain(|_, s| s.cached().is_some_and(|c| c.token.expires_on > now));
            if slots.len() >= SLOTS_MAX {
                slots.clear();
            }
        }
        let slot = Arc::new(Slot {
            identity: identity.clone(),
            resource: resource.to_owned(),
            cached: RwLock::default(),
            flight: tokio::sync::Mutex::default(),
        });
        slots.insert(key, Arc::clone(&slot));
        slot
    }
}

impl Slot {
    fn cached(&self) -> Option<Cached> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// While the site is away a cached token serves to its end.
fn fallback(error: IssueError, cached: &Cached, now: i64) -> Result<Arc<Token>, IssueError> {
    match error {
        IssueError::Unreachable(_) if now < cached.token.expires_on => Ok(Arc::clone(&cached.token)),
        error => Err(error),
    }
}
