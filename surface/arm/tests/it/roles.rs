//! Role assignments: rights to hand out rights, and the exact errors az relies on.

use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, OWNER, READER, Reply, S, World, object};

const A: &str = "00000000-0000-0000-0000-0000000000a1";
const B: &str = "00000000-0000-0000-0000-0000000000b2";
const RBAC_ADMIN: &str = "f58310d9-a9f6-439a-9e8d-f62e7b41a168";

fn path(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}")
}

fn body(role: &str, who: &str) -> String {
    let id = format!("{S}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    json!({"properties": {"roleDefinitionId": id, "principalId": object(who).to_string()}}).to_string()
}

async fn assign(world: &World, token: &str, scope: &str, name: &str, role: &str, who: &str) -> Reply {
    world.put(token, &path(scope, name), &body(role, who)).await
}

#[tokio::test]
async fn assigned_at_once_listed_and_taken_away() {
    let world = World::with_group().await;
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403);
    let made = assign(&world, "owner", S, A, READER, "nobody").await;
    assert_eq!(made.status, 201);
    let p = &made.json()["properties"];
    assert_eq!((&p["scope"], &p["createdBy"], &p["condition"]), (&json!(S), &Value::Null, &Value::Null));
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 200, "at once");
    let named = format!("{S}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'reader'");
    let role = world.get("owner", &named).await.ok()["value"].clone();
    assert_eq!(
        (role.as_array().unwrap().len(), &role[0]["id"]),
        (1, &p["roleDefinitionId"]),
        "letter for letter"
    );
    let list = format!(
        "{S}/resourceGroups/lab/providers/Microsoft.Authorization/roleAssignments?$filter=atScope() and assignedTo('{}')",
        object("nobody")
    );
    assert_eq!(world.get("owner", &list).await.ok()["value"][0]["name"], json!(A));
    assert_eq!(world.send("owner", "DELETE", &path(S, A), "").await.ok()["name"], json!(A));
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403, "at once");
    assert_eq!(world.send("owner", "DELETE", &path(S, A), "").await.status, 204);
}

#[tokio::test]
async fn errors_az_relies_on() {
    let world = World::with_group().await;
    let code = |r: Reply| r.refusal();
    assign(&world, "owner", S, A, READER, "nobody").await.ok();
    assert_eq!(assign(&world, "owner", S, A, READER, "nobody").await.status, 200);
    let twin = assign(&world, "owner", S, B, READER, "nobody").await;
    assert!(
        twin.text.contains("The role assignment already exists.") && twin.text.contains(&A.replace('-', ""))
    );
    assert_eq!(code(twin), (409, "RoleAssignmentExists".into()));
    let fixed = (400, "RoleAssignmentUpdateNotPermitted".to_owned());
    assert_eq!(code(assign(&world, "owner", S, A, CONTRIBUTOR, "nobody").await), fixed);
    // The same GUID elsewhere would push the first one out of the snapshot.
    let group = format!("{S}/resourceGroups/lab");
    assert_eq!(code(assign(&world, "owner", &group, A, READER, "nobody").await), fixed);
    assert_eq!(
        code(assign(&world, "owner", S, "x", READER, "nobody").await),
        (400, "InvalidRoleAssignmentId".into())
    );
    let unknown = assign(&world, "owner", S, B, READER, "never met").await;
    assert!(unknown.text.contains(" does not exist in the directory"));
    assert_eq!(code(unknown), (400, "PrincipalNotFound".into()));
    assert_eq!(
        code(assign(&world, "owner", S, B, A, "reader").await),
        (404, "RoleDefinitionDoesNotExist".into())
    );
    let nowhere = format!("{S}/resourceGroups/none");
    assert_eq!(
        code(assign(&world, "owner", &nowhere, B, READER, "nobody").await),
        (404, "ResourceGroupNotFound".into())
    );
    let typed = json!({"properties": {"roleDefinitionId": READER, "principalId": object("reader").to_string(), "principalType": "User"}});
    assert_eq!(
        code(world.put("owner", &path(&group, B), &typed.to_string()).await),
        (400, "UnmatchedPrincipalType".into())
    );
    let conditioned = json!({"properties": {"roleDefinitionId": READER, "principalId": object("nobody").to_string(), "condition": "(("}});
    assert_eq!(
        code(world.put("owner", &path(&group, B), &conditioned.to_string()).await),
        (400, "InvalidRoleAssignmentCondition".into())
    );
    let filter = format!("{S}/providers/Microsoft.Authorization/roleAssignments?$filter=x eq 'y'");
    assert_eq!(code(world.get("owner", &filter).await), (400, "UnsupportedQuery".into()));
}

#[tokio::test]
async fn d02_a_group_owner_assigns_nothing_above() {
    let world = World::with_group().await;
    world.meet("grouped").await;
    let group = format!("{S}/resourceGroups/lab");
    world.grant("grouped", OWNER, &group, None).await;
    for scope in ["", S, "/providers/Microsoft.Management/managementGroups/root"] {
        let reply = assign(&world, "grouped", scope, A, OWNER, "grouped").await;
        assert_eq!(reply.refusal(), (403, "AuthorizationFailed".into()), "{scope}");
    }
    let foreign = assign(&world, "grouped", crate::world::FOREIGN, A, OWNER, "grouped").await;
    assert_eq!(foreign.status, 401);
    assert_eq!(assign(&world, "grouped", &group, A, READER, "nobody").await.status, 201);
}

#[tokio::test]
async fn d03_nobody_hands_out_more_than_they_may() {
    let world = World::with_group().await;
    for token in ["reader", "nobody"] {
        assert_eq!(assign(&world, token, S, A, OWNER, token).await.refusal().0, 403, "{token}");
    }
    world.meet("delegate").await;
    let only_reader = format!(
        "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}}})) AND ((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/delete'}})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}}}))"
    );
    world.grant("delegate", RBAC_ADMIN, S, Some(&only_reader)).await;
    assert_eq!(assign(&world, "delegate", S, A, OWNER, "delegate").await.refusal().0, 403);
    assert_eq!(assign(&world, "delegate", S, A, READER, "nobody").await.status, 201);
    let held = object("owner");
    let held =
        format!("{S}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{held}'");
    let owners = world.get("owner", &held).await.ok()["value"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(world.send("delegate", "DELETE", &path(S, &owners), "").await.status, 403);
    assert_eq!(world.send("delegate", "DELETE", &path(S, A), "").await.status, 200);
}

#[tokio::test]
async fn assignments_die_with_their_scope() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/lab");
    assign(&world, "owner", &group, A, READER, "nobody").await.ok();
    assert_eq!(world.get("nobody", &group).await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &group, "").await.status, 200);
    world.put("owner", &group, r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.get("nobody", &group).await.status, 403);
}
