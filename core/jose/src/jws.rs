//! Compact JWS (RFC 7515 3.1): splitting, verifying, signing.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{BadKey, MachineKey, PublicKey, RsaKey, decode_url, encode_url, strict_object};

/// The longest token that is read. HTTP surfaces take 16 KiB (sts.md 8) and see to that themselves; as the password of a
/// database a token may be this long (postgres.md 8).
const JWS_MAX_BYTES: usize = 64 * 1024;

/// Not a JWS we read; which rule it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signed token: {0}")]
pub struct BadJws(pub &'static str);

/// What of a header matters. Everything else (`jwk`, `jku`, `x5u`, `x5c`) is never looked at (B03).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwsHeader {
    pub alg: String,
    pub kid: Option<String>,
    /// SHA-1 thumbprint as sent.
    pub x5t: Option<String>,
    /// SHA-256 thumbprint as sent.
    pub x5t_s256: Option<String>,
}

/// A split JWS. Nothing of it is proven until [`Jws::verifies`].
#[derive(Debug, Clone)]
pub struct Jws<'t> {
    pub header: JwsHeader,
    pub claims: Map<String, Value>,
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Splits and reads a token.
    ///
    /// # Errors
    /// [`BadJws`]: over 64 KiB, not three parts (JWE, nested), not base64url, not JSON objects, doubled members,
    /// `crit` or `b64` present (B05, B06), a `typ` other than `JWT` (sts.md 8).
    pub fn split(token: &'t str) -> Result<Self, BadJws> {
        if token.len() > JWS_MAX_BYTES {
            return Err(BadJws("too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadJws("not three parts"));
        };
        let object = |part: &str| strict_object(&decode_url(part)?);
        let head = object(header).ok_or(BadJws("the header cannot be read"))?;
        if head.contains_key("crit") || head.contains_key("b64") {
            return Err(BadJws("an extension we do not know"));
        }
        let text = |name: &str| match head.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(BadJws("a header member is not text")),
        };
        if text("typ")?.is_some_and(|t| !t.eq_ignore_ascii_case("jwt")) {
            return Err(BadJws("another type"));
        }
        Ok(Self {
            header: JwsHeader {
                alg: text("alg")?.ok_or(BadJws("no algorithm"))?,
                kid: text("kid")?,
                x5t: text("x5t")?,
                x5t_s256: text("x5t#S256")?,
            },
            claims: object(claims).ok_or(BadJws("the claims cannot be read"))?,
            signed: &token[..header.len() + 1 + claims.len()],
            signature: decode_url(signature).ok_or(BadJws("the signature cannot be read"))?,
        })
    }

    /// Whether the signature is this key's over the bytes as received, by an algorithm that suits the key.
    pub fn verifies(&self, key: &PublicKey) -> bool {
        key.verify(&self.header.alg, self.signed.as_bytes(), &self.signature)
    }
}

/// Signs tokens with one key; the header is encoded once.
#[derive(Debug)]
pub struct Signer {
    prefix: String,
    key: SigningKey,
}

#[derive(Debug)]
enum SigningKey {
    Rsa(RsaKey),
    Machine(MachineKey),
}

impl Signer {
    /// The authority's: `{"typ":"JWT","alg":"RS256","x5t":kid,"kid":kid}` (sts.md 6).
    pub fn authority(key: RsaKey, kid: &str) -> Self {
        #[derive(Serialize)]
        struct Header<'k> {
            typ: &'static str,
            alg: &'static str,
            x5t: &'k str,
            kid: &'k str,
        }
        Self::new(&Header { typ: "JWT", alg: "RS256", x5t: kid, kid }, SigningKey::Rsa(key))
    }

    /// An application's with a certificate, for its assertions: the thumbprints name the certificate (sts.md 3.3).
    pub fn certificate(key: RsaKey, sha1: &str, sha256: &str) -> Self {
        #[derive(Serialize)]
        struct Header<'k> {
            typ: &'static str,
            alg: &'static str,
            x5t: &'k str,
            #[serde(rename = "x5t#S256")]
            x5t_s256: &'k str,
        }
        Self::new(&Header { typ: "JWT", alg: "RS256", x5t: sha1, x5t_s256: sha256 }, SigningKey::Rsa(key))
    }

    /// A machine's, for its assertions: `kid` is the thumbprint of its public key.
    pub fn machine(key: MachineKey) -> Self {
        #[derive(Serialize)]
        struct Header {
            typ: &'static str,
            alg: &'static str,
            kid: String,
        }
        Self::new(
            &Header { typ: "JWT", alg: "ES256", kid: key.public().thumbprint() },
            SigningKey::Machine(key),
        )
    }

    fn new(header: &impl Serialize, key: SigningKey) -> Self {
        let mut prefix = encode_url(serde_json::to_vec(header).unwrap_or_default());
        prefix.push('.');
        Self { prefix, key }
    }

    /// Signs claims in the order they serialise.
    ///
    /// # Errors
    /// [`BadKey`] when the claims cannot be written or the library refuses.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, BadKey> {
        let claims = serde_json::to_vec(claims).map_err(|_| BadKey)?;
        let mut token = String::with_capacity(self.prefix.len() + claims.len() * 4 / 3 + 360);
        token.push_str(&self.prefix);
        token.push_str(&encode_url(claims));
        let signature = match &self.key {
            SigningKey::Rsa(key) => key.sign(token.as_bytes())?,
            SigningKey::Machine(key) => key.sign(token.as_bytes())?,
        };
        token.push('.');
        token.push_str(&encode_url(signature));
        Ok(token)
    }
}
