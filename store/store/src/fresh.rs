//! What may be answered from memory instead of asking the database again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use cs_time::Timestamp;

/// A change by another replica is seen within this time, in microseconds: the contract of all caches (design.md, State).
const FRESH_MICROS: i64 = 250_000;

/// Counts this replica's changes of what others keep in memory: resources, principals, credentials.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<AtomicU64>);

impl Changes {
    /// Read it *before* the database: then a change in between makes the answer stale and not the cache wrong.
    pub fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// To be called once a change is committed and before anybody is told.
    pub fn raise(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Something read from the store, with when that was: good until this replica changes something, and for a short time
/// against the changes of others.
#[derive(Debug, Clone)]
pub struct Fresh<T> {
    pub value: T,
    changes: u64,
    read: Timestamp,
}

impl<T> Fresh<T> {
    /// `changes` and `read` are from before the reading.
    pub fn new(value: T, changes: u64, read: Timestamp) -> Self {
        Self { value, changes, read }
    }

    pub fn is_good(&self, changes: u64, now: Timestamp) -> bool {
        // A clock that was set back makes everything old.
        self.changes == changes && (0..FRESH_MICROS).contains(&(now.micros() - self.read.micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_until_a_change_here_and_for_a_moment_against_others() {
        let (changes, at) = (Changes::default(), Timestamp::from_seconds(1000));
        let fresh = Fresh::new((), changes.so_far(), at);
        assert!(fresh.is_good(changes.so_far(), at));
        assert!(fresh.is_good(changes.so_far(), Timestamp::from_micros(at.micros() + 249_999)));
        assert!(!fresh.is_good(changes.so_far(), Timestamp::from_micros(at.micros() + 250_000)));
        assert!(!fresh.is_good(changes.so_far(), at.plus_seconds(-1)));
        changes.raise();
        assert!(!fresh.is_good(changes.so_far(), at));
    }
}
