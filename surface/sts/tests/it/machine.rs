//! Heartbeats, rotation of a machine's key, and copies of machines (C04).

use std::sync::atomic::{AtomicU64, Ordering};

use cs_jose::{MachineKey, Signer};
use cs_store::{AuditLog, AuditQuery, Directory, MachineKeyRing};
use serde_json::{Value, json};

use crate::{
    signed::{machine_claims, with},
    world::{Answer, LOGIN, MACHINE_CLIENT, MACHINE_OBJECT, NOW, T1, World},
};

const QUARANTINE: &str = "Microsoft.HybridCompute/machines/quarantine/action";

/// Another one each time.
pub fn jti() -> String {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    format!("jti-{}", DRAWN.fetch_add(1, Ordering::Relaxed))
}

fn copy(key: &MachineKey) -> MachineKey {
    MachineKey::from_pkcs8(key.pkcs8()).unwrap()
}

pub fn sign(key: &MachineKey, claims: &Value) -> String {
    Signer::machine(copy(key)).sign(claims).unwrap()
}

pub fn claims(world: &World, path: &str) -> Value {
    let now = world.clock_now().seconds();
    json!({"aud": format!("{LOGIN}/{T1}/machine/{path}"), "iss": MACHINE_CLIENT, "sub": MACHINE_CLIENT,
        "iat": now, "exp": now + 120, "jti": jti()})
}

pub async fn send(world: &World, path: &str, statement: &str) -> Answer {
    world.post(&format!("/{T1}/machine/{path}"), &[("statement", statement)]).await
}

async fn beat(world: &World, key: &MachineKey, counter: i64, nonce: &str) -> Answer {
    let claims = with(claims(world, "heartbeat"), json!({"counter": counter, "nonce": nonce}));
    send(world, "heartbeat", &sign(key, &claims)).await
}

fn offer_claims(world: &World, new: &MachineKey) -> Value {
    let proof = sign(new, &claims(world, "key"));
    with(claims(world, "key"), json!({"key": new.public(), "proof": proof}))
}

async fn offer(world: &World, old: &MachineKey, new: &MachineKey) -> Answer {
    send(world, "key", &sign(old, &offer_claims(world, new))).await
}

async fn token(world: &World, key: &MachineKey) -> Answer {
    let now = world.clock_now().seconds();
    let claims = with(machine_claims(&jti()), json!({"iat": now, "exp": now + 120}));
    world.by_assertion(&sign(key, &claims)).await
}

fn generation(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["generation"].as_i64().unwrap()
}

