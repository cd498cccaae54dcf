//! The challenge desk: one-time secrets in files.
//!
//! How many may be open is bounded, for each user and in all. Who has too many makes room with the oldest of their
//! own, but never with one that is younger than a second: clients answer within milliseconds, and a flood must not
//! take away what an honest program of the same user was just given. Until one is old enough that user is asked to
//! wait; nobody else is (A16).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use cs_time::{Chance, Clock};

use crate::ChallengeDirectory;

/// An unanswered challenge is good for this long, in seconds.
const LIFE_SECONDS: i64 = 60;
/// A clock may be put back this far, in seconds, before challenges made "later" count as of another time.
const CLOCK_SLACK_SECONDS: i64 = 5;
/// A challenge makes room for another only after this long, in microseconds.
const SAFE_MICROS: i64 = 1_000_000;
/// Challenges open at once.
const OPEN_MAX: usize = 4096;
/// Of these at most this many of one user: more than a busy host has connections under way.
const OPEN_MAX_PER_USER: usize = 768;

/// Why no challenge could be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// This user has too many open, all of them fresh.
    #[error("too many challenges are open")]
    Crowded,
    #[error("a challenge file could not be made")]
    File(#[source] std::io::Error),
}

/// An opened challenge.
#[derive(Debug)]
pub struct Opened {
    /// The file that holds the answer.
    pub path: PathBuf,
}

/// Opens challenges and takes their answers, each once.
pub struct ChallengeDesk {
    directory: Arc<ChallengeDirectory>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    open: Mutex<Open>,
}

/// A right answer: nobody else can use it meanwhile. Unless it is spent it is given back when this is dropped, so
/// that a failure of ours, or a caller that went away, costs the program no challenge (A13).
#[must_use = "dropping a claim gives the answer back"]
pub struct Claim<'d> {
    desk: &'d ChallengeDesk,
    number: u64,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// By the SHA-256 of the answer: a wrong answer is found or not without being compared (A17).
    by_answer: HashMap<[u8; 32], u64>,
    /// In the order of their making.
    all: BTreeMap<u64, Challenge>,
    per_user: HashMap<Option<u32>, BTreeSet<u64>>,
}

struct Challenge {
    answer: [u8; 32],
    file: String,
    made_micros: i64,
    user: Option<u32>,
    claimed: bool,
}

impl ChallengeDesk {
    pub fn new(directory: ChallengeDirectory, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        directory.sweep(clock.now().seconds(), |_| false);
        Self { directory: Arc::new(directory), clock, chance, open: Mutex::default() }
    }

    /// Opens a challenge for a caller (its user id, where known): the file is complete before this returns.
    ///
    /// # Errors
    /// [`DeskError`]; then there is neither a challenge nor a file.
    pub fn open(&self, user: Option<u32>) -> Result<Opened, DeskError> {
        // One draw for both: a draw costs more than all else here but the file.
        let mut drawn = [0; 48];
        self.chance.fill(&mut drawn);
        let (name, secret) = drawn.split_at(16);
        let (file, secret) = (file_name(name), cs_jose::encode_url(secret));
        let path = self.directory.path_of(&file);
        let made_micros = self.clock.now().micros();
        let challenge =
            Challenge { answer: hash(&secret), file: file.clone(), made_micros, user, claimed: false };
        // The place first: without one no file is made. Nobody knows the answer before the file is there.
        let (number, gone) = self.lock().admit(challenge)?;
        for file in gone {
            self.directory.remove(&file);
        }
        if let Err(error) = self.directory.create(&file, &secret) {
            self.lock().remove(number);
            return Err(DeskError::File(error));
        }
        // It may have made room for others before its file was there.
        if !self.lock().all.contains_key(&number) {
            self.directory.remove(&file);
        }
        Ok(Opened { path })
    }

