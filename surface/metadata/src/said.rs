//! The log of callers: every request is counted, and what is the same within a second is one line.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use cs_broker::Process;
use cs_ids::ClientId;
use cs_time::Timestamp;

/// Lines that are the same within so many microseconds are written once, with how many there were.
const SAME_MICROS: i64 = 1_000_000;
/// Different lines counted at once.
const LINES_MAX: usize = 1024;

/// Shared with looks that end after the answer.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Said>>);

/// What was asked for, and whose socket asked.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Asked<'a> {
    pub user: Option<u32>,
    pub source: &'static str,
    pub identity: ClientId,
    pub resource: &'a str,
}

/// A line that is counted.
struct Counted {
    user: Option<u32>,
    process: Arc<Process>,
    source: &'static str,
    identity: ClientId,
    resource: String,
    /// How often it was asked since it was written.
    again: u64,
}

#[derive(Default)]
struct Said {
    since: i64,
    keys: RandomState,
    /// By the hash of what was asked: a line that is the same is found without being written out.
    lines: HashMap<u64, Counted>,
}

impl Log {
    /// Whether anybody reads it: else nobody need be looked for.
    pub(crate) fn is_on() -> bool {
        tracing::enabled!(target: "callers", tracing::Level::INFO)
    }

    pub(crate) fn say(&self, asked: Asked<'_>, process: &Arc<Process>, now: Timestamp) {
        let (counted, is_new) = {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (said.turn(now.micros()), said.count(asked, process))
        };
        counted.iter().for_each(|line| line.write(line.again));
        if is_new {
            Counted::new(asked, process).write(1);
        }
    }

    /// Writes what was counted.
    pub(crate) fn flush(&self, now: Timestamp) {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner).turn(now.micros());
        counted.iter().for_each(|line| line.write(line.again));
    }
}

impl Said {
    /// Starts anew when it is time, or when there are too many: what was counted is to be written.
    fn turn(&mut self, now: i64) -> Vec<Counted> {
        let same = (0..SAME_MICROS).contains(&(now - self.since));
        if same && self.lines.len() < LINES_MAX {
            return Vec::new();
        }
        self.since = now;
        self.lines.drain().map(|(_, line)| line).filter(|line| line.again > 0).collect()
    }

    /// Whether it is the first of its kind.
    fn count(&mut self, asked: Asked<'_>, process: &Arc<Process>) -> bool {
        let key = self.keys.hash_one((asked, process.pid));
        match self.lines.get_mut(&key) {
            Some(line) => {
                line.again += 1;
                false
            }
            None => {
                self.lines.insert(key, Counted::new(asked, process));
                true
            }
        }
    }
}

impl Counted {
    fn new(asked: Asked<'_>, process: &Arc<Process>) -> Self {
        Self {
            user: asked.user,
            process: Arc::clone(process),
            source: asked.source,
            identity: asked.identity,
            resource: asked.resource.to_owned(),
            again: 0,
        }
    }

    fn write(&self, requests: u64) {
        let who = &self.process;
        tracing::info!(target: "callers", requests, uid = self.user, source = self.source,
            identity = %self.identity, resource = self.resource, "token for {who}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_and_a_busy_program_fills_no_log() {
        let process = Arc::default();
        let identity = ClientId::new(uuid::Uuid::from_u128(1));
        let of = |resource| Asked { user: Some(1), source: "himds", identity, resource };
        let mut said = Said::default();
        assert!(said.turn(5_000_000).is_empty());
        assert!(said.count(of("a"), &process) && said.count(of("b"), &process));
        for _ in 0..99 {
            assert!(!said.count(of("a"), &process));
        }
        let other = Arc::new(Process { pid: Some(2), ..Process::default() });
        assert!(said.count(of("a"), &other), "another process is another line");
        assert!(said.turn(5_999_999).is_empty());
        let counted = said.turn(6_000_000);
        assert_eq!(counted.iter().map(|l| (l.resource.as_str(), l.again)).collect::<Vec<_>>(), [("a", 99)]);
        assert!(said.count(of("a"), &process), "written at once in the next second");
        assert!(said.turn(1).is_empty(), "a clock that was put back starts anew");
        for n in 0..5000 {
            said.turn(2);
            let resource = n.to_string();
            said.count(Asked { resource: &resource, ..of("") }, &process);
        }
        assert!(said.lines.len() <= LINES_MAX);
    }
}
