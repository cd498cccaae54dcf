//! Keys that clients sign requests with (HMAC-SHA-256).

use std::fmt;

use aws_lc_rs::hmac;

/// A key both sides know. Never printed.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, text).as_ref().to_vec()
    }

    /// Compares in constant time.
    pub fn verifies(&self, text: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.0, text, mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn the_check_value_of_the_document() {
        let key = MacKey::new(b"Jefe");
        let mac = key.sign(b"what do ya want for nothing?");
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(key.verifies(b"what do ya want for nothing?", &mac));
        assert!(!key.verifies(b"what do ya want for nothing?", &mac[..31]) && !key.verifies(b"what", &mac));
        assert_eq!(format!("{key:?}"), "MacKey(redacted)");
    }
}
