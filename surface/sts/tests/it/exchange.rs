//! Tokens of the site's own managed identities as assertions: how a machine's projected token file becomes another
//! identity (metadata.md 5, workload identity).

use cs_authority::{AuthorityError, KnownResource, TokenCheck, TokenRefusal};
use cs_names::Address;
use serde_json::json;

use crate::world::no_call;
use crate::{
    federated::{AUDIENCE, ask, trust},
    world::{APP, MACHINE_CLIENT, MACHINE_OBJECT, T1, World, claims_of},
};

async fn machines_token(world: &World, audience: &str) -> Result<String, AuthorityError> {
    let issued =
        world.authority.token_for((T1, MACHINE_CLIENT), (audience, &world.address(), no_call())).await;
    issued.map(|token| token.access_token)
}

async fn trusting() -> (World, String) {
    let world = World::new().await;
    let issuer = format!("{}/{T1}/v2.0", world.address().login());
    trust(&world, APP, &issuer, &MACHINE_OBJECT.to_string()).await;
    let token = machines_token(&world, AUDIENCE).await.unwrap();
    (world, token)
}

#[tokio::test]
async fn a_machines_own_token_stands_for_who_trusts_it() {
    let (world, token) = trusting().await;
    let claims = claims_of(&token);
    assert_eq!(
        (claims["ver"].as_str(), claims["aud"].as_str(), claims["azp"].as_str()),
        (Some("2.0"), Some(AUDIENCE), Some(MACHINE_CLIENT.to_string().as_str()))
    );
    let issued = claims_of(&ask(&world, APP, &token).await.token());
    assert_eq!(issued["appid"], json!(APP.to_string()));
    ask(&world, APP, &token).await.token();
    assert!(world.issuers.asked().is_empty(), "its own keys are not fetched over the network");
    world.clock.advance(86_399);
    ask(&world, APP, &token).await.token();
    world.clock.advance(1);
    assert_eq!(ask(&world, APP, &token).await.code(), 700_024);
}

#[tokio::test]
async fn a_token_of_the_site_opens_no_other_door() {
    let (world, token) = trusting().await;
    let audiences = KnownResource::Vault.audiences(&world.address());
    assert_eq!(world.authority.check(&token, &audiences).map(drop), Err(TokenRefusal::Malformed));
    // A token for a resource is no assertion, not even where the credential's other parts fit.
    let other = machines_token(&world, "https://vault.azure.net").await.unwrap();
    assert_eq!(ask(&world, APP, &other).await.code(), 700_211);
    let spelled = machines_token(&world, "api://azureadtokenexchange/").await.unwrap();
    assert_eq!(ask(&world, APP, &spelled).await.code(), 700_212, "b14: nothing is forgiven");
}

#[tokio::test]
async fn c06_a_machine_that_is_gone_is_nobody_any_more() {
    let (world, token) = trusting().await;
    world.live.gone.lock().unwrap().insert(MACHINE_OBJECT);
    assert_eq!(ask(&world, APP, &token).await.code(), 7_000_112);
    world.live.gone.lock().unwrap().clear();
    *world.live.unconfirmed.lock().unwrap() = true;
    assert_eq!(ask(&world, APP, &token).await.code(), 501_661);
}

#[tokio::test]
async fn b33_an_emergency_rotation_ends_its_assertions_too() {
    let (world, token) = trusting().await;
    world.authority.rotate_keys(T1, true).await.unwrap();
    assert_eq!(ask(&world, APP, &token).await.code(), 700_027);
}

#[tokio::test]
async fn under_the_public_clouds_names_the_issuer_is_its_login_host() {
    let world = World::new().await;
    let address = Address::new(cs_names::SiteNames::azure(), 443);
    let token =
        world.authority.token_for((T1, MACHINE_CLIENT), (AUDIENCE, &address, no_call())).await.unwrap();
    let issuer = format!("https://login.microsoftonline.com/{T1}/v2.0");
    assert_eq!(claims_of(&token.access_token)["iss"], json!(issuer));
    trust(&world, APP, &issuer, &MACHINE_OBJECT.to_string()).await;
    ask(&world, APP, &token.access_token).await.token();
}
