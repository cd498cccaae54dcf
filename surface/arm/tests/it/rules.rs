//! Custom roles, groups, deny assignments, locks: what decides beside assignments of built-in roles.

use cs_store::{DirectoryObjects, LinkKind};
use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, OWNER, READER, S, World, object, tenant};

const ROLE: &str = "00000000-0000-0000-0000-00000000c0de";

fn role_at(scope: &str, id: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}")
}

fn role(name: &str, actions: &[&str], scopes: &[&str]) -> String {
    json!({"properties": {"roleName": name, "description": "d", "type": "CustomRole",
        "permissions": [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}],
        "assignableScopes": scopes}})
    .to_string()
}

fn assignment(n: u32, role: &str, who: &str) -> (String, String) {
    let body = json!({"properties": {"roleDefinitionId": role, "principalId": object(who).to_string()}});
    (
        format!(
            "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000{n:02}"
        ),
        body.to_string(),
    )
}

#[tokio::test]
async fn a_custom_role_grants_what_it_lists_until_it_is_changed() {
    let world = World::with_group().await;
    let at = role_at(S, ROLE);
    let made = world
        .put("owner", &at, &role("Tag Reader", &["Microsoft.Resources/subscriptions/tagNames/read"], &[S]))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!((&made["properties"]["type"], &made["id"]), (&json!("CustomRole"), &json!(at)));
    let found = world
        .get(
            "reader",
            &format!(
                "{S}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'tag reader'"
            ),
        )
        .await
        .ok();
    assert_eq!((found["value"].as_array().unwrap().len(), &found["value"][0]["id"]), (1, &made["id"]));
    let (name, body) = assignment(1, &at, "nobody");
    assert_eq!(world.put("owner", &format!("{S}{name}"), &body).await.status, 201);
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 200);
    assert_eq!(world.put("nobody", &format!("{S}/tagNames/x"), "").await.status, 403);
    let assigned = world.send("owner", "DELETE", &at, "").await;
    assert_eq!(assigned.refusal(), (400, "RoleDefinitionHasAssignments".into()));
    // Updating is a 201 as well: az and the SDKs take nothing else.
    let changed = world
        .put("owner", &at, &role("Tag Reader", &["Microsoft.Resources/subscriptions/tagNames/write"], &[S]))
        .await;
    assert_eq!(
        (changed.status, &changed.json()["properties"]["createdOn"]),
        (201, &made["properties"]["createdOn"])
    );
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403, "seen at once");
    assert_eq!(world.put("nobody", &format!("{S}/tagNames/x"), "").await.status, 201);
    assert_eq!(world.send("owner", "DELETE", &format!("{S}{name}"), "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &at, "").await.ok()["name"], json!(ROLE));
    assert_eq!(world.send("owner", "DELETE", &at, "").await.status, 204);
    assert_eq!(world.get("owner", &at).await.refusal(), (404, "RoleDefinitionDoesNotExist".into()));
}

#[tokio::test]
async fn d04_odd_roles_are_refused() {
    let world = World::with_group().await;
    let at = role_at(S, ROLE);
    let group = format!("{S}/resourceGroups/lab");
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/kv1");
    for (body, code) in [
        (role("r", &["*/read/../write"], &[S]), "InvalidActionOrNotAction"),
        (role("r", &["a b"], &[S]), "InvalidActionOrNotAction"),
        (role("r", &[""], &[S]), "InvalidActionOrNotAction"),
        (role("r", &["*/read"], &["/"]), "AssignableScopeNotUnderSubscriptionScope"),
        (role("r", &["*/read"], &[]), "AssignableScopeNotUnderSubscriptionScope"),
        (role("r", &["*/read"], &[&vault]), "AssignableScopeNotUnderSubscriptionScope"),
        (
            role("r", &["*/read"], &["/subscriptions/aaaaaaaa-bbbb-cccc-dddd-ffffffffffff"]),
            "AssignableScopeNotUnderSubscriptionScope",
        ),
        (role("", &["*/read"], &[S]), "InvalidParameter"),
        (role(&"n".repeat(513), &["*/read"], &[S]), "InvalidParameter"),
        (
            r#"{"properties":{"roleName":"r","permissions":[],"assignableScopes":["/x"]}}"#.to_owned(),
            "AssignableScopeNotUnderSubscriptionScope",
        ),
        ("{}".to_owned(), "InvalidRequestContent"),
    ] {
        let reply = world.put("owner", &at, &body).await;
        assert_eq!(reply.refusal(), (400, code.into()), "{body:.150}");
    }
    let wildcard =
        role("blobs", &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"], &[S]);
    assert_eq!(world.put("owner", &at, &wildcard).await.status, 201, "a pattern is legal");
    let other = role_at(S, "00000000-0000-0000-0000-00000000c0d2");
    assert_eq!(
        world.put("owner", &other, &role("BLOBS", &["*/read"], &[S])).await.refusal(),
        (409, "RoleDefinitionWithSameNameExists".into())
    );
    assert_eq!(
        world.put("owner", &other, &role("Reader", &["*/read"], &[S])).await.status,
        409,
        "nor a built-in one's"
    );
    assert_eq!(
        world.put("owner", &role_at(S, READER), &role("x", &["*"], &[S])).await.refusal(),
        (400, "RoleDefinitionUpdateNotPermitted".into())
    );
    assert_eq!(world.send("owner", "DELETE", &role_at(S, READER), "").await.status, 400);
    assert_eq!(
        world.put("owner", &role_at(S, "x"), &wildcard).await.refusal(),
        (400, "InvalidRoleDefinitionId".into())
    );
}

#[tokio::test]
async fn d02_roles_and_assignments_end_where_the_callers_own_rights_end() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/lab");
    world.meet("local").await;
    world.grant("local", OWNER, &group, None).await;
    let wide = world.put("local", &role_at(&group, ROLE), &role("wide", &["*"], &[&group, S])).await;
    assert_eq!(wide.refusal(), (403, "AuthorizationFailed".into()), "not on every assignable scope");
    assert_eq!(
        world.put("local", &role_at(&group, ROLE), &role("narrow", &["*"], &[&group])).await.status,
        201
    );
    let stolen = world.put("local", &role_at(&group, ROLE), &role("narrow", &["*"], &[S])).await;
    assert_eq!(stolen.status, 403);
    let (name, body) = assignment(2, &role_at(S, ROLE), "nobody");
    assert_eq!(
        world.put("owner", &format!("{S}{name}"), &body).await.refusal(),
        (400, "RoleDefinitionNotAssignable".into())
    );
    let (name, body) = assignment(3, OWNER, "local");
    for above in ["", S, crate::world::FOREIGN] {
        let reply = world.put("local", &format!("{above}{name}"), &body).await;
        assert!(reply.status == 403 || reply.status == 401, "{above}: {} {}", reply.status, reply.text);
    }
}

#[tokio::test]
async fn groups_hold_roles_for_all_who_are_in_them() {
    let world = World::with_group().await;
    let (outer, inner) = (world.directory_group("outer").await, world.directory_group("inner").await);
    world.join(outer, inner).await;
    world.join(inner, object("nobody")).await;
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403);
    let body = json!({"properties": {"roleDefinitionId": READER, "principalId": outer.to_string(), "principalType": "Group"}});
    let at =
        format!("{S}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000a7");
    let made = world.put("owner", &at, &body.to_string()).await;
    assert_eq!((made.status, &made.json()["properties"]["principalType"]), (201, &json!("Group")));
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 200);
    assert_eq!(world.get("nobody", "/subscriptions").await.ok()["count"]["value"], json!(1));
    let list =
        |filter: &str| format!("{S}/providers/Microsoft.Authorization/roleAssignments?$filter={filter}");
    let who = object("nobody");
    let through = world.get("owner", &list(&format!("assignedTo('{who}')"))).await.ok();
    assert_eq!(through["value"].as_array().unwrap().len(), 1);
    let direct = world.get("owner", &list(&format!("principalId eq '{who}'"))).await.ok();
    assert_eq!(direct["value"], json!([]));
    let both = world.get("owner", &list(&format!("atScope() and assignedTo('{who}')"))).await.ok();
    assert_eq!(both["value"].as_array().unwrap().len(), 1);
    let store = std::sync::Arc::clone(&world.store);
    store.unlink(tenant(1), inner, LinkKind::Member, who, world.record()).await.unwrap();
    world.refresh().await;
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403, "as soon as it is out");
}

