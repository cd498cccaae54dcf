//! Signing and splitting from outside, and what an attacker would send.

use cs_jose::{Jws, MachineKey, PublicKey, RsaKey, Signer, decode_url, encode_url};
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
