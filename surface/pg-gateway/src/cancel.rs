//! Cancel requests that come to another gateway than the one that has the session: behind one address several may
//! stand, and a client connects anew to cancel.
//!
//! What a client is told as its process number and key is the server's own pair, enciphered under a secret of the
//! server that all its gateways have: whichever hears it knows which process is meant, and nobody else learns
//! anything from it. Of the 63 bits 54 are the pair (Linux numbers processes with 22 bits), one tells whether the key
//! is long (protocol 3.2), and eight are zero, by which a guess at the wrong server's secret is known.

use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use cs_databases::Server;
use cs_wire_postgres::{BackendKey, CancelKey};

use crate::{Shared, backend, crowd::Patience, opening::Visit};

/// Keys of protocol 3.0 and of 3.2, in bytes.
pub(crate) const SHORT_KEY: usize = 4;
pub(crate) const LONG_KEY: usize = 32;
const ROUNDS: u8 = 8;
const PID_BITS: u32 = 22;
const LONG_BIT: u64 = 1 << 54;
/// What is drawn again lies outside of 63 bits: half of all numbers.
const TOP_BIT: u64 = 1 << 63;

/// What the client is told for a session whose server told us `behind`; `None` where that does not fit.
pub(crate) fn told(secret: &[u8; 32], behind: &BackendKey, long: bool) -> Option<BackendKey> {
    let pid = u64::try_from(behind.pid).ok().filter(|pid| pid >> PID_BITS == 0)?;
    let key: [u8; SHORT_KEY] = behind.key.0[..].try_into().ok()?;
    let plain = (pid << 32) | u64::from(u32::from_be_bytes(key)) | if long { LONG_BIT } else { 0 };
    let cipher = Cipher(hmac::Key::new(hmac::HMAC_SHA256, secret));
    let sealed = cipher.seal(plain).to_be_bytes();
    let pid = i32::from_be_bytes([sealed[0], sealed[1], sealed[2], sealed[3]]);
    let mut key = sealed[4..].to_vec();
    if long {
        key.extend_from_slice(&cipher.rest(&sealed));
    }
    (pid > 0).then(|| BackendKey { pid, key: CancelKey(Bytes::from(key)) })
}

/// The server's own pair that was told so; `None` for what was never told.
pub(crate) fn meant(secret: &[u8; 32], pid: i32, key: &CancelKey) -> Option<BackendKey> {
    let long = match key.0.len() {
        SHORT_KEY => false,
        LONG_KEY => true,
        _ => return None,
    };
    let cipher = Cipher(hmac::Key::new(hmac::HMAC_SHA256, secret));
    let mut sealed = [0; 8];
    sealed[..4].copy_from_slice(&pid.to_be_bytes());
    sealed[4..].copy_from_slice(&key.0[..4]);
    if long && aws_lc_rs::constant_time::verify_slices_are_equal(&cipher.rest(&sealed), &key.0[4..]).is_err()
    {
        return None;
    }
    let plain = cipher.open(u64::from_be_bytes(sealed));
    if plain & LONG_BIT != if long { LONG_BIT } else { 0 } || (plain & !LONG_BIT) >> 54 != 0 {
        return None;
    }
    let pid = i32::try_from((plain & !LONG_BIT) >> 32).ok()?;
    let key = Bytes::copy_from_slice(&plain.to_be_bytes()[4..]);
    Some(BackendKey { pid, key: CancelKey(key) })
}

/// A permutation of 64 bits (Feistel's, with HMAC as the function of its rounds), walked until 63 are enough.
struct Cipher(hmac::Key);

impl Cipher {
    fn seal(&self, plain: u64) -> u64 {
        let mut word = plain;
        loop {
            word = (0..ROUNDS).fold(word, |word, round| {
                let (left, right) = halves(word);
                joined(right, left ^ self.round(round, right))
            });
            if word & TOP_BIT == 0 {
                return word;
            }
        }
    }

    fn open(&self, sealed: u64) -> u64 {
        let mut word = sealed & !TOP_BIT;
        loop {
            word = (0..ROUNDS).rev().fold(word, |word, round| {
                let (left, right) = halves(word);
                joined(right ^ self.round(round, left), left)
            });
            if word & TOP_BIT == 0 {
                return word;
            }
        }
    }

