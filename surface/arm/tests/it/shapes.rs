//! Bodies and headers clients see, as reviewed files: a change shows in the diff.

use cs_store::PrincipalKind;
use serde_json::Value;

use crate::world::{CONTRIBUTOR, S, World, object};

fn same(found: &Value, golden: &str) {
    let found = serde_json::to_string_pretty(found).unwrap();
    assert_eq!(found, golden.trim_end(), "\n--- found\n{found}");
}

#[tokio::test]
async fn metadata_endpoints_by_version() {
    let world = World::new().await;
    let get = async |target: &str| world.raw("", "GET", target, "").await.ok();
    let one = get("//metadata/endpoints?api-version=2022-09-01").await;
    same(&one, include_str!("golden/metadata_endpoints.json"));
    for list in ["/metadata/endpoints", "/metadata/endpoints?api-version=2019-05-01"] {
        assert_eq!(get(list).await[0], one, "{list}");
    }
    assert!(get("/metadata/endpoints?api-version=2015-01-01").await["graphEndpoint"].is_string());
}

#[tokio::test]
async fn resources() {
    let world = World::with_group().await;
    same(&world.get("reader", "/subscriptions").await.ok(), include_str!("golden/subscriptions.json"));
    same(
        &world.get("reader", &format!("{S}/resourcegroups/lab")).await.ok(),
        include_str!("golden/group.json"),
    );
    let machine = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    world
        .put(
            "owner",
            &machine,
            r#"{"location":"local","tags":{"scenario":"lab"},"properties":{"osType":"linux"}}"#,
        )
        .await
        .ok();
    same(&world.get("reader", &machine).await.ok(), include_str!("golden/machine.json"));
    let vault = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/kv1");
    world
        .put("owner", &vault, r#"{"location":"local","properties":{"enableRbacAuthorization":true}}"#)
        .await
        .ok();
    same(&world.get("reader", &vault).await.ok(), include_str!("golden/vault.json"));
    let account = format!("{S}/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/sa1");
    world.put("owner", &account, r#"{"location":"local"}"#).await.ok();
    same(&world.get("reader", &account).await.ok(), include_str!("golden/account.json"));
}

#[tokio::test]
async fn who_made_and_changed_a_resource_is_said_by_kind() {
    let world = World::with_group().await;
    for (who, kind, said) in [
        ("person", PrincipalKind::User, "User"),
        ("machine", PrincipalKind::MachineIdentity, "ManagedIdentity"),
        ("identity", PrincipalKind::UserAssignedIdentity, "ManagedIdentity"),
        ("program", PrincipalKind::Application, "Application"),
    ] {
        world.meet_as(who, kind).await;
        world.grant(who, CONTRIBUTOR, S, None).await;
        let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/of-{who}");
        world.put(who, &id, r#"{"location":"local"}"#).await.ok();
        world.send("owner", "PATCH", &id, r#"{"tags":{"a":"b"}}"#).await.ok();
        let data = world.get("reader", &id).await.ok()["systemData"].clone();
        assert_eq!(data["createdBy"], object(who).to_string());
        assert_eq!(
            (&data["createdByType"], &data["lastModifiedByType"]),
            (&said.into(), &"Application".into()),
            "{who}"
        );
        world.send(who, "PATCH", &id, r#"{"tags":{}}"#).await.ok();
        let listed = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines");
        let all = world.get("reader", &listed).await.ok();
        let one = all["value"].as_array().unwrap().iter().find(|m| m["id"] == *id).unwrap();
        assert_eq!(one["systemData"]["lastModifiedByType"], said);
    }
}

#[tokio::test]
async fn errors() {
    let world = World::with_group().await;
    let denied = world.put("reader", &format!("{S}/resourceGroups/new"), "{}").await;
    assert_eq!(denied.status, 403);
    same(&denied.json(), include_str!("golden/authorization_failed.json"));
    let missing =
        world.get("owner", &format!("{S}/resourceGroups/lab/providers/Microsoft.KeyVault/vaults/none")).await;
    same(&missing.json(), include_str!("golden/resource_not_found.json"));
    assert_eq!(world.raw("owner", "GET", S, "").await.refusal(), (400, "MissingApiVersionParameter".into()));
    for bad in ["x", "2020-1-1", "2020-01-01x", "2020-01-01-", "20200101", "2020-13-01", "2020-01-32"] {
        let reply = world.raw("owner", "GET", &format!("{S}?Api-Version={bad}"), "").await;
        assert_eq!(reply.refusal(), (400, "InvalidApiVersionParameter".into()), "{bad}");
    }
    assert_eq!(
        world.raw("owner", "GET", &format!("{S}?Api-Version=2031-12-01-preview"), "").await.status,
        200
    );
    let unknown =
        world.get("owner", &format!("{S}/resourceGroups/lab/providers/Microsoft.Web/sites/x")).await;
    assert_eq!(unknown.refusal(), (404, "InvalidResourceType".into()));
    let method = world.send("owner", "POST", &format!("{S}/resourceGroups/lab"), "").await;
    assert_eq!(
        (method.status, method.headers["allow"].to_str().unwrap()),
        (405, "GET, HEAD, PUT, PATCH, DELETE")
    );
    assert_eq!(world.get("owner", "/subscriptions/x").await.refusal(), (400, "InvalidSubscriptionId".into()));
    let nobodys = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-000000000000";
    assert_eq!(world.get("owner", nobodys).await.refusal(), (404, "SubscriptionNotFound".into()));
}

#[tokio::test]
async fn headers_of_every_answer() {
    let world = World::new().await;
    for token in ["owner", ""] {
        let reply = world.get(token, S).await;
        let header = |name: &str| reply.headers[name].to_str().unwrap();
        assert_eq!(header("x-ms-client-request-id"), "mine");
        assert_eq!(header("x-ms-request-id").len(), 36);
        assert!(header("x-ms-routing-request-id").starts_with("LOCAL:20270115T080000Z:"));
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(reply.headers.contains_key("x-ms-ratelimit-remaining-subscription-reads"));
        assert_eq!(header("content-type"), "application/json; charset=utf-8");
    }
}
