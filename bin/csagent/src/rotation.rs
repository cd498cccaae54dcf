//! The machine's key: its heartbeats, and its replacement, which no crash can interrupt for good (C04).
//!
//! Everything is on disk before it is said, and no step needs to remember another: whatever is found at a start is
//! gone on with. Each beat has a number above the last and a word of its own; a beat that was not answered is sent
//! again as it was. A new key is made, offered to the site by the old one, put in its place, and used; the old one is
//! kept until the new one has been answered, and comes back if the site does not know the new one after all.

use std::ops::ControlFlow;

use async_trait::async_trait;
use cs_jose::MachineKey;
use cs_time::{Chance, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Attempt, Failure},
    state::{KEY, Place},
    whole,
};

/// The key that was made and may be known to the site, and the one that may still be.
pub const NEXT: &str = "machine.key.next";
pub const PREVIOUS: &str = "machine.key.previous";
pub const BEATS: &str = "heartbeat.json";

/// What is kept of heartbeats. No secret: beats are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beats {
    /// How many keys this machine has had, as the site last said.
    pub generation: i64,
    counter: i64,
    nonce: String,
    /// Whether the site has answered the last beat.
    answered: bool,
    /// When the key was last replaced, or first looked at; seconds since 1970.
    rotated: i64,
}

impl Default for Beats {
    fn default() -> Self {
        Self { generation: 1, counter: 0, nonce: String::new(), answered: true, rotated: 0 }
    }
}

/// Why the site did not take a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It hears no statements: an older site, or one of another kind.
    Deaf,
    /// It does not know the key that signed.
    UnknownKey(String),
    /// Quarantined, or not there any more: nothing may be handed out.
    Revoked(String),
    /// Not reached, or not well.
    Later(String),
}

/// Where statements go.
#[async_trait]
pub trait Hearer: Send + Sync {
    /// Answers the generation of the key.
    async fn beat(&self, key: &MachineKey, counter: i64, nonce: &str) -> Result<i64, Refused>;

    async fn offer(&self, key: &MachineKey, next: &MachineKey) -> Result<(), Refused>;

    /// From now on the machine signs with this key: with its first beat the site takes no other.
    async fn adopt(&self, _key: MachineKey) {}
}

/// Told after each step; tells whether to go on. A test ends the process here.
pub type Mark<'m> = &'m mut (dyn FnMut(&'static str) -> ControlFlow<()> + Send);

/// What a beat led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// The key in the key's file is another one now.
    NewKey,
    Refused(Refused),
    /// A test ended it.
    Ended,
}

macro_rules! step {
    ($mark:expr, $name:literal) => {
        if $mark($name).is_break() {
            return Ok(Outcome::Ended);
        }
    };
}

impl Place {
    pub fn beats(&self) -> Result<Beats, Failure> {
        Ok(self.read(BEATS)?.unwrap_or_default())
    }

    fn save_beats(&self, beats: &Beats) -> Result<(), Failure> {
        let text = serde_json::to_vec(beats).attempt("writing the heartbeat")?;
        self.write(BEATS, &text, 0o644)
    }
}

/// Beats once, and replaces the key when that is due: `every` seconds after it was last replaced, never with `None`.
pub async fn beat(
    place: &Place,
    site: &dyn Hearer,
    (chance, now): (&dyn Chance, Timestamp),
    every: Option<i64>,
    mark: Mark<'_>,
) -> Result<Outcome, Failure> {
    let mut key = place.key()?;
    match send(place, site, &key, chance, mark).await? {
        Outcome::Good => {}
        // The site was put back to a time before it heard of this key: the one before is still there.
        Outcome::Refused(Refused::UnknownKey(_)) if place.at(PREVIOUS).exists() => {
            tracing::warn!("the site does not know the machine's new key: the one before is used again");
            place.rename(PREVIOUS, KEY)?;
            return Ok(Outcome::NewKey);
        }
        other => return Ok(other),
    }
    step!(mark, "answered");
    // The site has heard the key that is in its place; nobody needs the one before.
    place.remove(PREVIOUS)?;
    step!(mark, "the one before is gone");
    let mut beats = place.beats()?;
    if beats.rotated == 0 || beats.rotated > now.seconds() {
        // Never looked at, or by a clock that was ahead.
        beats.rotated = now.seconds();
        place.save_beats(&beats)?;
    }
    let is_due = every.is_some_and(|every| now.seconds() - beats.rotated >= every);
    if !is_due && !place.at(NEXT).exists() {
        return Ok(Outcome::Good);
    }
    let next = next_key(place)?;
    step!(mark, "the next key is made");
    if let Err(refused) = site.offer(&key, &next).await {
        return Ok(Outcome::Refused(refused));
    }
    step!(mark, "the next key is offered");
    // Before the exchange, so that one that was cut off is not followed by another.
    beats.rotated = now.seconds();
    place.save_beats(&beats)?;
    step!(mark, "the time is kept");
    place.save_key_in(PREVIOUS, &key)?;
    step!(mark, "the old key is kept");
    place.rename(NEXT, KEY)?;
    step!(mark, "the next key is in its place");
    key = next;
    site.adopt(place.key()?).await;
    match send(place, site, &key, chance, mark).await? {
        Outcome::Good => {}
        Outcome::Ended => return Ok(Outcome::Ended),
        // The key is in its place all the same: the next beat goes on.
        _ => return Ok(Outcome::NewKey),
    }
    step!(mark, "the new key is answered");
    place.remove(PREVIOUS)?;
    Ok(Outcome::NewKey)
}

/// One beat: the one that was not answered again, else the next.
async fn send(
    place: &Place,
    site: &dyn Hearer,
    key: &MachineKey,
    chance: &dyn Chance,
    mark: Mark<'_>,
) -> Result<Outcome, Failure> {
    let mut beats = place.beats()?;
    if beats.answered {
        beats.counter += 1;
        beats.nonce = chance.uuid().simple().to_string();
        beats.answered = false;
        place.save_beats(&beats)?;
    }
    step!(mark, "the beat is kept");
    match site.beat(key, beats.counter, &beats.nonce).await {
        Ok(generation) => {
            step!(mark, "the beat is sent");
            beats.generation = generation;
            beats.answered = true;
            place.save_beats(&beats)?;
            Ok(Outcome::Good)
        }
        Err(refused) => Ok(Outcome::Refused(refused)),
    }
}

/// The one that was made before, if any: the site may know it.
fn next_key(place: &Place) -> Result<MachineKey, Failure> {
    if let Some(made) = place.key_in(NEXT).ok().filter(|_| place.at(NEXT).exists()) {
        return Ok(made);
    }
    let made = MachineKey::generate().attempt("making the machine's next key")?;
    place.save_key_in(NEXT, &made)?;
    Ok(made)
}

impl Place {
    fn rename(&self, from: &str, to: &str) -> Result<(), Failure> {
        let renamed = whole::rename(&self.at(from), &self.at(to));
        renamed.attempt(format_args!("putting {from} in the place of {to}"))
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
