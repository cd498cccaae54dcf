//! Keys that sign: the authority's RSA-2048 keys, and the P-256 keys of machines.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use zeroize::Zeroizing;

use crate::Jwk;

/// The bytes are no private key of the kind asked for, or a key could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a private key we can use")]
pub struct BadKey;

/// An RSA-2048 key that signs RS256.
pub struct RsaKey(KeyPair);

impl RsaKey {
    /// Takes a good part of a second of one core.
    ///
    /// # Errors
    /// [`BadKey`] when the library cannot make one.
    pub fn generate() -> Result<Self, BadKey> {
        KeyPair::generate(KeySize::Rsa2048).map(Self).map_err(|_| BadKey)
    }

    /// # Errors
    /// [`BadKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        KeyPair::from_pkcs8(der).map(Self).map_err(|_| BadKey)
    }

    /// The form of `BEGIN RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, BadKey> {
        KeyPair::from_der(der).map(Self).map_err(|_| BadKey)
    }

    /// For keeping, sealed.
    ///
    /// # Errors
    /// [`BadKey`] when the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, BadKey> {
        let der: Pkcs8V1Der<'static> = self.0.as_der().map_err(|_| BadKey)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    pub fn public(&self) -> Jwk {
        let key = self.0.public_key();
        Jwk::rsa(
            key.modulus().big_endian_without_leading_zero(),
            key.exponent().big_endian_without_leading_zero(),
        )
    }

    /// RS256: PKCS#1 v1.5 over SHA-256.
    ///
    /// # Errors
    /// [`BadKey`] when the library refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out)
            .map_err(|_| BadKey)?;
        Ok(out)
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(redacted)")
    }
}

/// A machine's P-256 key: made on the machine, signs ES256.
pub struct MachineKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl MachineKey {
    /// # Errors
    /// [`BadKey`] when the library cannot make one.
    pub fn generate() -> Result<Self, BadKey> {
        let der =
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| BadKey)?;
        Self::from_pkcs8(der.as_ref())
    }

    /// # Errors
    /// [`BadKey`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| BadKey)?;
        Ok(Self { pair, pkcs8: Zeroizing::new(der.to_vec()) })
    }

    /// For the key file, which only its owner may read.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub fn public(&self) -> Jwk {
        // An uncompressed point: 4, x, y.
        let point = self.pair.public_key().as_ref();
        Jwk::p256(&point[1..33], &point[33..65])
    }

    /// ES256: r and s, 32 bytes each.
    ///
    /// # Errors
    /// [`BadKey`] when the library refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BadKey> {
        self.pair.sign(&SystemRandom::new(), message).map(|s| s.as_ref().to_vec()).map_err(|_| BadKey)
    }
}

impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MachineKey(redacted)")
    }
}
