//! Leases of blobs and containers: who alone may write or delete for a while (blob.md 5, Lease).

use cs_time::Timestamp;

/// A lease that was taken and not given back. It stands beside what it is about: taking it changes no ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// A UUID, folded.
    pub id: String,
    /// For how long it is taken and renewed; `None`: without end.
    pub seconds: Option<u32>,
    /// When it stops holding; `None`: never by itself.
    pub ends: Option<Timestamp>,
    /// It was broken by somebody: it holds until its end, and cannot be renewed.
    pub breaking: bool,
}

/// What a lease is at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    Leased,
    Expired,
    Breaking,
    Broken,
}

impl Lease {
    pub fn state(&self, now: Timestamp) -> LeaseState {
        let over = self.ends.is_some_and(|ends| ends <= now);
        match (self.breaking, over) {
            (false, false) => LeaseState::Leased,
            (false, true) => LeaseState::Expired,
            (true, false) => LeaseState::Breaking,
            (true, true) => LeaseState::Broken,
        }
    }

    /// Whether it keeps others out.
    pub fn holds(&self, now: Timestamp) -> bool {
        matches!(self.state(now), LeaseState::Leased | LeaseState::Breaking)
    }
}

/// The lease id a request shows, if any, and when it shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseKey {
    /// Folded.
    pub id: Option<String>,
    pub at: Timestamp,
}

/// Why a lease keeps a request out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseRefusal {
    #[error("there is a lease, and no id was given")]
    Missing,
    #[error("the lease has another id")]
    Mismatch,
    #[error("an id was given, and there is no lease")]
    NotPresent,
    #[error("the lease has ended")]
    Lost,
}

impl LeaseKey {
    pub fn none(at: Timestamp) -> Self {
        Self { id: None, at }
    }

    /// Whether a request that needs no lease goes on: an id, where one is given, must be that of the lease.
    ///
    /// # Errors
    /// [`LeaseRefusal`], but never `Missing`.
    pub fn fits(&self, lease: Option<&Lease>) -> Result<(), LeaseRefusal> {
        let Some(id) = &self.id else { return Ok(()) };
        match lease {
            None => Err(LeaseRefusal::NotPresent),
            Some(lease) if lease.id != *id => Err(LeaseRefusal::Mismatch),
            Some(lease) if lease.holds(self.at) => Ok(()),
            Some(_) => Err(LeaseRefusal::Lost),
        }
    }

    /// Whether a write goes on.
    ///
    /// # Errors
    /// [`LeaseRefusal`].
    pub fn opens(&self, lease: Option<&Lease>) -> Result<(), LeaseRefusal> {
        match (&self.id, lease) {
            (None, Some(lease)) if lease.holds(self.at) => Err(LeaseRefusal::Missing),
            _ => self.fits(lease),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(ends: Option<i64>, breaking: bool) -> Lease {
        Lease { id: "a".into(), seconds: Some(15), ends: ends.map(Timestamp::from_seconds), breaking }
    }

    fn key(id: Option<&str>) -> LeaseKey {
        LeaseKey { id: id.map(str::to_owned), at: Timestamp::from_seconds(100) }
    }

    #[test]
    fn a_lease_keeps_others_out_until_it_ends() {
        for (lease, state) in [
            (lease(None, false), LeaseState::Leased),
            (lease(Some(101), false), LeaseState::Leased),
            (lease(Some(100), false), LeaseState::Expired),
            (lease(Some(101), true), LeaseState::Breaking),
            (lease(Some(100), true), LeaseState::Broken),
        ] {
            let holds = matches!(state, LeaseState::Leased | LeaseState::Breaking);
            assert_eq!(lease.state(key(None).at), state);
            assert_eq!(key(None).opens(Some(&lease)).is_ok(), !holds, "{state:?}");
            assert_eq!(key(Some("a")).opens(Some(&lease)).is_ok(), holds, "{state:?}");
            assert_eq!(key(Some("b")).opens(Some(&lease)), Err(LeaseRefusal::Mismatch));
        }
        assert_eq!(key(Some("a")).opens(None), Err(LeaseRefusal::NotPresent));
        assert_eq!((key(None).opens(None), key(None).fits(Some(&lease(None, false)))), (Ok(()), Ok(())));
    }
}
