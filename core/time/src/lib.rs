//! Time and chance as arguments.
//!
//! Expiry, rotation and nonces become ordinary tests with no sleeping: a part is given a [`Clock`] and a
//! [`Chance`], the program gives it the machine's, a test gives it [`FakeClock`] and [`SeededChance`].

mod chance;
mod timestamp;

use std::sync::atomic::{AtomicI64, Ordering};

pub use chance::{Chance, MachineChance, SeededChance};
pub use timestamp::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that moves when told to.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// Starts at so many seconds since 1970-01-01T00:00Z.
    pub fn at_seconds(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds * 1_000_000))
    }

    /// Moves on (or back, with a negative number) by so many seconds.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
