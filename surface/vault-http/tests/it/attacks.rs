//! attacks.md, Key Vault, and tokens that must not open a vault.

use cs_serve::Needs;

use crate::world::World;

const GET: &str = "/secrets/a?api-version=7.4";

#[tokio::test]
async fn no_token_is_challenged_before_anything_else_is_looked_at() {
    let world = World::with_policies().await;
    for (method, target, body) in [
        ("PUT", "/secrets/a?api-version=7.4", ""),
        ("GET", "/secrets/../x", ""),
        ("PUT", "/nowhere", &*"x".repeat(100_000)),
    ] {
        let reply = world.send("", method, target, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "Unauthorized"));
        assert_eq!(
            reply.headers["www-authenticate"].to_str().unwrap(),
            "Bearer authorization=\"https://login.s.example:8443/00000000-0000-0000-0000-000000000001\", \
             resource=\"https://vault.s.example:8443\""
        );
        assert!(reply.text.contains("AKV10000: Request is missing a Bearer or PoP token."));
    }
}

#[tokio::test]
async fn b25_a_token_of_another_tenant_is_refused() {
    let reply = World::with_policies().await.send("stranger", "GET", GET, "").await;
    assert!(reply.status == 401 && reply.text.contains("AKV10032: Invalid issuer."), "{}", reply.text);
    assert!(reply.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn b26_a_token_for_the_resource_manager_is_refused_in_these_words() {
    let reply = World::with_policies().await.send("arm", "GET", GET, "").await;
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains("AKV10022: Invalid audience. Expected https://vault.s.example:8443, found: https://management.azure.com/."));
}

#[tokio::test]
async fn expired_and_forged_tokens_are_challenged() {
    let world = World::with_policies().await;
    for token in ["expired", "forged"] {
        let reply = world.send(token, "GET", GET, "").await;
        assert!(reply.status == 401 && reply.headers.contains_key("www-authenticate"), "{token}");
    }
}

#[tokio::test]
async fn the_four_callers_knock_on_every_door() {
    for world in [World::with_policies().await, World::with_roles().await] {
        world.set("there", "v").await;
        for door in cs_vault_http::doors() {
            assert!(matches!(door.needs, Needs::Data { policy: Some(_), .. }), "h10: {}", door.path);
            let path = door.path.replace("{name}", "there").replace("{version?}", "");
            let target = format!("{path}?api-version=7.4");
            let knock = |token: &'static str| world.send(token, door.method, &target, r#"{"value":"x"}"#);
            assert_eq!(knock("").await.status, 401, "{} {path}", door.method);
            assert_eq!(knock("stranger").await.status, 401, "{} {path}", door.method);
            let nobody = knock("nobody").await;
            assert_eq!((nobody.status, nobody.code().as_str()), (403, "Forbidden"), "{} {path}", door.method);
            assert_ne!(knock("writer").await.status / 100, 5, "{} {path}", door.method);
        }
    }
}

#[tokio::test]
async fn refusals_say_who_and_what() {
    let policies = World::with_policies().await;
    let reply = policies.send("reader", "PUT", "/secrets/a?api-version=7.4", r#"{"value":"x"}"#).await;
    assert_eq!(reply.json()["error"]["innererror"]["code"], "ForbiddenByPolicy");
    assert!(reply.text.contains("does not have secrets set permission on key vault 'lab;location=local'"));
    let roles = World::with_roles().await;
    let reply = roles.send("nobody", "GET", GET, "").await;
    assert_eq!(reply.json()["error"]["innererror"]["code"], "ForbiddenByRbac");
    assert!(reply.text.contains(r"Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"));
}

#[tokio::test]
async fn e02_bad_names_are_refused() {
    let world = World::with_policies().await;
    let long = "x".repeat(128);
    for name in ["my_secret", "a%2Fb", "a%20b", "%2e%2e", long.as_str()] {
        let reply = world.set(name, "v").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"), "{name}: {}", reply.text);
    }
    assert_eq!(world.set("", "v").await.status / 100, 4);
}

/// On PostgreSQL each of these was a database error, which says "busy".
#[tokio::test]
async fn e02_a_nul_is_refused_wherever_it_stands() {
    let world = World::with_policies().await;
    world.set("a", "v").await;
    // The token is hexadecimal.
    for target in [
        "/secrets?$skiptoken=0061&api-version=7.4",
        "/secrets?x=%00&api-version=7.4",
        "/secrets/a/%00?api-version=7.4",
    ] {
        assert_eq!(world.send("writer", "GET", target, "").await.status, 400, "{target}");
    }
    let body = r#"{"value":"v","contentType":"\u0000"}"#;
    let refused = world.send("writer", "PUT", "/secrets/b?api-version=7.4", body).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "BadParameter"), "{}", refused.text);
}

