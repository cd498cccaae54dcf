//! How fast one user may ask IMDS (metadata.md 3.1): it has no challenge, so this is all that slows somebody down who
//! tries. The original takes 5 requests a second, 20 on the token path; ours is of that order, with room for the
//! start of a machine, when everything asks at once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Requests a second, for as long as one likes.
const PER_SECOND: i64 = 50;
/// Requests at once, after a rest.
const BURST: i64 = 200;
/// Users remembered; who has rested for long enough need not be.
const USERS_MAX: usize = 1024;

/// In millionths of a request, so that nothing is lost between two of them.
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<Option<u32>, Left>>);

#[derive(Clone, Copy)]
struct Left {
    micros: i64,
    requests: i64,
}

impl Pace {
    /// Whether one more request of a user is taken now.
    pub(crate) fn admits(&self, user: Option<u32>, now_micros: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= USERS_MAX {
            all.retain(|_, left| left.at(now_micros) < BURST * 1_000_000);
            if all.len() >= USERS_MAX {
                all.clear();
            }
        }
        let left = all.entry(user).or_insert(Left { micros: now_micros, requests: BURST * 1_000_000 });
        let there = left.at(now_micros);
        let admitted = there >= 1_000_000;
        *left = Left { micros: now_micros, requests: if admitted { there - 1_000_000 } else { there } };
        admitted
    }
}

impl Left {
    /// A clock that was put back gives nothing and takes nothing.
    fn at(self, now_micros: i64) -> i64 {
        let passed = (now_micros - self.micros).clamp(0, BURST * 1_000_000 / PER_SECOND);
        (self.requests + passed * PER_SECOND).min(BURST * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_pace_of_their_own() {
        let pace = Pace::default();
        let taken = (0..1000).filter(|_| pace.admits(Some(1), 0)).count();
        assert_eq!(taken, 200);
        assert!(pace.admits(Some(2), 0) && !pace.admits(Some(1), 0));
        assert_eq!((0..1000).filter(|_| pace.admits(Some(1), 1_000_000)).count(), 50);
        assert!(!pace.admits(Some(1), -5_000_000), "a clock put back");
        assert!(pace.admits(Some(1), -4_000_000), "goes on from there");
        for user in 0..5000 {
            assert!(pace.admits(Some(user), 900_000_000));
        }
        assert!(pace.0.lock().unwrap().len() <= USERS_MAX);
    }
}
