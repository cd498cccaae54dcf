//! Tokens as resources meet them.

use cs_authority::{KnownResource, TokenCheck, TokenRefusal};
use cs_jose::{Signer, encode_url};
use cs_names::{Address, SiteNames};
use cs_store::Site;
use serde_json::{Value, json};

use crate::world::no_call;
use crate::{
    signed::with,
    world::{APP, APP_OBJECT, ARM, LOGIN, NOW, SECRET, T1, T2, VAULT, World, claims_of, rsa},
};

fn check(world: &World, token: &str) -> Result<cs_rbac::Caller, TokenRefusal> {
    world.authority.check(token, &KnownResource::Vault.audiences(&world.address()))
}

async fn token(world: &World) -> String {
    world.by_secret(SECRET, &format!("{VAULT}/.default")).await.token()
}

async fn forged(world: &World, changes: Value) -> Result<cs_rbac::Caller, TokenRefusal> {
    let claims = Value::Object(claims_of(&token(world).await));
    check(world, &world.forged(&with(claims, changes)))
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let world = World::new().await;
    let token = token(&world).await;
    for _ in 0..2 {
        let caller = check(&world, &token).unwrap();
        assert_eq!((caller.tenant, caller.object, caller.client), (T1, APP_OBJECT, APP));
        assert_eq!(caller.issuer, format!("{LOGIN}/{T1}/"));
    }
    assert!(forged(&world, json!({})).await.is_ok(), "what the other tests change is good unchanged");
}

#[tokio::test]
async fn b08_lifetimes_end_also_for_remembered_tokens() {
    let world = World::new().await;
    let token = token(&world).await;
    check(&world, &token).unwrap();
    world.clock.advance(3599 + 299);
    check(&world, &token).unwrap();
    world.clock.advance(1);
    assert!(matches!(check(&world, &token), Err(TokenRefusal::Expired(_))));
}

#[tokio::test]
async fn b08_odd_times_in_tokens_are_refused() {
    let world = World::new().await;
    for change in [json!({"nbf": NOW + 301}), json!({"iat": NOW + 301})] {
        assert_eq!(forged(&world, change).await, Err(TokenRefusal::NotYetValid));
    }
    for change in [
        json!({"exp": "1900000000"}),
        json!({"exp": null}),
        json!({"nbf": -1}),
        json!({"exp": 1e18}),
        json!({"iat": null}),
    ] {
        assert_eq!(forged(&world, change.clone()).await, Err(TokenRefusal::Malformed), "{change}");
    }
}

#[tokio::test]
async fn b01_b05_b06_forged_headers_are_refused() {
    let world = World::new().await;
    let good = token(&world).await;
    let (_, rest) = good.split_once('.').unwrap();
    let kid = rsa(0).public().thumbprint();
    for (header, refusal) in [
        (json!({"alg": "none", "kid": kid}), TokenRefusal::Signature),
        (json!({"alg": "HS256", "kid": kid}), TokenRefusal::Signature),
        (json!({"alg": "PS256", "kid": kid}), TokenRefusal::Signature),
        (json!({"alg": "RS256"}), TokenRefusal::Signature),
        (json!({"alg": "RS256", "kid": "unknown"}), TokenRefusal::Signature),
        (json!({"alg": "RS256", "kid": kid, "crit": ["x"]}), TokenRefusal::Malformed),
        (json!({"alg": "RS256", "kid": kid, "typ": "at+jwt"}), TokenRefusal::Malformed),
    ] {
        let forged = format!("{}.{rest}", encode_url(header.to_string()));
        assert_eq!(check(&world, &forged), Err(refusal), "{header}");
    }
    let swapped = format!("{}x", &good[..good.len() - 1]);
    assert!(check(&world, &swapped).is_err());
    for other in ["", "a.b.c", &format!("{good}.x.y"), &"a".repeat(20_000)] {
        assert_eq!(check(&world, other), Err(TokenRefusal::Malformed));
    }
}

