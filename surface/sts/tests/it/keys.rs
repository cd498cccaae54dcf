//! Signing keys over time (B33).

use cs_authority::{KnownResource, TokenCheck, TokenRefusal};
use cs_jose::Jws;

use crate::world::{APP, T1, VAULT, World, no_call};

const DAY: i64 = 86_400;

async fn token(world: &World) -> String {
    world.authority.token_for((T1, APP), (VAULT, &world.address(), no_call())).await.unwrap().access_token
}

fn kid(token: &str) -> String {
    Jws::split(token).unwrap().header.kid.unwrap()
}

fn check(world: &World, token: &str) -> Result<(), TokenRefusal> {
    world.authority.check(token, &KnownResource::Vault.audiences(&world.address())).map(drop)
}

async fn published(world: &World) -> Vec<String> {
    let keys = world.get(&format!("/{T1}/discovery/v2.0/keys")).await.json();
    keys["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn b33_a_new_key_is_published_a_day_before_it_signs() {
    let world = World::new().await;
    let old = token(&world).await;
    let new = world.authority.rotate_keys(T1, false).await.unwrap();
    assert_eq!(published(&world).await.len(), 2);
    assert_eq!(kid(&token(&world).await), kid(&old));
    world.clock.advance(DAY - 1);
    let last = token(&world).await;
    assert_eq!(kid(&last), kid(&old));
    world.clock.advance(1);
    assert_eq!(kid(&token(&world).await), new);
    check(&world, &last).unwrap();
    world.clock.advance(DAY);
    assert_eq!(check(&world, &last), Err(TokenRefusal::Signature));
    assert_eq!(published(&world).await, [new]);
}

#[tokio::test]
async fn b33_an_emergency_ends_every_older_key_at_once() {
    let world = World::new().await;
    let first = token(&world).await;
    check(&world, &first).unwrap();
    // The first key is on its way out, the second waits to sign: neither outlives the emergency.
    let second = world.authority.rotate_keys(T1, false).await.unwrap();
    world.clock.advance(DAY + 1);
    let waiting = token(&world).await;
    assert_eq!(kid(&waiting), second);
    check(&world, &first).expect_err("it ran out by itself");
    let first = world.forged(&serde_json::Value::Object(crate::world::claims_of(&waiting)));
    check(&world, &first).unwrap();
    let third = world.authority.rotate_keys(T1, true).await.unwrap();
    for old in [first, waiting] {
        assert_eq!(check(&world, &old), Err(TokenRefusal::Signature));
    }
    assert_eq!(published(&world).await, std::slice::from_ref(&third));
    let fresh = token(&world).await;
    assert_eq!(kid(&fresh), third);
    check(&world, &fresh).unwrap();
}

#[tokio::test]
async fn a_key_made_here_is_read_back_by_another_replica() {
    let world = World::new().await;
    let new = world.authority.rotate_keys(T1, true).await.unwrap();
    world.authority.reload().await.unwrap();
    assert_eq!(published(&world).await, [new]);
}
