//! Signing and splitting from outside, and what an attacker would send.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use cs_jose::{Jws, MachineKey, PublicKey, RsaKey, Signer, decode_url, encode_url};
use proptest::prelude::*;
use serde_json::{Value, json};

fn authority() -> (Signer, PublicKey, Value) {
    let key = RsaKey::generate().unwrap();
    let jwk = key.public();
    (Signer::authority(key, "kid-1"), jwk.public_key().unwrap(), serde_json::to_value(&jwk).unwrap())
}

fn with_header(token: &str, header: &Value) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", encode_url(header.to_string()))
}

fn verifies(token: &str, key: &PublicKey) -> bool {
    Jws::split(token).is_ok_and(|jws| jws.verifies(key))
}

#[test]
fn an_independent_library_agrees() {
    let (signer, key, jwk) = authority();
    let token = signer.sign(&json!({"aud": "https://vault.azure.net", "exp": 4_000_000_000_u64})).unwrap();
    assert!(verifies(&token, &key));
    let theirs = jsonwebtoken::DecodingKey::from_rsa_components(
        jwk["n"].as_str().unwrap(),
        jwk["e"].as_str().unwrap(),
    )
    .unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&["https://vault.azure.net"]);
    let read = jsonwebtoken::decode::<Value>(&token, &theirs, &rules).unwrap();
    assert_eq!(read.header.kid.as_deref(), Some("kid-1"));
}

#[test]
fn machine_keys_survive_their_file() {
    let key = MachineKey::generate().unwrap();
    let again = MachineKey::from_pkcs8(key.pkcs8()).unwrap();
    let public = key.public().public_key().unwrap();
    assert!(verifies(&Signer::machine(again).sign(&json!({})).unwrap(), &public));
    assert!(!verifies(&Signer::machine(MachineKey::generate().unwrap()).sign(&json!({})).unwrap(), &public));
}

#[test]
fn rsa_keys_survive_their_row() {
    let key = RsaKey::generate().unwrap();
    let again = RsaKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(key.public(), again.public());
}

#[test]
fn b01_alg_none_in_any_case_is_refused() {
    let (signer, key, _) = authority();
    let token = signer.sign(&json!({"sub": "x"})).unwrap();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let forged = with_header(&token, &json!({"alg": alg, "typ": "JWT"}));
        assert!(!verifies(&forged, &key), "{alg}");
        let unsigned = format!("{}.", forged.rsplit_once('.').unwrap().0);
        assert!(!verifies(&unsigned, &key), "{alg}");
    }
}

