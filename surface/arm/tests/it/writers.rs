//! Who wins, what goes along, and what nobody inherits.

use serde_json::json;

use crate::world::{READER, S, World, object};

const BODY: &str = r#"{"location":"local"}"#;

fn of(group: &str, rest: &str) -> String {
    format!("{S}/resourceGroups/{group}/providers/{rest}")
}

#[tokio::test]
async fn d08_of_two_creators_one_wins() {
    let world = World::with_group().await;
    let machine = of("Lab", "Microsoft.HybridCompute/machines/raced");
    let create = || world.conditional("PUT", &machine, BODY, ("If-None-Match", "*"));
    let (a, b, c) = tokio::join!(create(), create(), create());
    let mut statuses = [a.status, b.status, c.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
    world.put("owner", &format!("{S}/resourceGroups/two"), BODY).await.ok();
    let vault = r#"{"location":"local","properties":{"enableRbacAuthorization":true}}"#;
    let (a, b) = (of("Lab", "Microsoft.KeyVault/vaults/kv1"), of("two", "Microsoft.KeyVault/vaults/kv1"));
    let (a, b) = tokio::join!(world.put("owner", &a, vault), world.put("owner", &b, vault));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
}

#[tokio::test]
async fn d08_writers_of_different_members_lose_nothing() {
    let world = World::with_group().await;
    let machine = of("Lab", "Microsoft.HybridCompute/machines/m1");
    world.put("owner", &machine, BODY).await.ok();
    let patch = async |n: u32| {
        let body = json!({"properties": {format!("by{n}"): n}}).to_string();
        world.send("owner", "PATCH", &machine, &body).await.status
    };
    let all = tokio::join!(patch(1), patch(2), patch(3), patch(4));
    let kept = world.get("owner", &machine).await.ok()["properties"].clone();
    for (n, status) in [(1, all.0), (2, all.1), (3, all.2), (4, all.3)] {
        assert!(status == 200 && kept[format!("by{n}")] == json!(n) || status == 409, "{n}: {status} {kept}");
    }
}

#[tokio::test]
async fn d05_what_is_made_again_inherits_nothing() {
    let world = World::with_group().await;
    let rest = [
        ("Microsoft.HybridCompute/machines/m1", json!({"location": "local"})),
        (
            "Microsoft.KeyVault/vaults/kv1",
            json!({"location": "local", "properties": {"enableRbacAuthorization": false,
            "accessPolicies": [{"tenantId": "00000000-0000-0000-0000-000000000001", "objectId": object("nobody").to_string(),
                "permissions": {"secrets": ["get"]}}]}}),
        ),
        ("Microsoft.Storage/storageAccounts/sa1", json!({"location": "local"})),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/uai1", json!({"location": "local"})),
        ("Microsoft.DBforPostgreSQL/flexibleServers/pg1", json!({"location": "local"})),
    ];
    let group = format!("{S}/resourceGroups/Lab");
    let mut principals = Vec::new();
    for (n, (rest, body)) in rest.iter().enumerate() {
        let id = of("Lab", rest);
        let mut tagged = body.clone();
        tagged["tags"] = json!({"secret": "plan"});
        let made = world.put("owner", &id, &tagged.to_string()).await.ok();
        principals.push(made["identity"]["principalId"].clone());
        principals.push(made["properties"]["principalId"].clone());
        let assignment =
            json!({"properties": {"roleDefinitionId": READER, "principalId": object("nobody").to_string()}});
        let guid = format!("00000000-0000-0000-0000-00000000000{n}");
        let at = format!("{id}/providers/Microsoft.Authorization/roleAssignments/{guid}");
        assert_eq!(world.put("owner", &at, &assignment.to_string()).await.status, 201);
        assert_eq!(world.get("nobody", &id).await.status, 200);
    }
    let container = of("Lab", "Microsoft.Storage/storageAccounts/sa1/blobServices/default/containers/box");
    world.put("owner", &container, "{}").await.ok();
    let trust =
        of("Lab", "Microsoft.ManagedIdentity/userAssignedIdentities/uai1/federatedIdentityCredentials/fic1");
    let trusted = json!({"properties": {"issuer": "https://a.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}});
    world.put("owner", &trust, &trusted.to_string()).await.ok();
    let lock = format!("{group}/providers/Microsoft.Authorization/locks/l1");
    world.put("owner", &lock, r#"{"properties":{"level":"CanNotDelete"}}"#).await.ok();
    assert_eq!(world.send("owner", "DELETE", &group, "").await.refusal(), (409, "ScopeLocked".into()));
    assert_eq!(world.send("owner", "DELETE", &lock, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &group, "").await.status, 200);
    world.put("owner", &group, r#"{"location":"local"}"#).await.ok();
    for (rest, body) in &rest {
        let id = of("Lab", rest);
        assert_eq!(world.get("owner", &id).await.status, 404, "{rest} went with its group");
        let made = world.put("owner", &id, &body.to_string()).await.ok();
        assert_eq!(made["tags"], json!({}), "{rest}");
        for ids in [&made["identity"]["principalId"], &made["properties"]["principalId"]] {
            assert!(ids.is_null() || !principals.contains(ids), "{rest}: the same principal");
        }
        assert_eq!(world.get("nobody", &id).await.status, 403, "{rest}: roles of the one before");
    }
    assert_eq!(world.get("owner", &container).await.status, 404);
    assert_eq!(world.get("owner", &trust).await.status, 404);
    let locks = world.get("owner", &format!("{group}/providers/Microsoft.Authorization/locks")).await.ok();
    assert_eq!(locks["value"], json!([]));
    let tags = world.get("owner", &format!("{S}/tagNames")).await.ok();
    assert_eq!(tags["value"], json!([]), "nor is a tag counted that nothing carries");
}
