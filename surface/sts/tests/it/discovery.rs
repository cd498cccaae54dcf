//! Discovery documents, keys, and what is not there.

use cs_jose::Jws;
use cs_names::SiteNames;

use crate::world::{LOGIN, SECRET, T1, T2, VAULT, World, claims_of, secret_form, token_path};

#[tokio::test]
async fn the_v2_document_names_everything_clients_read() {
    let world = World::new().await;
    for written in
        [T1.to_string(), T1.to_string().to_uppercase(), "first.example".into(), "FIRST.example".into()]
    {
        let answer = world.get(&format!("/{written}/v2.0/.well-known/openid-configuration")).await;
        let doc = answer.json();
        assert_eq!(answer.status, 200);
        assert_eq!(doc["issuer"], format!("{LOGIN}/{T1}/v2.0"));
        assert_eq!(doc["token_endpoint"], format!("{LOGIN}/{T1}/oauth2/v2.0/token"));
        assert_eq!(doc["authorization_endpoint"], format!("{LOGIN}/{T1}/oauth2/v2.0/authorize"));
        assert_eq!(doc["device_authorization_endpoint"], format!("{LOGIN}/{T1}/oauth2/v2.0/devicecode"));
        assert_eq!(doc["jwks_uri"], format!("{LOGIN}/{T1}/discovery/v2.0/keys"));
        assert_eq!(doc["userinfo_endpoint"], "https://graph.countersign.localhost:8443/oidc/userinfo");
        assert_eq!(doc["cloud_instance_name"], "login.countersign.localhost:8443");
        assert_eq!(doc["id_token_signing_alg_values_supported"][0], "RS256");
        assert_eq!(answer.headers["cache-control"], "max-age=3600, private");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn v1_adfs_and_nameless_tenants_keep_their_words() {
    let world = World::new().await;
    let doc = world.get(&format!("/{T1}/.well-known/openid-configuration")).await.json();
    assert_eq!(doc["issuer"], format!("{LOGIN}/{T1}/"));
    assert_eq!(doc["token_endpoint"], format!("{LOGIN}/{T1}/oauth2/token"));
    assert_eq!(doc["microsoft_multi_refresh_token"], true);
    let adfs = world.get("/adfs/.well-known/openid-configuration").await.json();
    assert_eq!(adfs["token_endpoint"], format!("{LOGIN}/adfs/oauth2/token"));
    assert_eq!(adfs["jwks_uri"], format!("{LOGIN}/adfs/discovery/keys"));
    for word in ["common", "organizations"] {
        let doc = world.get(&format!("/{word}/v2.0/.well-known/openid-configuration")).await.json();
        assert_eq!(doc["issuer"], format!("{LOGIN}/{{tenantid}}/v2.0"));
        assert_eq!(doc["token_endpoint"], format!("{LOGIN}/{word}/oauth2/v2.0/token"));
    }
}

#[tokio::test]
async fn documents_repeat_the_port_the_caller_came_by() {
    let world = World::new().await;
    let request = http::Request::get("/common/v2.0/.well-known/openid-configuration").body(String::new());
    let doc = world.send_to(request.unwrap(), 443).await.json();
    assert_eq!(doc["token_endpoint"], "https://login.countersign.localhost/common/oauth2/v2.0/token");
}

#[tokio::test]
async fn under_the_clouds_names_document_and_tokens_agree_on_the_issuer() {
    let world = World::under(SiteNames::azure()).await;
    let doc = world.get(&format!("/{T1}/.well-known/openid-configuration")).await.json();
    assert_eq!(doc["issuer"], format!("https://sts.windows.net/{T1}/"));
    let token = world.post(&token_path(T1), &secret_form(SECRET, &format!("{VAULT}/.default"))).await.token();
    assert_eq!(claims_of(&token)["iss"], doc["issuer"]);
}

#[tokio::test]
async fn keys_are_public_halves_of_the_tenant_and_verify_its_tokens() {
    let world = World::new().await;
    let token = world.by_secret(SECRET, &format!("{VAULT}/.default")).await.token();
    for path in ["discovery/v2.0/keys", "discovery/keys"] {
        let keys = world.get(&format!("/{T1}/{path}")).await.json();
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["use"], &key["e"]), (&"RSA".into(), &"sig".into(), &"AQAB".into()));
        assert_eq!(key["kid"], key["x5t"]);
        assert_eq!(key["issuer"].is_string(), path.contains("v2.0"));
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(key.get(private).is_none());
        }
        let jws = Jws::split(&token).unwrap();
        assert_eq!(key["kid"], jws.header.kid.clone().unwrap());
        let jwk: cs_jose::Jwk = serde_json::from_value(key.clone()).unwrap();
        assert!(jws.verifies(&jwk.public_key().unwrap()));
    }
    let common = world.get("/common/discovery/keys").await.text;
    assert_eq!(common, world.get(&format!("/{T1}/discovery/keys")).await.text);
    assert_ne!(common, world.get(&format!("/{T2}/discovery/keys")).await.text);
}

#[tokio::test]
async fn instance_discovery_knows_its_own_hosts_only() {
    let world = World::new().await;
    let ask = |authority: String| {
        format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={authority}")
    };
    let doc = world.get(&ask(format!("{LOGIN}/{T1}/oauth2/v2.0/authorize"))).await.json();
    assert_eq!(
        doc["tenant_discovery_endpoint"],
        format!("{LOGIN}/{T1}/v2.0/.well-known/openid-configuration")
    );
    assert_eq!(doc["api-version"], "1.1");
    assert_eq!(doc["metadata"][0]["aliases"][0], "login.countersign.localhost:8443");
    for other in
        ["https://login.evil.example/x/oauth2/authorize", "http://login.countersign.localhost/x", "", "%00"]
    {
        let answer = world.get(&ask(other.to_owned())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 50_049), "{other}");
        assert_eq!(answer.json()["error"], "invalid_instance");
    }
}

#[tokio::test]
async fn unknown_and_malformed_tenants_have_their_own_codes_on_every_path() {
    let world = World::new().await;
    for (tenant, code) in [
        ("00000000-0000-0000-0000-00000000dead", 90_002),
        ("unknown.example", 90_002),
        ("consumers", 900_023),
        ("x%22y", 900_023),
    ] {
        for path in ["v2.0/.well-known/openid-configuration", "discovery/keys"] {
            let answer = world.get(&format!("/{tenant}/{path}")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{tenant}");
        }
        let answer = world.post(&format!("/{tenant}/oauth2/v2.0/token"), &secret_form(SECRET, VAULT)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{tenant}");
    }
}

#[tokio::test]
async fn methods_and_paths_that_are_not_there() {
    let world = World::new().await;
    let answer = world.get(&token_path(T1)).await;
    assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(world.get("/nowhere").await.status, 404);
    assert_eq!(world.post(&format!("/{T1}/oauth2/v2.0/devicecode"), &[]).await.code(), 70_003);
}