#[test]
fn b02_hmac_with_our_public_key_is_refused() {
    use aws_lc_rs::hmac;
    let (_, key, jwk) = authority();
    for secret in [jwk.to_string().into_bytes(), decode_url(jwk["n"].as_str().unwrap()).unwrap()] {
        let signed =
            format!("{}.{}", encode_url(r#"{"alg":"HS256","typ":"JWT"}"#), encode_url(r#"{"sub":"x"}"#));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        assert!(!verifies(&format!("{signed}.{}", encode_url(tag)), &key));
    }
}

#[test]
fn b03_keys_in_the_header_are_never_used() {
    let (_, key, _) = authority();
    let own = RsaKey::generate().unwrap();
    let jwk = own.public();
    let head = json!({"alg": "RS256", "typ": "JWT", "jwk": jwk, "jku": "https://evil.example/keys", "x5u": "https://evil.example", "x5c": ["AA=="]});
    let signed = format!("{}.{}", encode_url(head.to_string()), encode_url("{}"));
    let token = format!("{signed}.{}", encode_url(own.sign(signed.as_bytes()).unwrap()));
    assert!(verifies(&token, &jwk.public_key().unwrap()));
    assert!(!verifies(&token, &key));
}

#[test]
fn b04_odd_kids_are_text_or_nothing() {
    let (signer, ..) = authority();
    let token = signer.sign(&json!({})).unwrap();
    for kid in ["../../etc/passwd", "' OR 1=1 --"] {
        let jws = with_header(&token, &json!({"alg": "RS256", "kid": kid}));
        assert_eq!(Jws::split(&jws).unwrap().header.kid.as_deref(), Some(kid));
    }
    assert!(Jws::split(&with_header(&token, &json!({"alg": "RS256", "kid": "k".repeat(1 << 20)}))).is_err());
    assert!(Jws::split(&with_header(&token, &json!({"alg": "RS256", "kid": 7}))).is_err());
    let doubled = format!(
        "{}.{}",
        encode_url(r#"{"alg":"RS256","kid":"a","kid":"b"}"#),
        token.split_once('.').unwrap().1
    );
    assert!(Jws::split(&doubled).is_err());
}

#[test]
fn b05_b06_extensions_and_other_forms_are_refused() {
    let (signer, ..) = authority();
    let token = signer.sign(&json!({})).unwrap();
    for head in [
        json!({"alg": "RS256", "crit": ["exp"], "exp": 1}),
        json!({"alg": "RS256", "b64": false, "crit": ["b64"]}),
        json!({"alg": "RS256", "b64": true}),
        json!({"alg": "RS256", "typ": "JOSE+JSON"}),
        json!({"alg": "RS256", "typ": "at+jwt"}),
        json!({"typ": "JWT"}),
        json!([]),
    ] {
        assert!(Jws::split(&with_header(&token, &head)).is_err(), "{head}");
    }
    for other in ["", ".", "..", "a.b", "a.b.c.d.e", &format!("{token}."), &token.replace('.', ". ")] {
        assert!(Jws::split(other).is_err(), "{other}");
    }
}

#[test]
fn padded_parts_verify_over_the_bytes_as_received() {
    let key = RsaKey::generate().unwrap();
    let pad = |text: &str| {
        let e = encode_url(text);
        let n = (4 - e.len() % 4) % 4;
        e + &"=".repeat(n)
    };
    let signed = format!("{}.{}", pad(r#"{"alg":"RS256","typ":"JWT"}"#), pad(r#"{"sub":"a"}"#));
    let token = format!("{signed}.{}", encode_url(key.sign(signed.as_bytes()).unwrap()));
    let public = key.public().public_key().unwrap();
    assert!(verifies(&token, &public));
    assert!(!verifies(&token.replace('=', ""), &public) || !signed.contains('='));
}

#[test]
fn an_independent_library_signs_what_we_verify() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let key = RsaKey::generate().unwrap();
    let public = key.public().public_key().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        cs_jose::encode_std(key.to_pkcs8().unwrap().as_slice())
    );
    let theirs = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let token = encode(&Header::new(algorithm), &json!({"sub": "x"}), &theirs).unwrap();
        assert!(verifies(&token, &public), "{algorithm:?}");
        assert!(!verifies(&token, &RsaKey::generate().unwrap().public().public_key().unwrap()));
    }
    for other in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS384, Algorithm::PS512] {
        let token = encode(&Header::new(other), &json!({"sub": "x"}), &theirs).unwrap();
        assert!(!verifies(&token, &public), "{other:?}");
    }
}

proptest! {
    /// No bytes break the reader, and what it reads is bounded and of three parts.
    #[test]
    fn b06_splitting_never_breaks(text in prop_oneof![
        any::<String>(),
        "[A-Za-z0-9_=.-]{0,300}",
        ("\\PC{0,60}", "\\PC{0,60}", any::<Vec<u8>>()).prop_map(|(head, claims, signature)|
            format!("{}.{}.{}", encode_url(head), encode_url(claims), encode_url(signature))),
        ("[a-z0-9]{0,6}", "[a-zA-Z+]{0,6}", any::<i64>()).prop_map(|(alg, typ, exp)| format!("{}.{}.AA",
            encode_url(json!({"alg": alg, "typ": typ}).to_string()), encode_url(json!({"exp": exp}).to_string()))),
    ]) {
        if Jws::split(&text).is_ok() {
            prop_assert_eq!(text.split('.').count(), 3);
            prop_assert!(text.len() <= 16 * 1024);
        }
    }

    /// A changed token verifies only where it is still the very same token: its bytes are what was signed.
    #[test]
    fn a_changed_byte_is_noticed(at in 0usize..150, byte in any::<u8>()) {
        thread_local! {
            static MADE: (String, PublicKey) = {
                let key = MachineKey::generate().unwrap();
                let public = key.public().public_key().unwrap();
                (Signer::machine(key).sign(&json!({"sub": "somebody", "exp": 4_000_000_000_u64})).unwrap(), public)
            };
        }
        MADE.with(|(token, key)| {
            let mut changed = token.clone().into_bytes();
            let at = at % token.rfind('.').unwrap();
            changed[at] = byte;
            let Ok(changed) = String::from_utf8(changed) else { return };
            assert!(&changed == token || !verifies(&changed, key));
        });
    }
}
