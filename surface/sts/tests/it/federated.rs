//! Tokens of other issuers that stand for an application, and machines that act as attached identities.

use cs_ids::ClientId;
use cs_jose::encode_url;
use cs_store::{
    Directory, Expect, FederatedCredential, FederatedCredentials, Principal, PrincipalKind, Resource,
    ResourceWrite, Resources,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    issuers::{ISSUER, OTHER, jwk},
    signed::{Algorithm, by_rsa, machine, machine_claims, with},
    world::{APP, Answer, MACHINE, NOW, T1, T2, VAULT, World, claims_of, token_path},
};

const SUBJECT: &str = "system:serviceaccount:lab:runner";
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
const IDENTITY: ClientId = ClientId::new(Uuid::from_u128(0xc1));
const IDENTITY_ID: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/Lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u1";

pub async fn trust(world: &World, client: ClientId, issuer: &str, subject: &str) {
    let credential = FederatedCredential {
        tenant: T1,
        client,
        id: Uuid::from_u128(9).to_string(),
        name: format!("n{}", subject.len() + issuer.len()),
        issuer: issuer.into(),
        subject: subject.into(),
        audiences: vec![AUDIENCE.into()],
        description: None,
        created: world.clock_now(),
    };
    world.store.put_federated(credential, 20, world.audit()).await.unwrap();
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 600})
}

fn token(claims: &Value) -> String {
    signed(3, &json!({"alg": "RS256", "kid": "one"}), claims)
}

fn signed(which: usize, header: &Value, claims: &Value) -> String {
    by_rsa(which, Algorithm::Rs256, &encode_url(header.to_string()), &encode_url(claims.to_string()))
}

pub async fn ask(world: &World, client: ClientId, assertion: &str) -> Answer {
    let (client, scope) = (client.to_string(), format!("{VAULT}/.default"));
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client.as_str()),
        ("client_assertion_type", kind),
        ("client_assertion", assertion),
        ("scope", scope.as_str()),
    ];
    world.post(&token_path(T1), &fields).await
}

async fn trusting() -> World {
    let world = World::new().await;
    trust(&world, APP, ISSUER, SUBJECT).await;
    world
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_stands_for_the_application() {
    let world = trusting().await;
    for claims in [
        claims(),
        with(claims(), json!({"aud": [AUDIENCE]})),
        with(claims(), json!({"nbf": null, "iat": null})),
    ] {
        let issued = claims_of(&ask(&world, APP, &token(&claims)).await.token());
        assert_eq!(
            (issued["appid"].as_str(), issued["appidacr"].as_str()),
            (Some(APP.to_string().as_str()), Some("2"))
        );
    }
    assert_eq!(world.issuers.asked().len(), 2, "discovery and keys, once");
    assert!(world.sign_ins.0.lock().unwrap().iter().any(|r| r.outcome.as_str() == "done"));
}

#[tokio::test]
async fn b14_nothing_is_forgiven_in_issuer_subject_and_audience() {
    let world = trusting().await;
    for (change, code) in [
        (json!({"iss": "https://issuer.example/"}), 700_211),
        (json!({"iss": "https://ISSUER.example"}), 700_211),
        (json!({"iss": "https://issuer.example:443"}), 700_211),
        (json!({"sub": "system:serviceaccount:lab:other"}), 700_213),
        (json!({"sub": "System:ServiceAccount:lab:runner"}), 7_002_138),
        (json!({"sub": format!("{SUBJECT} ")}), 700_213),
        (json!({"aud": "api://azureadtokenexchange"}), 700_212),
        (json!({"aud": format!("{AUDIENCE}/")}), 700_212),
        (json!({"aud": [AUDIENCE, "https://elsewhere.example"]}), 700_212),
        (json!({"aud": []}), 700_212),
        (json!({"aud": null}), 700_212),
        (json!({"sub": null}), 50_012),
        (json!({"exp": null}), 700_024),
        (json!({"exp": NOW}), 700_024),
        (json!({"exp": NOW + 90_000}), 700_024),
        (json!({"nbf": NOW + 301}), 700_024),
    ] {
        let answer = ask(&world, APP, &token(&with(claims(), change.clone()))).await;
        assert_eq!(answer.code(), code, "{change}");
        assert_eq!(answer.status, 401, "{change}");
    }
    assert!(world.issuers.asked().is_empty(), "nobody is asked about a token that fits no credential");
    let scoped = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ];
    let assertion = token(&claims());
    let nameless = [
        scoped[0],
        scoped[1],
        ("client_assertion", assertion.as_str()),
        ("scope", "https://vault.azure.net/.default"),
    ];
    assert_eq!(world.post(&token_path(T1), &nameless).await.code(), 900_144);
    let wrong_tenant = world
        .post(
            &token_path(T2),
            &[
                scoped[0],
                scoped[1],
                ("client_assertion", assertion.as_str()),
                ("client_id", "00000000-0000-0000-0000-0000000000a1"),
                ("scope", "https://vault.azure.net/.default"),
            ],
        )
        .await;
    assert_eq!(wrong_tenant.code(), 700_016, "b25: trust is of one tenant");
}