#[tokio::test]
async fn a_machine_rotates_its_key_and_both_are_good_until_the_new_one_is_used() {
    let world = World::new().await;
    let (old, new) = (copy(&world.machine_key), MachineKey::generate().unwrap());
    assert_eq!(generation(&beat(&world, &old, 1, "a").await), 1);
    for _ in 0..2 {
        assert_eq!(offer(&world, &old, &new).await.json()["offered"], new.public().thumbprint());
    }
    token(&world, &old).await.token();
    token(&world, &new).await.token();
    assert_eq!(generation(&beat(&world, &old, 2, "b").await), 1, "still the old one");
    assert_eq!(generation(&beat(&world, &new, 3, "c").await), 2);
    assert_eq!(generation(&beat(&world, &new, 3, "c").await), 2, "the answer was lost");
    token(&world, &new).await.token();
    assert_eq!(token(&world, &old).await.code(), 700_027, "at once refused, as what may have been under way");
    assert!(world.store.principal(T1, MACHINE_OBJECT).await.unwrap().unwrap().enabled);
    let log = world.store.records(T1, AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let rotations: Vec<_> = log.iter().filter(|r| r.action.ends_with("rotateKey/action")).collect();
    assert_eq!(rotations.len(), 2, "offered once and taken over once: {rotations:?}");
}

#[tokio::test]
async fn c04_two_agents_with_one_key_are_both_refused_until_somebody_looks() {
    let world = World::new().await;
    let key = copy(&world.machine_key);
    beat(&world, &key, 1, "both").await;
    generation(&beat(&world, &key, 2, "of-one").await);
    assert_eq!(beat(&world, &key, 2, "of-the-other").await.code(), 7_000_112);
    for refused in [beat(&world, &key, 3, "of-one").await, token(&world, &key).await] {
        assert_eq!(refused.code(), 7_000_112);
        assert!(refused.text.contains("is quarantined: two agents use") && refused.text.contains("release"));
    }
    let new = MachineKey::generate().unwrap();
    assert_eq!(offer(&world, &key, &new).await.code(), 7_000_112, "a new key does not lead around it");
    let log = world.store.records(T1, AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(log.iter().filter(|r| r.action == QUARANTINE).count(), 1);
    assert!(world.store.release(T1, MACHINE_CLIENT, world.audit()).await.unwrap());
    generation(&beat(&world, &key, 3, "of-one").await);
    token(&world, &key).await.token();
}

#[tokio::test]
async fn c04_a_key_that_was_replaced_shows_a_copy_of_the_machine() {
    let world = World::new().await;
    let (old, new) = (copy(&world.machine_key), MachineKey::generate().unwrap());
    offer(&world, &old, &new).await;
    assert_eq!(generation(&beat(&world, &new, 1, "a").await), 2);
    world.clock.advance(120);
    assert_eq!(token(&world, &old).await.code(), 700_027, "it may have been under way");
    world.clock.advance(1);
    assert_eq!(token(&world, &old).await.code(), 7_000_112, "signed after it was replaced: a copy");
    assert_eq!(token(&world, &new).await.code(), 7_000_112, "nobody knows which is the machine");
    assert!(world.store.release(T1, MACHINE_CLIENT, world.audit()).await.unwrap());
    assert_eq!(token(&world, &old).await.code(), 700_027, "known by now: no more than refused");
    token(&world, &new).await.token();
}

#[tokio::test]
async fn c04_forged_replayed_and_misdirected_statements_move_nothing() {
    let world = World::new().await;
    let (key, stranger) = (copy(&world.machine_key), MachineKey::generate().unwrap());
    let good = with(claims(&world, "heartbeat"), json!({"counter": 5, "nonce": "n"}));
    assert_eq!(send(&world, "heartbeat", &sign(&stranger, &good)).await.code(), 700_027);
    for (change, code) in [
        (json!({"aud": format!("{LOGIN}/{T1}/oauth2/token")}), 700_023),
        (json!({"aud": format!("{LOGIN}/{T1}/machine/key")}), 700_023),
        (json!({"aud": format!("https://elsewhere.example/{T1}/machine/heartbeat")}), 700_023),
        (json!({"exp": NOW - 1}), 700_024),
        (json!({"exp": NOW + 301}), 700_024),
        (json!({"jti": null}), 50_012),
        (json!({"sub": "someone else"}), 50_048),
        (json!({"counter": 0}), 50_012),
        (json!({"counter": 1.5}), 50_012),
        (json!({"counter": "5"}), 50_012),
        (json!({"nonce": ""}), 50_012),
        (json!({"nonce": "x".repeat(65)}), 50_012),
        (json!({"nonce": "a b"}), 50_012),
    ] {
        let fresh = with(good.clone(), json!({"jti": jti()}));
        let bad = with(fresh, change.clone());
        assert_eq!(send(&world, "heartbeat", &sign(&key, &bad)).await.code(), code, "{change}");
    }
    let once = sign(&key, &good);
    generation(&send(&world, "heartbeat", &once).await);
    assert_eq!(send(&world, "heartbeat", &once).await.code(), 50_012, "b11: each counts once");
    assert_eq!(
        world.by_assertion(&sign(&key, &good)).await.code(),
        700_023,
        "a heartbeat is no token request"
    );
    let keys = world.store.machine_keys(T1, MACHINE_CLIENT).await.unwrap().unwrap();
    assert_eq!((keys.counter, keys.quarantined), (Some(5), None));
}

#[tokio::test]
async fn c04_a_next_key_is_vouched_for_and_signs_for_itself() {
    let world = World::new().await;
    let (old, new) = (copy(&world.machine_key), MachineKey::generate().unwrap());
    let (other, good) = (MachineKey::generate().unwrap(), offer_claims(&world, &new));
    assert_eq!(send(&world, "key", &sign(&new, &good)).await.code(), 700_027, "not by itself alone");
    let of_another = sign(&other, &claims(&world, "key"));
    let for_another = sign(&new, &with(claims(&world, "key"), json!({"sub": T1})));
    let elsewhere = sign(&new, &claims(&world, "heartbeat"));
    let mut private = serde_json::to_value(new.public()).unwrap();
    private["d"] = json!("AAAA");
    for change in [
        json!({"proof": of_another}),
        json!({"proof": for_another}),
        json!({"proof": elsewhere}),
        json!({"proof": null}),
        json!({"key": null}),
        json!({"key": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
        json!({"key": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}}),
        json!({"key": private}),
    ] {
        let changed = with(with(good.clone(), json!({"jti": jti()})), change.clone());
        let answer = send(&world, "key", &sign(&old, &changed)).await;
        assert_eq!(answer.code(), 50_012, "{change}: {}", answer.text);
    }
    assert_eq!(world.store.credentials(T1, MACHINE_CLIENT).await.unwrap().len(), 1, "nothing was added");
    assert_eq!(send(&world, "key", &sign(&old, &good)).await.status, 200);
}