    fn round(&self, round: u8, half: u32) -> u32 {
        let tag = hmac::sign(&self.0, &[&[round][..], &half.to_be_bytes()].concat());
        tag.as_ref().iter().take(4).fold(0, |word, byte| word << 8 | u32::from(*byte))
    }

    /// What makes a long key long.
    fn rest(&self, sealed: &[u8; 8]) -> [u8; LONG_KEY - SHORT_KEY] {
        let tag = hmac::sign(&self.0, &[&b"long"[..], sealed].concat());
        let mut rest = [0; LONG_KEY - SHORT_KEY];
        rest.copy_from_slice(&tag.as_ref()[..LONG_KEY - SHORT_KEY]);
        rest
    }
}

const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

fn joined(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// Passes a cancel request on to its server. Never answered, whatever becomes of it; an address that guesses keys
/// wears out our patience. `label` is the server that TLS named.
pub(crate) async fn pass_on(pid: i32, key: &CancelKey, label: Option<String>, visit: &Visit) {
    let (shared, peer) = (&visit.shared, visit.peer);
    let now = shared.parts.clock.now();
    if shared.guesses.patience(peer.ip(), now) == Patience::Out {
        return;
    }
    if let Some(session) = shared.sessions.find(pid, key) {
        return session.about.behind.cancel().await;
    }
    match of_another_gateway(pid, key, label, shared).await {
        Some((server, real)) => backend::cancel_at(&server, real, shared).await,
        None => {
            shared.guesses.failed(peer.ip(), now);
            tracing::info!(%peer, "a cancel request names no session");
        }
    }
}

async fn of_another_gateway(
    pid: i32,
    key: &CancelKey,
    label: Option<String>,
    shared: &Arc<Shared>,
) -> Option<(Arc<Server>, BackendKey)> {
    let (knowledge, key) = (Arc::clone(&shared.parts.knowledge), key.clone());
    let asked = shared.home.spawn(async move {
        let labels = match label {
            Some(label) => vec![label],
            None => knowledge.labels().await.ok()?,
        };
        for label in labels {
            let Ok(Some(server)) = knowledge.server(&label).await else { continue };
            if let Some(real) = meant(&server.cancel_secret, pid, &key) {
                return Some((server, real));
            }
        }
        None
    });
    asked.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(pid: i32, key: [u8; 4]) -> BackendKey {
        BackendKey { pid, key: CancelKey(Bytes::copy_from_slice(&key)) }
    }

    #[test]
    fn what_is_told_is_understood_wherever_the_secret_is() {
        let secret = [9; 32];
        for long in [false, true] {
            for pid in [1, 77, 4_194_303] {
                for key in [[0; 4], [1, 2, 3, 4], [255; 4]] {
                    let real = pair(pid, key);
                    let told = told(&secret, &real, long).unwrap();
                    assert!(told.pid > 0 && told.key.0.len() == if long { 32 } else { 4 });
                    assert_ne!((told.pid, &told.key.0[..4]), (pid, &key[..]));
                    let meant = meant(&secret, told.pid, &told.key).unwrap();
                    assert_eq!((meant.pid, meant.key), (real.pid, real.key));
                }
            }
        }
        assert!(told(&secret, &pair(4_194_304, [0; 4]), false).is_none(), "no number of a process of Linux'");
        assert!(told(&secret, &pair(-1, [0; 4]), false).is_none());
    }

    #[test]
    fn what_was_never_told_means_nothing() {
        let (secret, other) = ([9; 32], [8; 32]);
        let long = told(&secret, &pair(7, [1, 2, 3, 4]), true).unwrap();
        // Cut to the short form, of another server, and changed anywhere.
        assert!(meant(&secret, long.pid, &CancelKey(long.key.0.slice(..4))).is_none());
        assert!(meant(&other, long.pid, &long.key).is_none());
        for at in 0..32 {
            let mut changed = long.key.0.to_vec();
            changed[at] ^= 1;
            assert!(meant(&secret, long.pid, &CancelKey(changed.into())).is_none(), "{at}");
        }
        // Of four-byte guesses one in 512 reads like a pair, which PostgreSQL then does not know.
        let guesses = (1..20_000)
            .filter(|n| meant(&secret, *n, &CancelKey(Bytes::copy_from_slice(&n.to_be_bytes()))).is_some());
        assert!(guesses.count() < 100);
        assert!(meant(&secret, 1, &CancelKey(Bytes::from_static(b"12345"))).is_none());
    }
}
