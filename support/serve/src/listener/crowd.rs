//! The connections of a listener: when all places are taken, the longest idle one makes room (A24), so that
//! somebody who opens connections and says nothing cannot keep others out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

pub(super) struct Crowd {
    most: usize,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    next: u64,
    /// By order of arrival.
    members: BTreeMap<u64, Member>,
}

struct Member {
    requests: Arc<AtomicUsize>,
    out: CancellationToken,
}

/// A connection's place; given back when dropped.
pub(super) struct Place {
    number: u64,
    requests: Arc<AtomicUsize>,
    out: CancellationToken,
    inside: Arc<Mutex<Inside>>,
}

/// Marks a request under way: its connection is not idle.
pub(super) struct Busy<'p>(&'p AtomicUsize);

impl Crowd {
    pub(super) fn new(most: usize) -> Self {
        Self { most, inside: Arc::default() }
    }

    pub(super) fn enter(&self) -> Place {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.members.len() >= self.most {
            inside.show_out();
        }
        let number = inside.next;
        inside.next += 1;
        let (requests, out) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        inside.members.insert(number, Member { requests: Arc::clone(&requests), out: out.clone() });
        Place { number, requests, out, inside: Arc::clone(&self.inside) }
    }
}

impl Crowd {
    /// Ends the longest idle connection although there are places left: something else has run out. `false` when there
    /// was none.
    pub(super) fn make_room(&self) -> bool {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).show_out()
    }
}

impl Inside {
    fn show_out(&mut self) -> bool {
        // With every connection at work the oldest goes: it has had its time.
        let idle =
            self.members.iter().find(|(_, m)| m.requests.load(Ordering::Relaxed) == 0).map(|(n, _)| *n);
        let member =
            idle.or_else(|| self.members.keys().next().copied()).and_then(|n| self.members.remove(&n));
        member.map(|m| m.out.cancel()).is_some()
    }
}

impl Place {
    pub(super) async fn evicted(&self) {
        self.out.cancelled().await;
    }

    pub(super) fn busy(&self) -> Busy<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Busy(&self.requests)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).members.remove(&self.number);
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a24_the_longest_idle_connection_makes_room() {
        let crowd = Crowd::new(2);
        let (first, second) = (crowd.enter(), crowd.enter());
        let busy = first.busy();
        let third = crowd.enter();
        assert!(!first.out.is_cancelled() && second.out.is_cancelled() && !third.out.is_cancelled());
        drop(busy);
        let _fourth = crowd.enter();
        assert!(first.out.is_cancelled());
        assert!(crowd.make_room() && third.out.is_cancelled());
    }
}
