//! Assertions as clients make them, and as attackers would.

use aws_lc_rs::{digest, rand::SystemRandom, rsa::KeyPair, signature};
use cs_jose::{Signer, encode_std, encode_url};
use serde_json::{Value, json};

use crate::world::{LOGIN, MACHINE_CLIENT, NOW, SIGNED_APP, T1, World, certificate, rsa};

#[derive(Clone, Copy)]
pub enum Algorithm {
    Rs256,
    Ps256,
}

/// Claims of the application with the certificate, as MSAL sends them.
pub fn app_claims() -> Value {
    json!({"aud": format!("{LOGIN}/{T1}/oauth2/v2.0/token"), "iss": SIGNED_APP, "sub": SIGNED_APP,
        "exp": NOW + 600, "iat": NOW, "jti": "3f1c"})
}

pub fn machine_claims(jti: &str) -> Value {
    json!({"aud": format!("{LOGIN}/{T1}/oauth2/token"), "iss": MACHINE_CLIENT, "sub": MACHINE_CLIENT,
        "iat": NOW, "exp": NOW + 300, "jti": jti})
}

/// The claims with some members changed; `null` takes one away.
pub fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub fn sha256() -> Vec<u8> {
    digest::digest(&digest::SHA256, &certificate()).as_ref().to_vec()
}

pub fn sha1() -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate()).as_ref().to_vec()
}

/// Signed by the application's certificate, named by its SHA-256.
pub fn app(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": encode_url(sha256())});
    by_rsa(2, Algorithm::Rs256, &encode_url(header.to_string()), &encode_url(claims.to_string()))
}

/// Signed over two parts as given, so that they may be padded or damaged.
pub fn by_rsa(which: usize, algorithm: Algorithm, header: &str, claims: &str) -> String {
    let signed = format!("{header}.{claims}");
    let signature = match algorithm {
        Algorithm::Rs256 => rsa(which).sign(signed.as_bytes()).unwrap(),
        Algorithm::Ps256 => {
            let pair = KeyPair::from_pkcs8(&rsa(which).to_pkcs8().unwrap()).unwrap();
            let mut out = vec![0; pair.public_modulus_len()];
            pair.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut out).unwrap();
            out
        }
    };
    format!("{signed}.{}", encode_url(signature))
}

/// With a header of our own over the usual claims, signed by the certificate's key.
pub fn with_header(header: &Value) -> String {
    with_header_text(&header.to_string())
}

pub fn with_header_text(header: &str) -> String {
    by_rsa(2, Algorithm::Rs256, &encode_url(header), &encode_url(app_claims().to_string()))
}

pub fn machine(world: &World, claims: &Value) -> String {
    let key = cs_jose::MachineKey::from_pkcs8(world.machine_key.pkcs8()).unwrap();
    Signer::machine(key).sign(claims).unwrap()
}

/// One thumbprint in the four spellings of the field.
pub fn spellings(bytes: &[u8]) -> [String; 4] {
    let (url, std) = (encode_url(bytes), encode_std(bytes));
    let bare = std.trim_end_matches('=').to_owned();
    let padded = format!("{url}{}", "=".repeat(std.len() - bare.len()));
    [url, padded, bare, std]
}