#[tokio::test]
async fn b03_a_key_of_ones_own_signs_nothing_here() {
    let world = World::new().await;
    let claims = Value::Object(claims_of(&token(&world).await));
    let kid = rsa(0).public().thumbprint();
    let forged = Signer::authority(rsa(3), &kid).sign(&claims).unwrap();
    assert_eq!(check(&world, &forged), Err(TokenRefusal::Signature));
}

#[tokio::test]
async fn b25_one_tenants_key_speaks_for_no_other_tenant() {
    let world = World::new().await;
    for change in [
        json!({"tid": T2, "iss": format!("{LOGIN}/{T2}/")}),
        json!({"tid": T2}),
        json!({"iss": format!("{LOGIN}/{T2}/")}),
        json!({"iss": format!("https://login.evil.example/{T1}/")}),
        json!({"iss": format!("{LOGIN}/{T1}")}),
        json!({"iss": format!("{LOGIN}/{T1}//")}),
        json!({"iss": ""}),
    ] {
        let refused = forged(&world, change.clone()).await;
        assert!(matches!(refused, Err(TokenRefusal::Issuer { .. })), "{change} {refused:?}");
    }
    let v2 = forged(&world, json!({"iss": format!("{LOGIN}/{T1}/v2.0")})).await;
    assert_eq!(v2.unwrap().tenant, T1);
}

#[tokio::test]
async fn b26_a_token_for_the_resource_manager_opens_no_vault() {
    let world = World::new().await;
    let token = world.by_secret(SECRET, &format!("{ARM}/.default")).await.token();
    assert_eq!(check(&world, &token), Err(TokenRefusal::Audience { found: ARM.to_owned() }));
    let arm = KnownResource::Arm.audiences(&world.address());
    assert!(world.authority.check(&token, &arm).is_ok());
    let storage = KnownResource::Storage.audiences(&world.address());
    assert!(matches!(world.authority.check(&token, &storage), Err(TokenRefusal::Audience { .. })));
}

#[tokio::test]
async fn b27_only_the_tables_spellings_of_an_audience_pass() {
    let world = World::new().await;
    for good in [
        "https://vault.azure.net/",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        "https://vault.countersign.localhost:8443",
        "https://vault.countersign.localhost/",
    ] {
        assert!(forged(&world, json!({"aud": good})).await.is_ok(), "{good}");
    }
    for bad in [
        "http://vault.azure.net",
        "https://vault.azure.net//",
        "https://vault.azure.net.evil.example",
        "https://kv.vault.azure.net",
        "https://vault.countersign.localhost:9",
        "vault.azure.net",
        " https://vault.azure.net",
        "",
    ] {
        let refused = forged(&world, json!({"aud": bad})).await;
        assert!(matches!(refused, Err(TokenRefusal::Audience { .. })), "{bad:?} {refused:?}");
    }
    assert_eq!(forged(&world, json!({"aud": [VAULT]})).await, Err(TokenRefusal::Malformed));
}

#[tokio::test]
async fn a_principal_that_is_gone_is_refused_at_once() {
    let world = World::new().await;
    let token = token(&world).await;
    check(&world, &token).unwrap();
    world.live.gone.lock().unwrap().insert(APP_OBJECT);
    assert_eq!(check(&world, &token), Err(TokenRefusal::Principal));
    world.live.gone.lock().unwrap().clear();
    *world.live.unconfirmed.lock().unwrap() = true;
    assert_eq!(check(&world, &token), Err(TokenRefusal::Unconfirmed));
}

