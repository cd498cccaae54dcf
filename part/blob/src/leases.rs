//! Leases of blobs and containers: taken, renewed, handed over, given back and broken (blob.md 5, Lease).

use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Lease, LeaseChange, LeaseState, StoreError};
use cs_time::Timestamp;

use crate::{Account, BlobError, Blobs, Conditions, Verdict, write::ATTEMPTS};

/// What is to be done with a lease. Ids are folded UUIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAction {
    /// For so many seconds, or without end. Without a proposal an id is made.
    Acquire {
        seconds: Option<u32>,
        proposed: Option<String>,
    },
    Renew(String),
    Change {
        id: String,
        proposed: String,
    },
    Release(String),
    /// It goes on holding for at most so many seconds.
    Break {
        period: Option<u32>,
    },
}

/// Why a lease does not go the way that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseFault {
    #[error("somebody holds a lease")]
    Taken,
    #[error("the lease is breaking and cannot be acquired")]
    BreakingAcquired,
    #[error("the lease is breaking and cannot be changed")]
    BreakingChanged,
    #[error("the lease was broken and cannot be renewed")]
    BrokenRenewed,
    #[error("the id is not that of the lease")]
    OtherId,
    #[error("there is no lease")]
    None,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseAnswer {
    /// ETag and time of change of what the lease is about: neither changes.
    pub etag: String,
    pub modified: Timestamp,
    /// The id of a lease that now holds.
    pub id: Option<String>,
    /// Of a broken one: seconds until nobody is kept out any more.
    pub remaining: Option<u32>,
}