    /// Takes an answer, once: of callers with the same answer one gets the claim. Only within the challenge's life.
    pub fn claim(&self, answer: &str) -> Option<Claim<'_>> {
        let now = self.clock.now().micros();
        let number = self.lock().claim(&hash(answer), now)?;
        Some(Claim { desk: self, number })
    }

    /// Removes challenges nobody answered in time, and files that a killed process left: to be called every few seconds.
    pub fn sweep(&self) {
        let gone = self.lock().expired(self.clock.now().micros());
        for file in gone {
            self.directory.remove(&file);
        }
        let open: HashSet<String> = self.lock().all.values().map(|c| c.file.clone()).collect();
        self.directory.sweep(self.clock.now().seconds(), |name| open.contains(name));
    }

    /// Open challenges.
    pub fn open_count(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Uses the answer up: it is honoured no second time, and its file is gone.
    pub fn spend(self) {
        let gone = self.desk.lock().remove(self.number);
        if let Some(challenge) = gone {
            self.desk.directory.remove(&challenge.file);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // Nothing is found any more when it was spent, or swept meanwhile.
        if let Some(challenge) = self.desk.lock().all.get_mut(&self.number) {
            challenge.claimed = false;
        }
    }
}

/// A name nobody can guess, in the form of a UUID.
fn file_name(drawn: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(drawn);
    format!("{}.key", uuid::Builder::from_random_bytes(bytes).as_uuid())
}

fn hash(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    out
}

impl Challenge {
    fn is_good(&self, now_micros: i64) -> bool {
        let age = (now_micros - self.made_micros).div_euclid(1_000_000);
        (-CLOCK_SLACK_SECONDS..LIFE_SECONDS).contains(&age)
    }
}

impl Open {
    /// Adds a challenge; answers its number and the files of those that made room.
    fn admit(&mut self, challenge: Challenge) -> Result<(u64, Vec<String>), DeskError> {
        let mut gone = Vec::new();
        if let Some(user) = self.who_makes_room(challenge.user) {
            let oldest = self.per_user.get(&user).and_then(|all| all.first().copied());
            let number = oldest.ok_or(DeskError::Crowded)?;
            let made = self.all.get(&number).map_or(i64::MIN, |c| c.made_micros);
            // Another's challenge goes at any age: who holds the most has no claim to all places.
            let fresh = (0..SAFE_MICROS).contains(&(challenge.made_micros - made));
            if user == challenge.user && fresh {
                return Err(DeskError::Crowded);
            }
            gone.extend(self.remove(number).map(|c| c.file));
        }
        self.next += 1;
        let number = self.next;
        self.by_answer.insert(challenge.answer, number);
        self.per_user.entry(challenge.user).or_default().insert(number);
        self.all.insert(number, challenge);
        Ok((number, gone))
    }

    /// Whose challenge must go before another of `user` can come: their own, or, when all places are taken, one of
    /// whoever holds the most.
    fn who_makes_room(&self, user: Option<u32>) -> Option<Option<u32>> {
        if self.per_user.get(&user).is_some_and(|all| all.len() >= OPEN_MAX_PER_USER) {
            return Some(user);
        }
        if self.all.len() < OPEN_MAX {
            return None;
        }
        self.per_user.iter().max_by_key(|(_, all)| all.len()).map(|(holder, _)| *holder)
    }

    /// INVARIANT: an answer is marked in the same step that finds it, so no secret is honoured twice. Looking first
    /// and marking later would let two racing callers share one file.
    fn claim(&mut self, answer: &[u8; 32], now_micros: i64) -> Option<u64> {
        let number = *self.by_answer.get(answer)?;
        let challenge = self.all.get_mut(&number)?;
        if challenge.claimed || !challenge.is_good(now_micros) {
            return None;
        }
        challenge.claimed = true;
        Some(number)
    }

    fn remove(&mut self, number: u64) -> Option<Challenge> {
        let challenge = self.all.remove(&number)?;
        self.by_answer.remove(&challenge.answer);
        if let Some(all) = self.per_user.get_mut(&challenge.user) {
            all.remove(&number);
            if all.is_empty() {
                self.per_user.remove(&challenge.user);
            }
        }
        Some(challenge)
    }

    fn expired(&mut self, now_micros: i64) -> Vec<String> {
        let old: Vec<u64> =
            self.all.iter().filter(|(_, c)| !c.is_good(now_micros)).map(|(n, _)| *n).collect();
        old.into_iter().filter_map(|n| self.remove(n)).map(|c| c.file).collect()
    }
}
