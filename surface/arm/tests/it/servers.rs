//! Database servers and their administrators.

use serde_json::json;

use crate::authority::AUTHORITY;
use crate::world::{S, World, object};

fn server(name: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
}

fn rule(name: &str, who: &str) -> String {
    format!("{}/administrators/{}", server(name), object(who))
}

fn backend() -> String {
    let backend = json!({"host": "db1.lan", "certificateAuthority": *AUTHORITY});
    json!({"location": "local", "properties": {"backend": backend, "administratorLoginPassword": "p"}})
        .to_string()
}

fn role(name: &str) -> String {
    json!({"properties": {"principalName": name, "principalType": "ServicePrincipal"}}).to_string()
}

#[tokio::test]
async fn a_server_is_made_shown_changed_and_removed() {
    let world = World::with_group().await;
    let made = world.put("owner", &server("DB1"), &backend()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("administratorLoginPassword"));
    let made = made.ok();
    assert_eq!(made["name"], "db1");
    assert_eq!(made["properties"]["fullyQualifiedDomainName"], "db1.postgres.s.example");
    assert_eq!(made["properties"]["authConfig"]["passwordAuth"], "Disabled");
    assert_eq!(world.put("owner", &server("db1"), &backend()).await.status, 200);
    let change = r#"{"properties": {"sessions": {"replication": true}}}"#;
    let changed = world.send("owner", "PATCH", &server("db1"), change).await.ok();
    assert_eq!(changed["properties"]["sessions"]["replication"], true);
    assert_eq!(changed["properties"]["backend"]["host"], "db1.lan");
    let list = format!("{S}/providers/Microsoft.DBforPostgreSQL/flexibleServers");
    assert_eq!(world.get("reader", &list).await.ok()["value"].as_array().unwrap().len(), 1);
    world.put("owner", &rule("db1", "reader"), &role("reports")).await.ok();
    assert_eq!(world.send("owner", "DELETE", &server("db1"), "").await.status, 200);
    // Its rules went with it: one made anew has none.
    world.put("owner", &server("db1"), &backend()).await.ok();
    let rules = world.get("owner", &format!("{}/administrators", server("db1"))).await.ok();
    assert_eq!(rules["value"], json!([]));
}

#[tokio::test]
async fn a_name_is_taken_once_and_must_be_a_label() {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/Other"), r#"{"location":"local"}"#).await.ok();
    world.put("owner", &server("db1"), &backend()).await.ok();
    let elsewhere = server("db1").replace("/Lab/", "/Other/");
    let taken = world.put("owner", &elsewhere, &backend()).await;
    assert_eq!(taken.refusal(), (409, "ServerNameAlreadyExists".into()));
    assert_eq!(world.put("owner", &server("d_b"), &backend()).await.status, 400);
}

#[tokio::test]
async fn a_rule_is_for_a_principal_of_the_directory() {
    let world = World::with_group().await;
    world.put("owner", &server("db1"), &backend()).await.ok();
    let made = world.put("owner", &rule("db1", "reader"), &role("reports")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.ok();
    assert_eq!(made["properties"]["principalName"], "reports");
    assert_eq!(made["properties"]["objectId"], object("reader").to_string());
    assert_eq!(world.put("owner", &rule("db1", "reader"), &role("other")).await.status, 200);
    let shown = world.get("owner", &rule("db1", "reader")).await.ok();
    assert_eq!(shown["properties"]["principalName"], "other");
    let stranger = world.put("owner", &rule("db1", "stranger"), &role("x")).await;
    assert_eq!(stranger.refusal(), (400, "PrincipalNotFound".into()));
    let wrong = r#"{"properties": {"principalName": "x", "principalType": "User"}}"#;
    let wrong = world.put("owner", &rule("db1", "reader"), wrong).await;
    assert_eq!(wrong.refusal(), (400, "UnmatchedPrincipalType".into()));
    for bad in ["", "pg_monitor", "public", &"a".repeat(64)] {
        assert_eq!(world.put("owner", &rule("db1", "reader"), &role(bad)).await.status, 400, "{bad}");
    }
    assert_eq!(world.put("owner", &rule("nowhere", "reader"), &role("x")).await.status, 404);
    assert_eq!(world.send("owner", "DELETE", &rule("db1", "reader"), "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &rule("db1", "reader"), "").await.status, 204);
    assert_eq!(world.get("owner", &rule("db1", "reader")).await.status, 404);
}

#[tokio::test]
async fn who_may_read_a_server_lets_nobody_in() {
    let world = World::with_group().await;
    world.put("owner", &server("db1"), &backend()).await.ok();
    let refused = world.put("reader", &rule("db1", "reader"), &role("admin")).await;
    assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()));
    assert_eq!(world.get("reader", &server("db1")).await.status, 200);
}

#[tokio::test]
async fn a_backend_that_is_not_checked_or_lies_on_a_socket_is_refused() {
    let world = World::with_group().await;
    for backend in [
        json!({"host": "db1.lan"}),
        json!({"host": "/run/postgresql", "certificateAuthority": *AUTHORITY}),
        json!({"host": "db1.lan", "port": 0, "certificateAuthority": *AUTHORITY}),
    ] {
        let body = json!({"location": "local", "properties": {"backend": backend}}).to_string();
        let refused = world.put("owner", &server("db1"), &body).await;
        assert_eq!(refused.refusal(), (400, "InvalidParameter".into()), "{backend}");
    }
    assert_eq!(world.get("owner", &server("db1")).await.status, 404);
}

/// What a gateway would only find at somebody's login.
#[tokio::test]
async fn an_authority_that_no_gateway_could_read_is_refused_by_its_name() {
    let world = World::with_group().await;
    let pem = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let whole = AUTHORITY.clone();
    let (name, host) = ("certificateAuthority", "db1.lan");
    for (member, host, authority) in [
        (name, host, pem("MA==")),
        (name, host, pem("bm90IGEgY2VydGlmaWNhdGU=")),
        (name, host, pem("")),
        (name, host, "-----BEGIN CERTIFICATE-----".to_owned()),
        (name, host, whole.replace("-----END CERTIFICATE-----", "")),
        (name, host, whole.replace("MII", "M#I")),
        // One good among bad is not looked over.
        (name, host, format!("{whole}{}", pem("MA=="))),
        ("serverName", "db1.300", whole.clone()),
        ("serverName", "db1-.lan", whole.clone()),
    ] {
        let backend = json!({"host": host, "certificateAuthority": authority});
        let body = json!({"location": "local", "properties": {"backend": backend}}).to_string();
        let refused = world.put("owner", &server("db1"), &body).await;
        assert_eq!(refused.refusal(), (400, "InvalidParameter".into()), "{authority}");
        assert!(refused.text.contains(member), "{}", refused.text);
    }
    assert_eq!(world.get("owner", &server("db1")).await.status, 404);
    world.put("owner", &server("db1"), &backend()).await.ok();
    let change = json!({"properties": {"backend": {"host": host, "certificateAuthority": pem("MA==")}}});
    let refused = world.send("owner", "PATCH", &server("db1"), &change.to_string()).await;
    assert_eq!(refused.refusal(), (400, "InvalidParameter".into()));
    let bundle = json!({"properties": {"backend": {"host": host, "certificateAuthority": whole.repeat(2)}}});
    world.send("owner", "PATCH", &server("db1"), &bundle.to_string()).await.ok();
}
