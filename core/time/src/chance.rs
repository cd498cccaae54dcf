//! Random bytes.

use std::sync::Mutex;

use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use uuid::Uuid;

use crate::Timestamp;

/// Draws random bytes. The machine's source is cryptographically strong.
pub trait Chance: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);

    /// A version 4 UUID.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A UUID that sorts by when it was made (version 7, RFC 9562): an index of such ids grows at its end, where one of
    /// random ids writes a page anew for nearly every row. It tells its time to whoever reads it, and is no secret.
    fn uuid_at(&self, now: Timestamp) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let millis = u64::try_from(now.micros() / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineChance;

impl Chance for MachineChance {
    #[expect(
        clippy::expect_used,
        reason = "without random numbers no key or challenge may be made: better to die"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        SystemRandom::new().fill(bytes).expect("the operating system gives random numbers");
    }
}

/// The same bytes for the same seed, for tests only: SHA-256 over a seed and a counter.
#[derive(Debug)]
pub struct SeededChance(Mutex<(u64, u64)>);

impl SeededChance {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            state.1 += 1;
            let block =
                digest::digest(&digest::SHA256, &[state.0.to_be_bytes(), state.1.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_repeat_and_differ() {
        let draw = |seed| SeededChance::new(seed).uuid();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(MachineChance.uuid(), MachineChance.uuid());
    }
}
