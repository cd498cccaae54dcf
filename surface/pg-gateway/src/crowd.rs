//! Who is at the door: bounds on connections that have not logged in, and on failed logins, by address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use cs_time::Timestamp;

/// Addresses whose failures are remembered at once; with more, all are forgotten and counting begins anew.
const REMEMBERED_MAX: usize = 65_536;
/// A failure counts this long, in seconds.
const WINDOW_SECONDS: i64 = 60;

pub(crate) struct Crowd {
    most: usize,
    failures_allowed: usize,
    unproven: Arc<Mutex<HashMap<IpAddr, usize>>>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    since: Timestamp,
    count: usize,
}

/// What to do with a login of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Fresh,
    /// It failed often: answer slowly.
    Worn,
    /// It failed so often that its tokens are not looked at.
    Out,
}

/// A place among those who have not logged in; given back when dropped.
pub(crate) struct Place {
    address: IpAddr,
    unproven: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Crowd {
    pub fn new(most: usize, failures_allowed: usize) -> Self {
        Self { most, failures_allowed, unproven: Arc::default(), failures: Mutex::default() }
    }

    /// `None` when the address has as many as it may.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        let count = unproven.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { address, unproven: Arc::clone(&self.unproven) })
    }

    pub fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED_MAX {
            failures.clear();
        }
        let known = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if known.since.plus_seconds(WINDOW_SECONDS) <= now {
            *known = Failures { since: now, count: 0 };
        }
        known.count += 1;
    }

    pub fn patience(&self, address: IpAddr, now: Timestamp) -> Patience {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.get(&address).filter(|f| f.since.plus_seconds(WINDOW_SECONDS) > now);
        match known.map_or(0, |f| f.count) {
            count if count >= self.failures_allowed.saturating_mul(10) => Patience::Out,
            count if count >= self.failures_allowed => Patience::Worn,
            _ => Patience::Fresh,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = unproven.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                unproven.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[test]
    fn one_address_cannot_take_all_places() {
        let crowd = Crowd::new(2, 1);
        let (first, _second) = (crowd.enter(HERE).unwrap(), crowd.enter(HERE).unwrap());
        assert!(crowd.enter(HERE).is_none() && crowd.enter(THERE).is_some());
        drop(first);
        assert!(crowd.enter(HERE).is_some());
    }

    #[test]
    fn patience_wears_out_and_comes_back() {
        let crowd = Crowd::new(9, 2);
        let at = Timestamp::from_seconds;
        for (failures, patience) in [(0, Patience::Fresh), (2, Patience::Worn), (18, Patience::Out)] {
            (0..failures).for_each(|_| crowd.failed(HERE, at(10)));
            assert_eq!(crowd.patience(HERE, at(20)), patience);
        }
        assert_eq!(crowd.patience(THERE, at(20)), Patience::Fresh);
        assert_eq!(crowd.patience(HERE, at(70)), Patience::Fresh);
        crowd.failed(HERE, at(70));
        assert_eq!(crowd.patience(HERE, at(71)), Patience::Fresh);
    }
}