#[tokio::test]
async fn deny_assignments_forbid_what_roles_allow() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/lab");
    let at = format!(
        "{group}/providers/Microsoft.Authorization/denyAssignments/00000000-0000-0000-0000-00000000de01"
    );
    let body = json!({"properties": {"denyAssignmentName": "no deletes", "permissions": [{"actions": ["*/delete"]}],
        "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        "excludePrincipals": [{"id": object("owner").to_string(), "type": "ServicePrincipal"}]}});
    world.meet("second").await;
    world.grant("second", OWNER, S, None).await;
    assert_eq!(world.put("reader", &at, &body.to_string()).await.status, 403);
    let made = world.put("owner", &at, &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["properties"]["scope"], json!(group));
    let machine = format!("{group}/providers/Microsoft.HybridCompute/machines/m1");
    world.put("second", &machine, r#"{"location":"local"}"#).await.ok();
    assert_eq!(
        world.send("second", "DELETE", &machine, "").await.refusal(),
        (403, "AuthorizationFailed".into())
    );
    assert_eq!(world.send("owner", "DELETE", &machine, "").await.status, 204, "the owner is excluded");
    let list = world
        .get(
            "reader",
            &format!("{group}/providers/Microsoft.Authorization/denyAssignments?$filter=atScope()"),
        )
        .await
        .ok();
    assert_eq!(list["value"][0]["name"], json!("00000000-0000-0000-0000-00000000de01"));
    assert_eq!(world.send("owner", "DELETE", &at, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &at, "").await.status, 204);
    world.put("second", &machine, r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.send("second", "DELETE", &machine, "").await.status, 204);
    for bad in [
        json!({"properties": {}}),
        json!({"properties": {"denyAssignmentName": "x", "permissions": [], "principals": body["properties"]["principals"]}}),
        json!({"properties": {"denyAssignmentName": "x", "permissions": [{"actions": ["a b"]}], "principals": body["properties"]["principals"]}}),
        json!({"properties": {"denyAssignmentName": "x", "permissions": [{"actions": ["*"]}], "principals": [{"id": "x"}]}}),
    ] {
        assert_eq!(world.put("owner", &at, &bad.to_string()).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn locks_bind_owners_too_and_only_their_own_doors_open_them() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/Lab");
    let machine = format!("{group}/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &machine, r#"{"location":"local"}"#).await.ok();
    let lock = format!("{machine}/providers/Microsoft.Authorization/locks/keep");
    let body = r#"{"properties":{"level":"canNotDelete","notes":"why"}}"#;
    assert_eq!(world.put("reader", &lock, body).await.status, 403);
    let made = world.put("owner", &lock, body).await;
    assert_eq!(
        (made.status, &made.json()["properties"]),
        (201, &json!({"level": "CanNotDelete", "notes": "why"}))
    );
    for (method, target) in [("DELETE", machine.as_str()), ("DELETE", group.as_str())] {
        let refused = world.send("owner", method, target, "").await;
        assert_eq!(refused.refusal(), (409, "ScopeLocked".into()), "{target}");
        assert!(
            refused.text.contains(&format!("following scope(s) are locked: '{machine}'")),
            "{}",
            refused.text
        );
    }
    assert_eq!(world.send("nobody", "DELETE", &machine, "").await.status, 403, "authorisation comes first");
    assert_eq!(world.send("owner", "PATCH", &machine, r#"{"tags":{"a":"b"}}"#).await.status, 200);
    let read_only = format!("{group}/providers/Microsoft.Authorization/locks/ro");
    assert_eq!(world.put("owner", &read_only, r#"{"properties":{"level":"ReadOnly"}}"#).await.status, 201);
    assert_eq!(
        world.send("owner", "PATCH", &machine, r#"{"tags":{}}"#).await.refusal(),
        (409, "ScopeLocked".into())
    );
    let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/sa1");
    assert_eq!(world.put("owner", &account, r#"{"location":"local"}"#).await.status, 409);
    assert_eq!(world.send("owner", "POST", &format!("{account}/listKeys"), "").await.status, 409);
    assert_eq!(world.get("owner", &machine).await.status, 200);
    let names = |list: Value| -> Vec<String> {
        list["value"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap().to_owned()).collect()
    };
    let of = |at: &str, filter: &str| format!("{at}/providers/Microsoft.Authorization/locks{filter}");
    assert_eq!(names(world.get("owner", &of(&group, "")).await.ok()), ["ro", "keep"]);
    assert_eq!(names(world.get("owner", &of(&machine, "?$filter=atScope()")).await.ok()), ["ro", "keep"]);
    assert_eq!(names(world.get("owner", &of(&group, "?$filter=atScope()")).await.ok()), ["ro"]);
    assert_eq!(world.send("owner", "DELETE", &read_only, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &read_only, "").await.status, 204);
    assert_eq!(world.send("owner", "DELETE", &lock, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &group, "").await.status, 200);
    for bad in
        [r#"{"properties":{"level":"Firm"}}"#, "{}", r#"{"properties":{"level":"ReadOnly","notes":5}}"#]
    {
        assert_eq!(
            world.put("owner", &of(S, "/bad"), bad).await.refusal(),
            (400, "InvalidRequestContent".into()),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn the_root_group_is_above_every_subscription() {
    let world = World::with_group().await;
    let root = format!("/providers/Microsoft.Management/managementGroups/{}", tenant(1));
    let shown = world.get("owner", &format!("{root}?$expand=children")).await.ok();
    assert_eq!(shown["properties"]["children"][0]["id"], json!(S));
    assert_eq!(
        world.get("nobody", &format!("{root}?$expand=children")).await.ok()["properties"]["children"],
        json!([])
    );
    assert_eq!(
        world.get("owner", &root.replace(&tenant(1).to_string(), "other")).await.refusal(),
        (404, "NotFound".into())
    );
    let list = world.get("nobody", "/providers/Microsoft.Management/managementGroups").await.ok();
    assert_eq!(list["value"][0]["id"], json!(root));
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403);
    world.grant("nobody", READER, &root, None).await;
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 200);
    assert_eq!(world.put("nobody", &format!("{S}/tagNames/x"), "").await.status, 403);
}

#[tokio::test]
async fn callers_see_their_own_permissions() {
    let world = World::with_group().await;
    let at = format!("{S}/resourceGroups/lab/providers/Microsoft.Authorization/permissions");
    assert_eq!(world.get("reader", &at).await.ok()["value"][0]["actions"], json!(["*/read"]));
    assert_eq!(world.get("nobody", &at).await.ok()["value"], json!([]));
    world.meet("both").await;
    world.grant("both", CONTRIBUTOR, S, None).await;
    let held = world.get("both", &at).await.ok();
    assert!(
        held["value"][0]["notActions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a == "Microsoft.Authorization/*/Write")
    );
}
