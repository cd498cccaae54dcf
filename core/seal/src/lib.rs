//! Secrets at rest: envelope encryption (design.md, State).
//!
//! A value is sealed with AES-256-GCM under the data key of its vault, bound to where it belongs (tenant, vault,
//! name, version: [`Aad`]); data keys are wrapped under the tenant's key, tenant keys under the root key, which is
//! never in the database. Moving a sealed value to another row makes it unreadable.
//!
//! ```text
//! sealed = version (1 byte, 1) | nonce (12) | ciphertext | tag (16)
//! ```

mod mac;

use std::fmt;

pub use mac::MacKey;

use aws_lc_rs::{aead, hmac};
use cs_time::Chance;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// The sealed bytes are damaged, belong elsewhere, or are of another key; which of these is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value cannot be opened with this key at this place")]
pub struct CannotOpen;

/// A 256-bit key. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

/// What a sealed value is bound to: a purpose and fields, each with its length, so that no two lists of fields
/// read the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aad(Vec<u8>);

impl Key {
    /// Draws a new key.
    pub fn draw(chance: &dyn Chance) -> Self {
        let mut key = Self([0; 32]);
        chance.fill(&mut key.0);
        key
    }

    /// A key kept elsewhere, 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one place that keeps the root key.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a value.
    pub fn seal(&self, aad: &Aad, plain: &[u8], chance: &dyn Chance) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        chance.fill(&mut nonce);
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = self.cipher().seal_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(&aad.0),
            &mut text,
        );
        // Sealing fails only beyond 64 GiB; an empty answer opens nowhere.
        let Ok(tag) = tag else { return Vec::new() };
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len() + tag.as_ref().len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`CannotOpen`].
    pub fn open(&self, aad: &Aad, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (&version, rest) = sealed.split_first().ok_or(CannotOpen)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CannotOpen)?;
        if version != VERSION {
            return Err(CannotOpen);
        }
        let mut plain = Zeroizing::new(text.to_vec());
        let length = self
            .cipher()
            .open_in_place(aead::Nonce::assume_unique_for_key(*nonce), aead::Aad::from(&aad.0), &mut plain)
            .map_err(|_| CannotOpen)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// Seals another key under this one.
    pub fn wrap(&self, aad: &Aad, key: &Self, chance: &dyn Chance) -> Vec<u8> {
        self.seal(aad, &key.0, chance)
    }

    /// Opens a wrapped key.
    ///
    /// # Errors
    /// [`CannotOpen`].
    pub fn unwrap(&self, aad: &Aad, wrapped: &[u8]) -> Result<Self, CannotOpen> {
        let plain = self.open(aad, wrapped)?;
        plain.as_slice().try_into().map(Self).map_err(|_| CannotOpen)
    }

    /// 64 bytes that follow from this key and a place (HMAC-SHA-512): for keys that must be shown again later, such as
    /// the shared keys of a storage account, without being kept anywhere.
    pub fn derive(&self, place: &Aad) -> Zeroizing<Vec<u8>> {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &self.0), &place.0);
        Zeroizing::new(tag.as_ref().to_vec())
    }

    #[expect(clippy::expect_used, reason = "a key of 32 bytes is always a key of AES-256")]
    fn cipher(&self) -> aead::LessSafeKey {
        aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &self.0).expect("32 bytes"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(redacted)")
    }
}

impl Aad {
    /// `purpose` names the kind of thing sealed: `tenant key`, `vault key`, `secret`, `signing key`.
    pub fn of(purpose: &'static str) -> Self {
        Self(Vec::new()).field(purpose)
    }

    /// What the wrapped data key of a vault or an account is bound to.
    pub fn of_data_key(tenant: impl fmt::Display) -> Self {
        Self::of("data key").field(tenant)
    }

    /// What the wrapped key of a tenant is bound to.
    pub fn of_tenant_key(tenant: impl fmt::Display) -> Self {
        Self::of("tenant key").field(tenant)
    }

    /// What a token signing key is bound to.
    pub fn of_signing_key(tenant: impl fmt::Display, kid: &str) -> Self {
        Self::of("signing key").field(tenant).field(kid)
    }

    /// What a version of a secret is bound to; `vault` is the folded resource id.
    pub fn of_secret(tenant: impl fmt::Display, vault: &str, name: &str, version: &str) -> Self {
        Self::of("secret").field(tenant).field(vault).field(name.to_ascii_lowercase()).field(version)
    }

    /// What the shared key of a storage account follows from: its name, and when it was made.
    pub fn of_shared_key(tenant: impl fmt::Display, account: &str, (name, made): (&str, &str)) -> Self {
        Self::of("shared key").field(tenant).field(account).field(name).field(made)
    }

    /// Binds one more field.
    #[must_use]
    pub fn field(mut self, field: impl fmt::Display) -> Self {
        let text = field.to_string();
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }
}

#[cfg(test)]
mod tests {
    use cs_time::SeededChance;

    use super::*;

    #[test]
    fn opens_only_with_its_key_at_its_place() {
        let chance = SeededChance::new(1);
        let (key, other) = (Key::draw(&chance), Key::draw(&chance));
        let place = || Aad::of("secret").field("vault").field("name");
        let sealed = key.seal(&place(), b"s3cr3t", &chance);
        assert_eq!(key.open(&place(), &sealed).unwrap().as_slice(), b"s3cr3t");
        assert_eq!(other.open(&place(), &sealed), Err(CannotOpen));
        for elsewhere in [
            Aad::of("secret").field("vaultn").field("ame"),
            Aad::of("secret").field("vault"),
            place().field(""),
        ] {
            assert_eq!(key.open(&elsewhere, &sealed), Err(CannotOpen));
        }
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&place(), &changed), Err(CannotOpen), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(&place(), &sealed[..length]), Err(CannotOpen));
        }
        assert_ne!(sealed, key.seal(&place(), b"s3cr3t", &chance));
    }

    #[test]
    fn what_is_derived_follows_from_key_and_place() {
        let chance = SeededChance::new(3);
        let (key, other) = (Key::draw(&chance), Key::draw(&chance));
        let place = |name: &str| Aad::of("shared key").field("account").field(name);
        let one = key.derive(&place("key1"));
        assert_eq!((one.len(), &one), (64, &key.derive(&place("key1"))));
        assert_ne!(one, key.derive(&place("key2")));
        assert_ne!(one, other.derive(&place("key1")));
    }

    #[test]
    fn keys_wrap_keys_and_are_not_printed() {
        let chance = SeededChance::new(2);
        let (root, tenant) = (Key::draw(&chance), Key::draw(&chance));
        let wrapped = root.wrap(&Aad::of("tenant key"), &tenant, &chance);
        assert_eq!(root.unwrap(&Aad::of("tenant key"), &wrapped).unwrap().expose(), tenant.expose());
        assert_eq!(format!("{tenant:?}"), "Key(redacted)");
    }
}
