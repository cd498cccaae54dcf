//! The challenge desk: one-time secrets in files.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use cs_time::{Chance, Clock};

use crate::ChallengeDirectory;

/// An unanswered challenge is good for this long, in seconds.
const LIFE_SECONDS: i64 = 60;
/// Challenges open at once (A16); beyond it the oldest makes room.
const OPEN_MAX: usize = 4096;
/// Of these at most this many of one user; beyond it that user's oldest makes room, never another's.
const OPEN_MAX_PER_USER: usize = 512;

/// Why no challenge could be opened.
#[derive(Debug, thiserror::Error)]
#[error("a challenge file could not be made")]
pub struct DeskError(#[source] pub std::io::Error);

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

#[derive(Default)]
struct Open {
    next: u64,
    /// By the SHA-256 of the answer: a wrong answer is found or not without being compared (A17).
    by_answer: HashMap<[u8; 32], u64>,
    /// In the order of their making.
    all: BTreeMap<u64, Challenge>,
    per_user: HashMap<Option<u32>, usize>,
}

struct Challenge {
    answer: [u8; 32],
    file: String,
    made: i64,
    user: Option<u32>,
}

impl ChallengeDesk {
    pub fn new(directory: ChallengeDirectory, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { directory: Arc::new(directory), clock, chance, open: Mutex::default() }
    }

    /// Opens a challenge for a caller (its user id, where known): the file is complete before this returns.
    ///
    /// # Errors
    /// [`DeskError`] when the file cannot be made; then nothing is left of it.
    pub fn open(&self, user: Option<u32>) -> Result<Opened, DeskError> {
        let mut secret = [0; 32];
        self.chance.fill(&mut secret);
        let secret = cs_jose::encode_url(secret);
        let file = format!("{}.key", self.chance.uuid());
        self.directory.create(&file, &secret).map_err(DeskError)?;
        let path = self.directory.path_of(&file);
        let challenge = Challenge { answer: hash(&secret), file, made: self.clock.now().seconds(), user };
        for gone in self.lock().admit(challenge) {
            self.directory.remove(&gone);
        }
        Ok(Opened { path })
    }

    /// Takes an answer. `true` once for each challenge, and only within its life; its file is gone afterwards.
    pub fn accept(&self, answer: &str) -> bool {
        // INVARIANT: an answer leaves the table in the same step that finds it, so no secret is honoured twice.
        // Looking first and removing later would let two racing callers share one file.
        let Some(challenge) = self.lock().take(&hash(answer)) else { return false };
        self.directory.remove(&challenge.file);
        self.clock.now().seconds() - challenge.made < LIFE_SECONDS
    }

    /// Removes challenges nobody answered in time: to be called every few seconds.
    pub fn sweep(&self) {
        let oldest = self.clock.now().seconds() - LIFE_SECONDS;
        let gone = self.lock().expired(oldest);
        for file in gone {
            self.directory.remove(&file);
        }
    }

    /// Open challenges.
    pub fn open_count(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    out
}

impl Open {
    /// Adds a challenge; answers the files of those that made room.
    fn admit(&mut self, challenge: Challenge) -> Vec<String> {
        let mut gone = Vec::new();
        let crowded = self.per_user.get(&challenge.user).is_some_and(|n| *n >= OPEN_MAX_PER_USER);
        if crowded || self.all.len() >= OPEN_MAX {
            let oldest = self.all.iter().find(|(_, c)| !crowded || c.user == challenge.user).map(|(n, _)| *n);
            gone.extend(oldest.and_then(|n| self.remove(n)).map(|c| c.file));
        }
        self.next += 1;
        self.by_answer.insert(challenge.answer, self.next);
        *self.per_user.entry(challenge.user).or_default() += 1;
        self.all.insert(self.next, challenge);
        gone
    }

    fn take(&mut self, answer: &[u8; 32]) -> Option<Challenge> {
        let number = *self.by_answer.get(answer)?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Challenge> {
        let challenge = self.all.remove(&number)?;
        self.by_answer.remove(&challenge.answer);
        if let Some(count) = self.per_user.get_mut(&challenge.user) {
            *count -= 1;
            if *count == 0 {
                self.per_user.remove(&challenge.user);
            }
        }
        Some(challenge)
    }

    fn expired(&mut self, oldest: i64) -> Vec<String> {
        let old: Vec<u64> = self.all.iter().take_while(|(_, c)| c.made <= oldest).map(|(n, _)| *n).collect();
        old.into_iter().filter_map(|n| self.remove(n)).map(|c| c.file).collect()
    }
}