impl Blobs {
    /// Does something with the lease of a blob, or of the container where `blob` is none.
    ///
    /// # Errors
    /// [`BlobError::Lease`] and the usual ones; then nothing has changed.
    pub async fn lease(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        (container, blob): (&str, Option<&str>),
        conditions: &Conditions,
        action: &LeaseAction,
    ) -> Result<LeaseAnswer, BlobError> {
        for _ in 0..ATTEMPTS {
            let (was, etag, modified) = match blob {
                None => {
                    let row = self.container(account, container).await?;
                    (row.lease, row.etag, row.modified)
                }
                Some(name) => {
                    let row = self.head(allowed, account, container, name).await?;
                    (row.lease, row.etag, row.modified)
                }
            };
            if conditions.on_read(&etag, modified) != Verdict::Go {
                return Err(BlobError::ConditionNotMet);
            }
            let now = self.parts.clock.now();
            let becomes = next(was.as_ref(), action, now, || self.parts.chance.uuid().to_string())?;
            let answer = LeaseAnswer {
                etag,
                modified,
                id: becomes
                    .as_ref()
                    .filter(|_| !matches!(action, LeaseAction::Break { .. }))
                    .map(|l| l.id.clone()),
                remaining: matches!(action, LeaseAction::Break { .. })
                    .then(|| becomes.as_ref().map_or(0, |lease| remaining(lease, now))),
            };
            let change = LeaseChange { was, becomes };
            let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
            let (container, blob) = (container.to_owned(), blob.map(str::to_owned));
            let in_container = blob.is_none();
            match self.parts.blobs.change_lease(allowed, place, container, blob, change, audit).await {
                Ok(true) => return Ok(answer),
                Ok(false) if in_container => return Err(BlobError::NoSuchContainer),
                Ok(false) => return Err(BlobError::NoSuchBlob),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::Lease(LeaseFault::Taken))
    }
}

/// Whole seconds, begun ones counted.
fn remaining(lease: &Lease, now: Timestamp) -> u32 {
    let micros = lease.ends.map_or(0, |ends| (ends.micros() - now.micros()).max(0));
    u32::try_from(micros.div_euclid(1_000_000) + i64::from(micros % 1_000_000 > 0)).unwrap_or(u32::MAX)
}

/// The lease after an operation; `None`: there is none any more.
fn next(
    lease: Option<&Lease>,
    action: &LeaseAction,
    now: Timestamp,
    new_id: impl FnOnce() -> String,
) -> Result<Option<Lease>, LeaseFault> {
    let state = lease.map(|lease| lease.state(now));
    let until = |seconds: Option<u32>| seconds.map(|n| now.plus_seconds(i64::from(n)));
    match action {
        LeaseAction::Acquire { seconds, proposed } => {
            let same = proposed.is_some() && proposed.as_deref() == lease.map(|l| l.id.as_str());
            match state {
                Some(LeaseState::Leased) if !same => return Err(LeaseFault::Taken),
                Some(LeaseState::Breaking) if same => return Err(LeaseFault::BreakingAcquired),
                Some(LeaseState::Breaking) => return Err(LeaseFault::Taken),
                _ => {}
            }
            let id = proposed.clone().unwrap_or_else(new_id);
            Ok(Some(Lease { id, seconds: *seconds, ends: until(*seconds), breaking: false }))
        }
        LeaseAction::Renew(id) => match lease.filter(|lease| lease.id == *id) {
            None => Err(LeaseFault::OtherId),
            Some(lease) if lease.breaking => Err(LeaseFault::BrokenRenewed),
            Some(lease) => Ok(Some(Lease { ends: until(lease.seconds), ..lease.clone() })),
        },
        LeaseAction::Change { id, proposed } => {
            let lease = lease.ok_or(LeaseFault::None)?;
            match lease.state(now) {
                LeaseState::Expired | LeaseState::Broken => Err(LeaseFault::None),
                LeaseState::Breaking if lease.id == *id => Err(LeaseFault::BreakingChanged),
                // Whoever repeats a change whose answer was lost names the new id for the old one.
                LeaseState::Leased if lease.id == *id || lease.id == *proposed => {
                    Ok(Some(Lease { id: proposed.clone(), ..lease.clone() }))
                }
                LeaseState::Breaking | LeaseState::Leased => Err(LeaseFault::OtherId),
            }
        }
        LeaseAction::Release(id) => match lease {
            Some(lease) if lease.id == *id => Ok(None),
            _ => Err(LeaseFault::OtherId),
        },
        LeaseAction::Break { period } => {
            let lease = lease.ok_or(LeaseFault::None)?;
            // What remains may be shortened, never made longer; a lease without end breaks at once.
            let asked = until(*period);
            let ends = match (lease.ends, asked) {
                (None, asked) => asked.unwrap_or(now),
                (Some(ends), None) => ends.max(now),
                (Some(ends), Some(asked)) => ends.max(now).min(asked),
            };
            Ok(Some(Lease { ends: Some(ends), breaking: true, ..lease.clone() }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1000);

    fn lease(ends: Option<i64>, breaking: bool) -> Lease {
        Lease { id: "a".into(), seconds: ends.map(|_| 30), ends: ends.map(Timestamp::from_seconds), breaking }
    }

    fn after(lease: Option<&Lease>, action: LeaseAction) -> Result<Option<Lease>, LeaseFault> {
        next(lease, &action, NOW, || "new".to_owned())
    }

    fn acquire(proposed: Option<&str>) -> LeaseAction {
        LeaseAction::Acquire { seconds: Some(15), proposed: proposed.map(str::to_owned) }
    }

    fn change(id: &str) -> LeaseAction {
        LeaseAction::Change { id: id.into(), proposed: "b".into() }
    }

    /// The table of the original: five states, five operations.
    #[test]
    fn every_operation_in_every_state() {
        let (leased, expired) = (lease(Some(1010), false), lease(Some(990), false));
        let (breaking, broken) = (lease(Some(1010), true), lease(Some(990), true));
        let taken = Some(Lease {
            id: "new".into(),
            seconds: Some(15),
            ends: Some(NOW.plus_seconds(15)),
            breaking: false,
        });
        for free in [None, Some(&expired), Some(&broken)] {
            assert_eq!(after(free, acquire(None)), Ok(taken.clone()));
        }
        for (held, same) in [(&leased, None), (&breaking, Some(LeaseFault::BreakingAcquired))] {
            assert_eq!(after(Some(held), acquire(Some("b"))), Err(LeaseFault::Taken));
            assert_eq!(after(Some(held), acquire(Some("a"))).err(), same);
        }
        let renew = || LeaseAction::Renew("a".into());
        let renewed = Some(Lease { ends: Some(NOW.plus_seconds(30)), ..leased.clone() });
        assert_eq!(after(Some(&leased), renew()), Ok(renewed.clone()));
        assert_eq!(after(Some(&expired), renew()), Ok(renewed));
        assert_eq!(after(None, renew()), Err(LeaseFault::OtherId));
        assert_eq!(after(Some(&leased), LeaseAction::Renew("b".into())), Err(LeaseFault::OtherId));
        for ended in [&breaking, &broken] {
            assert_eq!(after(Some(ended), renew()), Err(LeaseFault::BrokenRenewed));
        }
        let changed = Some(Lease { id: "b".into(), ..leased.clone() });
        assert_eq!(after(Some(&leased), change("a")), Ok(changed.clone()));
        assert_eq!(after(changed.as_ref(), change("a")), Ok(changed.clone()), "repeated");
        assert_eq!(after(Some(&leased), change("c")), Err(LeaseFault::OtherId));
        assert_eq!(after(Some(&breaking), change("a")), Err(LeaseFault::BreakingChanged));
        for none in [None, Some(&expired), Some(&broken)] {
            assert_eq!(after(none, change("a")), Err(LeaseFault::None));
        }
        for any in [&leased, &expired, &breaking, &broken] {
            assert_eq!(after(Some(any), LeaseAction::Release("a".into())), Ok(None));
            assert_eq!(after(Some(any), LeaseAction::Release("b".into())), Err(LeaseFault::OtherId));
        }
        assert_eq!(after(None, LeaseAction::Release("a".into())), Err(LeaseFault::OtherId));
    }

    #[test]
    fn breaking_only_shortens() {
        let left = |lease: &Lease, period| {
            let broken = after(Some(lease), LeaseAction::Break { period }).unwrap().unwrap();
            assert!(broken.breaking);
            remaining(&broken, NOW)
        };
        let (endless, fixed) = (lease(None, false), lease(Some(1010), false));
        assert_eq!((left(&endless, None), left(&endless, Some(20))), (0, 20));
        assert_eq!((left(&fixed, None), left(&fixed, Some(5)), left(&fixed, Some(60))), (10, 5, 10));
        assert_eq!(
            (left(&lease(Some(1010), true), Some(20)), left(&lease(Some(990), false), Some(20))),
            (10, 0)
        );
        assert_eq!(after(None, LeaseAction::Break { period: None }), Err(LeaseFault::None));
    }
}
