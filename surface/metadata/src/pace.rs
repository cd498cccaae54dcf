//! How fast one user may ask IMDS (metadata.md 3.1): it has no challenge, so this is all that slows somebody down who
//! tries. The original takes 5 requests a second, 20 on the token path; ours is of that order, with room for the
//! start of a machine, when everything asks at once. Attested documents have a slower one, on HIMDS too: each is signed by
//! the site, and an entry of its audit log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Users remembered; who has rested for long enough need not be.
const USERS_MAX: usize = 1024;

pub(crate) struct Pace {
    /// Requests a second, for as long as one likes.
    per_second: i64,
    /// Requests at once, after a rest, in millionths.
    burst: i64,
    users: Mutex<HashMap<Option<u32>, Left>>,
}

/// In millionths of a request, so that nothing is lost between two of them.
#[derive(Clone, Copy)]
struct Left {
    micros: i64,
    requests: i64,
}

impl Pace {
    pub(crate) fn of_requests() -> Self {
        Self::new(50, 200)
    }

    pub(crate) fn of_attested_documents() -> Self {
        Self::new(1, 10)
    }

    fn new(per_second: i64, at_once: i64) -> Self {
        Self { per_second, burst: at_once * 1_000_000, users: Mutex::default() }
    }

    /// Whether one more request of a user is taken now.
    pub(crate) fn admits(&self, user: Option<u32>, now_micros: i64) -> bool {
        let mut all = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= USERS_MAX {
            all.retain(|_, left| self.there(*left, now_micros) < self.burst);
            if all.len() >= USERS_MAX {
                all.clear();
            }
        }
        let left = all.entry(user).or_insert(Left { micros: now_micros, requests: self.burst });
        let there = self.there(*left, now_micros);
        let admitted = there >= 1_000_000;
        *left = Left { micros: now_micros, requests: if admitted { there - 1_000_000 } else { there } };
        admitted
    }

    /// A clock that was put back gives nothing and takes nothing.
    fn there(&self, left: Left, now_micros: i64) -> i64 {
        let passed = (now_micros - left.micros).clamp(0, self.burst / self.per_second);
        (left.requests + passed * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_pace_of_their_own() {
        let pace = Pace::of_requests();
        let taken = (0..1000).filter(|_| pace.admits(Some(1), 0)).count();
        assert_eq!(taken, 200);
        assert!(pace.admits(Some(2), 0) && !pace.admits(Some(1), 0));
        assert_eq!((0..1000).filter(|_| pace.admits(Some(1), 1_000_000)).count(), 50);
        assert!(!pace.admits(Some(1), -5_000_000), "a clock put back");
        assert!(pace.admits(Some(1), -4_000_000), "goes on from there");
        for user in 0..5000 {
            assert!(pace.admits(Some(user), 900_000_000));
        }
        assert!(pace.users.lock().unwrap().len() <= USERS_MAX);
    }
}
