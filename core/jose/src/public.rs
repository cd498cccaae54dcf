//! Keys that verify.

use std::fmt;

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{self, ParsedPublicKey, UnparsedPublicKey},
};

/// A public key we take: RSA of 2048 to 8192 bits with an odd exponent from 65537, or P-256.
#[derive(Clone)]
pub struct PublicKey(Kind);

#[derive(Clone)]
enum Kind {
    Rsa { pkcs1: ParsedPublicKey, pss: ParsedPublicKey },
    P256(Box<[u8]>),
}

/// Smallest exponent taken: 1 signs anything, 3 has a history.
const RSA_EXPONENT_MIN: u64 = 65_537;
/// Largest exponent taken, so that verifying stays cheap.
const RSA_EXPONENT_MAX: u64 = (1 << 33) - 1;

impl PublicKey {
    /// From modulus and exponent, big-endian. `None` for sizes and exponents we do not take (B13).
    pub fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let strip = |x: &[u8]| x.iter().position(|b| *b != 0).map(|i| x[i..].to_vec());
        let (n, e) = (strip(n)?, strip(e)?);
        let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
        let exponent = (e.len() <= 8).then(|| e.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b)))?;
        if !(2048..=8192).contains(&bits)
            || !(RSA_EXPONENT_MIN..=RSA_EXPONENT_MAX).contains(&exponent)
            || exponent % 2 == 0
        {
            return None;
        }
        let parts = PublicKeyComponents { n, e };
        let pkcs1 = parts.to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256).ok()?;
        let pss = parts.to_parsed_public_key(&signature::RSA_PSS_2048_8192_SHA256).ok()?;
        Some(Self(Kind::Rsa { pkcs1, pss }))
    }

    /// From the coordinates of a point, 32 bytes each; points off the curve are refused.
    pub fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        if x.len() != 32 || y.len() != 32 {
            return None;
        }
        let point = [&[4][..], x, y].concat();
        UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, &point).parse().ok()?;
        Some(Self(Kind::P256(point.into_boxed_slice())))
    }

    /// Verifies under an algorithm that suits the key: `RS256` or `PS256` for RSA, `ES256` for P-256. The caller
    /// may have read `alg` from a header: any other word, or one of another kind of key, is simply false (B01, B02).
    pub fn verify(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        match (&self.0, alg) {
            (Kind::Rsa { pkcs1, .. }, "RS256") => pkcs1.verify_sig(message, signature).is_ok(),
            (Kind::Rsa { pss, .. }, "PS256") => pss.verify_sig(message, signature).is_ok(),
            (Kind::P256(point), "ES256") => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Rsa { .. } => "PublicKey(RSA)",
            Kind::P256(_) => "PublicKey(P-256)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b13_small_and_odd_keys_are_refused() {
        let n = [0xc5; 256];
        assert!(PublicKey::rsa(&n, &[1, 0, 1]).is_some());
        for (n, e) in [
            (&n[..64], &[1u8, 0, 1][..]),
            (&n[..255], &[1, 0, 1]),
            (&[0xc5; 1025], &[1, 0, 1]),
            (&n, &[1]),
            (&n, &[3]),
            (&n, &[1, 0, 2]),
            (&n, &[]),
            (&n, &[0xff; 9]),
            (&[], &[1, 0, 1]),
        ] {
            assert!(PublicKey::rsa(n, e).is_none(), "{} {e:?}", n.len());
        }
        assert!(PublicKey::p256(&[0; 32], &[0; 32]).is_none());
    }

    #[test]
    fn b13_zero_signatures_are_refused() {
        let key = crate::MachineKey::generate().unwrap().public().public_key().unwrap();
        assert!(!key.verify("ES256", b"message", &[0; 64]));
        assert!(!key.verify("none", b"message", &[]));
    }
}