#[tokio::test]
async fn b18_a_discovery_document_of_another_issuer_is_not_believed() {
    let world = trusting().await;
    world.issuers.publish(ISSUER, "https://issuer.example/", &json!([jwk("one", 3)]));
    assert_eq!(ask(&world, APP, &token(&claims())).await.code(), 501_661);
    assert_eq!(world.issuers.asked().len(), 1, "its keys are not even fetched");
    world.clock.advance(30);
    world.issuers.answer(
        &format!("{ISSUER}/.well-known/openid-configuration"),
        &json!({"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"}),
    );
    assert_eq!(ask(&world, APP, &token(&claims())).await.code(), 501_661, "keys come over TLS");
    world.clock.advance(30);
    world.issuers.publish(ISSUER, ISSUER, &json!([jwk("one", 3)]));
    ask(&world, APP, &token(&claims())).await.token();
}

#[tokio::test]
async fn b20_odd_keys_are_left_out_and_too_many_are_none() {
    let world = trusting().await;
    let symmetric = json!({"kty": "oct", "kid": "one", "k": "AAAA"});
    let mut encrypts = jwk("one", 3);
    encrypts["use"] = json!("enc");
    let mut private = jwk("one", 3);
    private["d"] = json!("AAAA");
    for keys in [
        json!([symmetric]),
        json!([encrypts]),
        json!([private]),
        json!([jwk("one", 3), jwk("one", 2)]),
        json!([]),
    ] {
        world.issuers.publish(ISSUER, ISSUER, &keys);
        world.clock.advance(3600);
        let fresh = with(claims(), json!({"iat": null, "nbf": null, "exp": NOW + 80_000}));
        assert_eq!(ask(&world, APP, &token(&fresh)).await.code(), 700_027, "{keys}");
    }
    let many: Vec<Value> = (0..10_000).map(|n| jwk(&format!("k{n}"), 3)).chain([jwk("one", 3)]).collect();
    world.issuers.publish(ISSUER, ISSUER, &json!(many));
    world.clock.advance(86_400);
    let late = with(claims(), json!({"iat": null, "nbf": null, "exp": NOW + 120_000}));
    assert_eq!(ask(&world, APP, &token(&late)).await.code(), 501_661);
}

#[tokio::test]
async fn b21_an_issuer_that_is_away_is_believed_for_a_day() {
    let world = trusting().await;
    ask(&world, APP, &token(&claims())).await.token();
    world.issuers.go_away();
    world.clock.advance(23 * 3600);
    let later = |seconds: i64| with(claims(), json!({"iat": null, "nbf": null, "exp": NOW + seconds}));
    ask(&world, APP, &token(&later(90_000))).await.token();
    world.clock.advance(2 * 3600);
    assert_eq!(ask(&world, APP, &token(&later(100_000))).await.code(), 501_661, "then it fails closed");
}

#[tokio::test]
async fn b22_unknown_keys_do_not_make_the_site_ask_and_ask() {
    let world = trusting().await;
    ask(&world, APP, &token(&claims())).await.token();
    world.issuers.asked();
    for n in 0..50 {
        let odd = signed(3, &json!({"alg": "RS256", "kid": format!("unknown{n}")}), &claims());
        assert_eq!(ask(&world, APP, &odd).await.code(), 700_027);
    }
    assert!(world.issuers.asked().is_empty(), "the list was fetched less than 30 seconds ago");
    world.clock.advance(30);
    world.issuers.publish(ISSUER, ISSUER, &json!([jwk("one", 3), jwk("new", 0)]));
    let new = signed(0, &json!({"alg": "RS256", "kid": "new"}), &claims());
    ask(&world, APP, &new).await.token();
    assert_eq!(world.issuers.asked().len(), 2, "a new key is found at the next look");
    ask(&world, APP, &token(&claims())).await.token();
    assert!(world.issuers.asked().is_empty());
}

#[tokio::test]
async fn b23_one_issuers_key_says_nothing_for_another() {
    let world = trusting().await;
    trust(&world, APP, OTHER, SUBJECT).await;
    let by_other = signed(2, &json!({"alg": "RS256", "kid": "two"}), &claims());
    assert_eq!(ask(&world, APP, &by_other).await.code(), 700_027);
    let named_one = signed(2, &json!({"alg": "RS256", "kid": "one"}), &claims());
    assert_eq!(ask(&world, APP, &named_one).await.code(), 700_027);
    let own = with(claims(), json!({"iss": OTHER}));
    ask(&world, APP, &signed(2, &json!({"alg": "RS256", "kid": "two"}), &own)).await.token();
    for header in [
        json!({"alg": "none", "kid": "one"}),
        json!({"alg": "HS256", "kid": "one"}),
        json!({"alg": "RS256", "kid": "one", "jwk": jwk("one", 2), "jku": "http://127.0.0.1/"}),
    ] {
        assert_eq!(ask(&world, APP, &signed(2, &header, &claims())).await.code(), 700_027, "b03 {header}");
    }
}

