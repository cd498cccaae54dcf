//! Hashing of ids for the tables of a snapshot.
//!
//! Ids are 16 bytes that callers may choose, so the hash needs a key of this process; the standard one would cost more
//! than the lookup it is for.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A key drawn for each table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keyed([u64; 2]);

impl Default for Keyed {
    fn default() -> Self {
        // The standard library's own keys are drawn from the system; hashing two numbers gives two that nobody knows.
        let drawn = RandomState::new();
        Self([drawn.hash_one(0), drawn.hash_one(1)])
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.0[0], key: self.0[1] }
    }
}

/// Multiplies to 128 bits and folds the halves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folding {
    state: u64,
    key: u64,
}

impl Folding {
    fn fold(a: u64, b: u64) -> u64 {
        let wide = u128::from(a) * u128::from(b);
        (wide >> 64) as u64 ^ wide as u64
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            let number = u128::from_le_bytes(*pair);
            let (low, high) = (number as u64, (number >> 64) as u64);
            self.state = Self::fold(low ^ self.state, high ^ self.key);
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.state = Self::fold(number ^ self.state, self.key);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        // Once more with the key, so that a zero of one half of an id does not show.
        Self::fold(self.state, self.key | 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_that_differ_little_hash_apart_and_tables_differ() {
        let (one, other) = (Keyed::default(), Keyed::default());
        let hashes: HashSet<u64> = (0..10_000u128).map(|n| one.hash_one(n.to_be_bytes())).collect();
        assert_eq!(hashes.len(), 10_000);
        // A table takes its place from the low bits and its mark from the high ones.
        let low: HashSet<u64> = hashes.iter().map(|h| h & 0x3fff).collect();
        let high: HashSet<u64> = hashes.iter().map(|h| h >> 50).collect();
        assert!(low.len() > 6000 && high.len() > 6000, "{} {}", low.len(), high.len());
        assert_ne!(one.hash_one([7u8; 16]), other.hash_one([7u8; 16]));
    }
}
