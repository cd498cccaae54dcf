//! Public keys as JSON (RFC 7517), and their thumbprints (RFC 7638).

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::{PublicKey, decode_url, encode_url};

/// The public members of a JWK. Others are ignored; a private `d` beside them makes the key refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    pub kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    #[serde(default, skip_serializing)]
    d: Option<serde_json::Value>,
}

impl Jwk {
    pub fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self {
            kty: "RSA".into(),
            n: Some(encode_url(n)),
            e: Some(encode_url(e)),
            crv: None,
            x: None,
            y: None,
            d: None,
        }
    }

    /// Coordinates of a P-256 point, 32 bytes each.
    pub fn p256(x: &[u8], y: &[u8]) -> Self {
        let crv = Some("P-256".into());
        Self {
            kty: "EC".into(),
            n: None,
            e: None,
            crv,
            x: Some(encode_url(x)),
            y: Some(encode_url(y)),
            d: None,
        }
    }

    /// RFC 7638: SHA-256 over the required members in alphabetical order, base64url.
    pub fn thumbprint(&self) -> String {
        let part = |p: &Option<String>| p.clone().unwrap_or_default();
        let text = match self.kty.as_str() {
            "EC" => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                part(&self.crv),
                part(&self.x),
                part(&self.y)
            ),
            _ => format!(r#"{{"e":"{}","kty":"{}","n":"{}"}}"#, part(&self.e), self.kty, part(&self.n)),
        };
        encode_url(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    /// The key itself; `None` for kinds, sizes and exponents we do not take (B13), and for private keys.
    pub fn public_key(&self) -> Option<PublicKey> {
        if self.d.is_some() {
            return None;
        }
        let part = |p: &Option<String>| decode_url(p.as_deref()?);
        match self.kty.as_str() {
            "RSA" => PublicKey::rsa(&part(&self.n)?, &part(&self.e)?),
            "EC" if self.crv.as_deref() == Some("P-256") => PublicKey::p256(&part(&self.x)?, &part(&self.y)?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_of_the_rfc() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                 tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn\
                 1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = Jwk {
            kty: "RSA".into(),
            n: Some(n.into()),
            e: Some("AQAB".into()),
            crv: None,
            x: None,
            y: None,
            d: None,
        };
        assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(jwk.public_key().is_some());
    }

    #[test]
    fn private_and_symmetric_keys_are_refused() {
        for text in [
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#,
        ] {
            assert!(serde_json::from_str::<Jwk>(text).unwrap().public_key().is_none(), "{text}");
        }
        let key = crate::MachineKey::generate().unwrap().public();
        let mut value = serde_json::to_value(&key).unwrap();
        value["d"] = "AAAA".into();
        assert!(serde_json::from_value::<Jwk>(value).unwrap().public_key().is_none());
    }
}
