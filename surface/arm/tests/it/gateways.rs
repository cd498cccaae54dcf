//! Gateways in processes of their own: who is one, what it is told, and what it may sign.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::authority::AUTHORITY;
use crate::world::{OWNER, Reply, S, World, object};

const ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/gateway/action";
const ROLE: &str = "3f6b0a5e-2d0c-4d3a-9a63-4c6f0c1f8b27";

fn server(name: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
}

/// Two servers, each with a rule for `reader` and one for a team; `guard` is the gateway of db1.
async fn world() -> World {
    let world = World::with_group().await;
    let team = world.directory_group("team").await;
    for name in ["db1", "db2"] {
        let properties = json!({"backend": {"host": "db1.lan", "certificateAuthority": *AUTHORITY}});
        let body = json!({"location": "local", "properties": properties}).to_string();
        world.put("owner", &server(name), &body).await.ok();
        let rules = [(object("reader"), "reports", "ServicePrincipal"), (team, "Data Team", "Group")];
        for (who, role, kind) in rules {
            let body = json!({"properties": {"principalName": role, "principalType": kind}}).to_string();
            world.put("owner", &format!("{}/administrators/{who}", server(name)), &body).await.ok();
        }
    }
    let definition = json!({"properties": {"roleName": "Database gateway", "type": "CustomRole", "description": "",
        "permissions": [{"actions": [], "notActions": [], "dataActions": [ACTION], "notDataActions": []}],
        "assignableScopes": [S]}});
    let path = format!("{S}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}");
    world.put("owner", &path, &definition.to_string()).await.ok();
    world.meet("guard").await;
    world.grant("guard", ROLE, &server("db1"), None).await;
    world
}

async fn ask(world: &World, who: &str, name: &str, body: &Value) -> Reply {
    world.send(who, "POST", &format!("{}/gatewayState", server(name)), &body.to_string()).await
}

async fn sign(world: &World, who: &str, name: &str, role: &str) -> Reply {
    let body = json!({"role": role, "certificateRequest": request(role), "lifeSeconds": 86_400}).to_string();
    world.send(who, "POST", &format!("{}/signClientCertificate", server(name)), &body).await
}

fn request(name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

#[tokio::test]
async fn a_gateway_hears_rules_standing_and_keys_and_no_secret() {
    let world = world().await;
    world.join(object("team"), object("nobody")).await;
    let body =
        json!({"known": "", "principals": [object("nobody").to_string(), object("ghost").to_string()]});
    let told = ask(&world, "guard", "db1", &body).await.ok();
    assert_eq!(told["host"], "db1.postgres.s.example");
    assert_eq!(told["issuers"], json!(["https://login.s.example"]));
    assert_eq!(told["keys"][0]["kid"], "k");
    assert_eq!(told["properties"]["backend"]["host"], "db1.lan");
    let roles: Vec<_> =
        told["rules"].as_array().unwrap().iter().map(|r| r["role"].as_str().unwrap()).collect();
    assert!(roles.contains(&"reports") && roles.contains(&"Data Team"));
    let team = object("team").to_string();
    assert_eq!(
        told["principals"][0],
        json!({"objectId": object("nobody").to_string(), "good": true, "groups": [team]})
    );
    assert_eq!(told["principals"][1]["good"], false);
    // The seed of the client authority, as anybody could write it.
    assert!(!told.to_string().contains("BwcHBwcHBw"), "{told}");
    let body =
        json!({"known": "", "principals": [], "certificateRequest": request("db1.postgres.s.example")});
    assert_eq!(
        ask(&world, "guard", "db1", &body).await.ok()["certificate"],
        "certificate of db1.postgres.s.example"
    );
    let other = json!({"known": "", "principals": [], "certificateRequest": request("login.s.example")});
    assert_eq!(ask(&world, "guard", "db1", &other).await.refusal(), (400, "InvalidParameter".into()));
}

#[tokio::test]
async fn an_answer_waits_for_a_change_and_no_longer() {
    let world = world().await;
    let first = ask(&world, "guard", "db1", &json!({"known": "", "principals": []})).await.ok();
    let known = json!({"known": first["version"], "principals": [], "waitMilliseconds": 5000});
    let path = format!("{}/administrators/{}", server("db1"), object("reader"));
    let (told, gone) =
        tokio::join!(ask(&world, "guard", "db1", &known), world.send("owner", "DELETE", &path, ""));
    assert_eq!(gone.status, 200);
    let told = told.ok();
    assert_ne!(told["version"], first["version"]);
    assert_eq!(told["rules"].as_array().unwrap().len(), 1);
    let still = json!({"known": told["version"], "principals": [], "waitMilliseconds": 1});
    assert_eq!(ask(&world, "guard", "db1", &still).await.ok()["version"], told["version"]);
}

#[tokio::test]
async fn c05_nobody_is_a_gateway_by_accident_and_a_gateway_of_one_server_is_none_of_another() {
    let world = world().await;
    world.meet("top").await;
    world.grant("top", OWNER, "/", None).await;
    let body = json!({"known": "", "principals": []});
    for (who, name) in
        [("reader", "db1"), ("owner", "db1"), ("top", "db1"), ("guard", "db2"), ("nobody", "db1")]
    {
        assert_eq!(
            ask(&world, who, name, &body).await.refusal(),
            (403, "AuthorizationFailed".into()),
            "{who}"
        );
        let records = format!("{}/gatewayRecords", server(name));
        let told = world.send(who, "POST", &records, r#"{"records": []}"#).await;
        assert_eq!(told.refusal(), (403, "AuthorizationFailed".into()), "{who}");
    }
    let refused = world.recorded().await;
    let refused = refused.iter().filter(|r| r.action == ACTION && r.outcome.as_str() == "denied");
    assert_eq!(refused.count(), 10, "each before it was told");
    // Roles that rules name, on its own server, for minutes; no others.
    let signed = sign(&world, "guard", "db1", "reports").await.ok();
    assert_eq!(signed["lifeSeconds"], 600);
    assert_eq!(sign(&world, "guard", "db1", "postgres").await.status, 403);
    assert_eq!(sign(&world, "guard", "db2", "reports").await.status, 403);
    world.meet("all").await;
    world.grant("all", ROLE, S, None).await;
    world.send("owner", "DELETE", &server("db1"), "").await;
    assert_eq!(ask(&world, "all", "db1", &body).await.status, 404, "its own server is gone");
    assert_eq!(ask(&world, "guard", "db1", &body).await.status, 403, "and its role with it");
}

#[tokio::test]
async fn logins_at_a_gateway_stand_in_the_sites_log() {
    let world = world().await;
    let path = format!("{}/gatewayRecords", server("db1"));
    let record = |outcome: &str| {
        json!({"time": 1_800_000_000_000_000_i64, "correlationId": "99999999-9999-9999-9999-999999999999",
            "objectId": object("reader").to_string(), "clientId": object("reader").to_string(),
            "outcome": outcome, "because": "rule x, role reports"})
    };
    let body = json!({"records": [record("done")]}).to_string();
    assert_eq!(world.send("guard", "POST", &path, &body).await.status, 204);
    let log = world.audited().await;
    let login = log.iter().find(|r| r.action.ends_with("flexibleServers/connect/action")).unwrap();
    assert_eq!(login.caller, Some(object("reader")));
    assert!(login.because.contains("role reports") && login.because.contains(&object("guard").to_string()));
    let wrong = json!({"records": [record("perhaps")]}).to_string();
    assert_eq!(world.send("guard", "POST", &path, &wrong).await.status, 400);
}