#[tokio::test]
async fn e03_a_deleted_name_is_not_reused() {
    let world = World::with_policies().await;
    world.set("a", "v").await;
    world.send("writer", "DELETE", "/secrets/a?api-version=7.4", "").await;
    let reply = world.set("a", "again").await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "Conflict"));
    assert_eq!(reply.json()["error"]["innererror"]["code"], "ObjectIsDeletedButRecoverable");
}

#[tokio::test]
async fn e04_a_disabled_secret_is_not_read_but_an_expired_one_is() {
    let world = World::with_policies().await;
    world.send("writer", "PUT", GET, r#"{"value":"v","attributes":{"enabled":false}}"#).await;
    let reply = world.send("reader", "GET", GET, "").await;
    assert_eq!(
        (reply.status, reply.json()["error"]["innererror"]["code"].as_str()),
        (403, Some("SecretDisabled"))
    );
    world.send("writer", "PUT", GET, r#"{"value":"v","attributes":{"nbf":1,"exp":2}}"#).await;
    assert_eq!(world.send("reader", "GET", GET, "").await.status, 200);
}

#[tokio::test]
async fn bad_bodies_versions_and_vaults() {
    let world = World::with_policies().await;
    for body in [
        "",
        "{",
        "[]",
        r#"{"value":5}"#,
        r#"{}"#,
        r#"{"value":"x","tags":{"a":1}}"#,
        r#"{"value":"x","attributes":{"nbf":5,"exp":5}}"#,
        &"[".repeat(5000),
    ] {
        let reply = world.send("writer", "PUT", GET, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"), "{body:.40}");
    }
    for version in [
        "",
        "api-version=",
        "api-version=8.0",
        "api-version=7",
        "api-version=latest",
        "api-version=2010-01-01",
    ] {
        assert_eq!(
            world.send("reader", "GET", &format!("/secrets/a?{version}"), "").await.status,
            400,
            "{version}"
        );
    }
    for version in ["7.0", "7.6-preview.2", "2016-10-01", "2026-03-01-preview", "7.9"] {
        assert_eq!(
            world.send("reader", "GET", &format!("/secrets/a?api-version={version}"), "").await.status,
            404,
            "{version}"
        );
    }
    let reply = world.send_to("other", "", "GET", GET, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "VaultNotFound"));
    assert!(!reply.headers.contains_key("www-authenticate"));
    assert_eq!(world.send("reader", "GET", "/keys/a?api-version=7.4", "").await.status, 404);
    assert_eq!(world.send("reader", "POST", GET, "").await.status, 405);
}

#[test]
fn every_door_asks_for_what_the_catalogue_names() {
    let known = |action: &str, is_data| cs_rbac::SERVED_OPERATIONS.contains(&(action, is_data));
    let mut asked = 0;
    for door in cs_vault_http::doors() {
        asked += 1;
        match door.needs {
            Needs::Action(action) => assert!(known(action, false), "{action}"),
            Needs::Data { action, .. } => assert!(known(action, true), "{action}"),
            _ => asked -= 1,
        }
    }
    assert!(asked > 10, "{asked}");
}