#[tokio::test]
async fn tokens_of_every_name_the_site_was_served_under_stay_good() {
    let world = World::new().await;
    let issue = async |suffix: &str| {
        let address = Address::new(SiteNames::under(suffix).unwrap(), 8443);
        world.authority.token_for((T1, APP), (VAULT, &address, no_call())).await.unwrap().access_token
    };
    // At once, so that new names meet while the list is written.
    let tokens = tokio::join!(issue("a.example"), issue("b.example"), issue("c.example"));
    world.authority.reload().await.unwrap();
    for token in [tokens.0, tokens.1, tokens.2] {
        assert!(check(&world, &token).is_ok(), "{}", claims_of(&token)["iss"]);
    }
}

/// The port is the caller's word (`Host`): whoever may ask for a token could use up every place of the list.
#[tokio::test]
async fn no_caller_fills_the_list_of_issuers_with_ports() {
    let world = World::new().await;
    for port in 1000..1100 {
        let address = world.address_at(port);
        let token =
            world.authority.token_for((T1, APP), (VAULT, &address, no_call())).await.unwrap().access_token;
        let issuer = format!("https://login.countersign.localhost:{port}/{T1}/");
        assert_eq!(check(&world, &token).unwrap().issuer, issuer);
    }
    let kept = world.store.setting("issuers".to_owned()).await.unwrap().unwrap();
    assert_eq!(kept, r#"["https://login.countersign.localhost"]"#);
}

#[tokio::test]
async fn a_list_written_with_ports_is_still_read() {
    let world = World::new().await;
    let old = r#"["https://login.old.example:8443"]"#.to_owned();
    world.store.set_setting("issuers".to_owned(), old).await.unwrap();
    world.authority.reload().await.unwrap();
    token(&world).await;
    for issuer in ["https://login.old.example:8443", "https://login.old.example"] {
        assert!(forged(&world, json!({"iss": format!("{issuer}/{T1}/")})).await.is_ok(), "{issuer}");
    }
    for odd in ["https://login.old.example:", "https://login.old.example:x", "https://login.old.example:1:2"]
    {
        let refused = forged(&world, json!({"iss": format!("{odd}/{T1}/")})).await;
        assert!(matches!(refused, Err(TokenRefusal::Issuer { .. })), "{odd}");
    }
}

#[tokio::test]
async fn a_list_of_names_another_replica_lost_is_written_again() {
    let world = World::new().await;
    let token = token(&world).await;
    let theirs = r#"["https://login.other.example"]"#.to_owned();
    world.store.set_setting("issuers".to_owned(), theirs).await.unwrap();
    world.authority.reload().await.unwrap();
    assert!(check(&world, &token).is_ok());
    let written = world.store.setting("issuers".to_owned()).await.unwrap().unwrap();
    assert_eq!(written, r#"["https://login.other.example","https://login.countersign.localhost"]"#);
}

#[tokio::test]
async fn a_token_this_process_vouches_for_is_on_record_too() {
    let world = World::new().await;
    let issued = world.authority.token_for((T1, APP), (VAULT, &world.address(), no_call())).await.unwrap();
    let uti = claims_of(&issued.access_token)["uti"].as_str().unwrap().to_owned();
    let records = world.sign_ins.0.lock().unwrap();
    assert_eq!(records.last().unwrap().because, format!("token {uti} for {VAULT}"));
}

#[tokio::test]
async fn a_trace_goes_before_the_clients_own_id_of_a_request() {
    let world = World::new().await;
    let send = async |headers: &[(&str, &str)]| {
        let scope = format!("{VAULT}/.default");
        let fields = crate::world::encoded(&crate::world::secret_form(SECRET, &scope));
        let mut request = crate::world::form(&crate::world::token_path(T1), &fields);
        for (name, value) in headers {
            request.headers_mut().insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        assert_eq!(world.send(request).await.status, 200);
        world.sign_ins.0.lock().unwrap().last().unwrap().correlation.to_string()
    };
    let own = ("client-request-id", "11111111-2222-3333-4444-555555555555");
    let trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(send(&[own]).await, own.1);
    assert_eq!(send(&[own, trace]).await, "0af76519-16cd-43dd-8448-eb211c80319c");
}