async fn identity(world: &World) {
    let principal = Principal {
        tenant: T1,
        object: cs_ids::ObjectId::new(IDENTITY.uuid()),
        kind: PrincipalKind::UserAssignedIdentity,
        client: Some(IDENTITY),
        display_name: "u1".into(),
        enabled: true,
        resource: Some(IDENTITY_ID.into()),
        directory_admin: false,
        created: world.clock_now(),
        deleted: false,
        revision: 0,
    };
    world.store.add_principal(principal, vec![], world.audit()).await.unwrap();
}

/// Writes the machine's resource with these identities.
pub async fn attach(world: &World, attached: &Value, generation: Option<i64>) {
    let extra = json!({"identity": {"type": "SystemAssigned", "userAssignedIdentities": attached}});
    let properties = json!({"vmId": "vm-of-the-record"});
    write_machine(world, MACHINE, (extra, properties), generation).await;
}

/// Writes a machine's resource, and its group with the first generation.
pub async fn write_machine(
    world: &World,
    id: &str,
    (extra, properties): (Value, Value),
    generation: Option<i64>,
) {
    let id = cs_ids::ResourceId::parse(id).unwrap();
    let group = cs_ids::ResourceId::of_group(id.subscription(), id.group().unwrap());
    let row = |id: cs_ids::ResourceId, kind: &str, extra: Value| Resource {
        tenant: T1,
        id,
        kind: kind.into(),
        location: "local".into(),
        tags: vec![],
        extra,
        properties: properties.clone(),
        created: world.clock_now(),
        updated: world.clock_now(),
        created_by: String::new(),
        updated_by: String::new(),
        deleted: None,
        generation: 0,
    };
    let write = |resource, expect| ResourceWrite { resource, expect, host: None, principal: None };
    if generation.is_none() {
        let group = row(group, "Microsoft.Resources/resourceGroups", json!({}));
        world.store.put_resource(write(group, Expect::Absent), world.audit()).await.unwrap();
    }
    let machine = row(id, "Microsoft.HybridCompute/machines", extra);
    let expect = generation.map_or(Expect::Absent, Expect::Generation);
    world.store.put_resource(write(machine, expect), world.audit()).await.unwrap();
}

async fn as_identity(world: &World, named: &str, jti: &str) -> Answer {
    let assertion = machine(world, &machine_claims(jti));
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("managed_identity", named),
        ("resource", VAULT),
    ];
    world.post(&format!("/{T1}/oauth2/token"), &fields).await
}

#[tokio::test]
async fn a_machine_gets_tokens_of_the_identities_attached_to_it_and_of_no_others() {
    let world = World::new().await;
    identity(&world).await;
    let ids = json!({"clientId": IDENTITY.to_string(), "principalId": IDENTITY.to_string()});
    attach(&world, &json!({IDENTITY_ID: ids}), None).await;
    for (n, named) in [IDENTITY.to_string(), IDENTITY_ID.to_uppercase()].iter().enumerate() {
        let answer = as_identity(&world, named, &format!("j{n}")).await;
        let issued = claims_of(&answer.token());
        assert_eq!(issued["oid"], json!(IDENTITY.to_string()));
        assert_eq!(issued["xms_mirid"], json!(IDENTITY_ID.replace("resourceGroups", "resourcegroups")));
        assert_eq!(issued["xms_az_rid"], json!(MACHINE.replace("resourceGroups", "resourcegroups")));
        assert_eq!(issued["exp"].as_i64().unwrap() - issued["iat"].as_i64().unwrap(), 86_700);
    }
    let stranger = as_identity(&world, &APP.to_string(), "x").await;
    assert_eq!(stranger.code(), 700_016, "a11: never another's token, never its own");
    let secret = [
        ("grant_type", "client_credentials"),
        ("client_id", "00000000-0000-0000-0000-0000000000a1"),
        ("client_secret", crate::world::SECRET),
        ("managed_identity", IDENTITY_ID),
        ("scope", "https://vault.azure.net/.default"),
    ];
    assert_eq!(world.post(&token_path(T1), &secret).await.code(), 700_016, "an application is no machine");
    attach(&world, &json!({}), Some(1)).await;
    assert_eq!(as_identity(&world, IDENTITY_ID, "y").await.code(), 700_016, "as soon as it is taken off");
}
