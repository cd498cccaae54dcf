//! Odd input at every type: names, ids, tags, members, sizes.

use serde_json::{Value, json};

use crate::world::{READER, S, World, object};

const MACHINE: &str = "Microsoft.HybridCompute/machines";
const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const VAULT: &str = "Microsoft.KeyVault/vaults";
const ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";

fn of(rest: &str) -> String {
    format!("{S}/resourceGroups/Lab/providers/{rest}")
}

/// A resource of each type with a body that makes it.
fn made() -> Vec<(String, Value)> {
    vec![
        (format!("{S}/resourceGroups/more"), json!({"location": "local"})),
        (of(&format!("{MACHINE}/m1")), json!({"location": "local", "properties": {}})),
        (
            of(&format!("{MACHINE}/m1/extensions/e1")),
            json!({"location": "local", "properties": {"publisher": "P", "type": "T"}}),
        ),
        (of(&format!("{IDENTITY}/uai1")), json!({"location": "local", "properties": {}})),
        (
            of(&format!("{VAULT}/kv1")),
            json!({"location": "local", "properties": {"enableRbacAuthorization": true}}),
        ),
        (of(&format!("{ACCOUNT}/sa1")), json!({"location": "local", "properties": {}})),
        (of(&format!("{SERVER}/pg1")), json!({"location": "local", "properties": {}})),
    ]
}

async fn world() -> World {
    let world = World::with_group().await;
    for (id, body) in made() {
        let reply = world.put("owner", &id, &body.to_string()).await;
        assert!(reply.status < 300, "{id}: {}", reply.text);
    }
    world
}

#[tokio::test]
async fn d07_bad_names_of_every_type_are_refused_by_name() {
    let world = world().await;
    let long = "n".repeat(2049);
    let bad: &[(&str, &str, &str, &str)] = &[
        ("group.", "{}", "InvalidResourceGroup", ""),
        ("a%20b!", "{}", "InvalidResourceGroup", ""),
        (MACHINE, r#"{"location":"local"}"#, "InvalidResourceName", "has%20blanks"),
        (MACHINE, r#"{"location":"local"}"#, "InvalidResourceName", "sl%C3%A4sh"),
        (IDENTITY, r#"{"location":"local"}"#, "InvalidParameter", "_begins"),
        (IDENTITY, r#"{"location":"local"}"#, "InvalidParameter", "ab"),
        (
            VAULT,
            r#"{"location":"local","properties":{"enableRbacAuthorization":true}}"#,
            "VaultNameNotValid",
            "1kv",
        ),
        (
            VAULT,
            r#"{"location":"local","properties":{"enableRbacAuthorization":true}}"#,
            "VaultNameNotValid",
            "kv--a",
        ),
        (ACCOUNT, r#"{"location":"local"}"#, "AccountNameInvalid", "with-dash"),
        (SERVER, r#"{"location":"local"}"#, "InvalidResourceName", "a_b"),
    ];
    for (kind, body, code, name) in bad {
        let target = if name.is_empty() {
            format!("{S}/resourceGroups/{kind}")
        } else {
            of(&format!("{kind}/{name}"))
        };
        let reply = world.put("owner", &target, body).await;
        assert_eq!(reply.refusal(), (400, (*code).into()), "{target}: {}", reply.text);
    }
    for (target, body, code) in [
        (
            of(&format!("{MACHINE}/m1/extensions/{}", "n".repeat(65))),
            json!({"properties": {"publisher": "P", "type": "T"}}),
            "InvalidParameter",
        ),
        (
            of(&format!("{IDENTITY}/uai1/federatedIdentityCredentials/{long}")),
            json!({"properties": {"issuer": "https://a.example", "subject": "s", "audiences": ["x"]}}),
            "InvalidParameter",
        ),
        (
            of(&format!("{ACCOUNT}/sa1/blobServices/default/containers/UPPER")),
            json!({}),
            "InvalidResourceName",
        ),
        (
            of(&format!("{SERVER}/pg1/administrators/me")),
            json!({"properties": {"principalName": "me"}}),
            "InvalidParameter",
        ),
        (
            format!("{S}/providers/Microsoft.Authorization/locks/{long}"),
            json!({"properties": {"level": "ReadOnly"}}),
            "InvalidParameter",
        ),
        (
            format!("{S}/providers/Microsoft.Authorization/roleAssignments/{long}"),
            json!({"properties": {"roleDefinitionId": READER, "principalId": object("nobody").to_string()}}),
            "InvalidRoleAssignmentId",
        ),
        (
            format!("{S}/providers/Microsoft.Authorization/roleDefinitions/{long}"),
            json!({"properties": {"roleName": "r", "permissions": [], "assignableScopes": [S]}}),
            "InvalidRoleDefinitionId",
        ),
        (format!("{S}/tagNames/{long}"), json!({}), "InvalidTag"),
        (format!("{S}/tagNames/microsoft.x"), json!({}), "InvalidTag"),
    ] {
        let reply = world.put("owner", &target, &body.to_string()).await;
        assert_eq!(reply.refusal(), (400, code.into()), "{target:.160}: {}", reply.text);
        assert!(reply.text.len() < 2000, "what was sent is not sent back whole: {} bytes", reply.text.len());
    }
}

#[tokio::test]
async fn d01_ids_of_2049_characters_and_other_lengths_end_at_their_limit() {
    let world = world().await;
    for length in [2049, 20_000] {
        let long = "x".repeat(length);
        for (id, body) in made() {
            let (parent, _) = id.rsplit_once('/').unwrap();
            let put = world.put("owner", &format!("{parent}/{long}"), &body.to_string()).await;
            assert_eq!(put.status, 400, "{id}: {}", put.text);
            let get = world.get("owner", &format!("{parent}/{long}")).await;
            assert!(matches!(get.status, 400 | 404), "{id}: {}", get.status);
            assert!(get.text.len() < 2000, "{id}: an error repeats what was sent");
        }
        let scope = format!("{S}/resourceGroups/Lab/providers/{long}/a/b");
        let assignment =
            json!({"properties": {"roleDefinitionId": READER, "principalId": object("nobody").to_string()}});
        let at = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001"
        );
        assert!(matches!(world.put("owner", &at, &assignment.to_string()).await.status, 400 | 404));
    }
    let deep = "/a/b".repeat(400);
    let reply = world.get("owner", &of(&format!("{VAULT}{deep}"))).await;
    assert!(matches!(reply.status, 400 | 404), "{}", reply.status);
}

#[tokio::test]
async fn d07_tags_beyond_their_limits_are_refused_everywhere() {
    let world = world().await;
    let many: Value =
        (0..51).map(|n| (format!("t{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let bad = [
        many,
        json!({"n".repeat(513): "v"}),
        json!({"n": "v".repeat(257)}),
        json!({"a<b": "v"}),
        json!({"Azure.x": "v"}),
        json!({"a": "1", "A": "2"}),
        json!({"a\nb": "v"}),
    ];
    for (id, body) in made() {
        for tags in &bad {
            let mut body = body.clone();
            body["tags"] = tags.clone();
            for method in ["PUT", "PATCH"] {
                let reply = world.send("owner", method, &id, &body.to_string()).await;
                assert_eq!(reply.refusal(), (400, "InvalidTag".into()), "{method} {id} {tags:.60}");
            }
            let at = format!("{id}/providers/Microsoft.Resources/tags/default");
            let whole = json!({"properties": {"tags": tags}}).to_string();
            assert_eq!(world.put("owner", &at, &whole).await.refusal(), (400, "InvalidTag".into()), "{at}");
        }
        for (tags, named) in
            [(json!({"cost": 7}), "'tags.cost' must be a string"), (json!([]), "'tags' must be an object")]
        {
            let mut body = body.clone();
            body["tags"] = tags;
            let reply = world.put("owner", &id, &body.to_string()).await;
            assert_eq!(reply.refusal(), (400, "InvalidRequestContent".into()), "{id}");
            assert!(reply.text.contains(named), "{id}: {}", reply.text);
        }
    }
    let account = json!({"location": "local", "tags": {"n".repeat(129): "v"}}).to_string();
    assert_eq!(world.put("owner", &of(&format!("{ACCOUNT}/sa1")), &account).await.code(), "InvalidTag");
}

#[tokio::test]
async fn what_is_not_known_round_trips_and_a_second_plan_shows_no_difference() {
    let world = world().await;
    let new = json!({"list": [1, null, {"deep": true}], "text": "ü", "number": 1.5, "empty": {}});
    for (id, body) in made() {
        let mut body = body.clone();
        body["tags"] = json!({"A": "1", "b": ""});
        body["somethingNew"] = new.clone();
        if let Some(properties) = body.get_mut("properties") {
            properties["somethingNew"] = new.clone();
        }
        let written = world.put("owner", &id, &body.to_string()).await.ok();
        let read = world.get("owner", &id).await.ok();
        assert_eq!(read["somethingNew"], new, "{id}");
        assert_eq!(read["tags"], body["tags"], "{id}");
        if body.get("properties").is_some() {
            assert_eq!(read["properties"]["somethingNew"], new, "{id}");
        }
        // What a tool that compares what it wants with what is there sends next: all that it read.
        let again = world.put("owner", &id, &read.to_string()).await.ok();
        let bare = |mut v: Value| {
            v.as_object_mut().unwrap().remove("systemData");
            v
        };
        assert_eq!(bare(again), bare(read.clone()), "{id}");
        assert_eq!(bare(written), bare(read), "{id}");
        let patched = world.send("owner", "PATCH", &id, r#"{"properties":{"another":[2]}}"#).await.ok();
        assert_eq!(patched["somethingNew"], new, "{id}: PATCH leaves what it does not name");
    }
}

#[tokio::test]
async fn d07_wrong_types_name_the_property_at_every_type() {
    let world = world().await;
    let at = |rest: &str| of(rest);
    let scope = |rest: &str| format!("{S}/providers/Microsoft.Authorization/{rest}");
    let guid = "00000000-0000-0000-0000-0000000000aa";
    for (target, body, named) in [
        (at(&format!("{MACHINE}/m1")), json!({"location": 5}), "'location'"),
        (
            at(&format!("{MACHINE}/m1")),
            json!({"properties": {"clientPublicKey": {}}}),
            "'properties.clientPublicKey'",
        ),
        (at(&format!("{MACHINE}/m1")), json!({"identity": "SystemAssigned"}), "'identity'"),
        (
            at(&format!("{VAULT}/kv1")),
            json!({"location": "local", "properties": {"enableRbacAuthorization": "yes"}}),
            "'properties.enableRbacAuthorization'",
        ),
        (
            at(&format!("{VAULT}/kv1")),
            json!({"location": "local", "properties": {"enableRbacAuthorization": true, "softDeleteRetentionInDays": "7"}}),
            "'properties.softDeleteRetentionInDays'",
        ),
        (
            at(&format!("{VAULT}/kv1")),
            json!({"location": "local", "properties": {"enableRbacAuthorization": true, "sku": 7}}),
            "'properties.sku'",
        ),
        (
            at(&format!("{ACCOUNT}/sa1")),
            json!({"location": "local", "properties": {"supportsHttpsTrafficOnly": 1}}),
            "'properties.supportsHttpsTrafficOnly'",
        ),
        (
            at(&format!("{ACCOUNT}/sa1")),
            json!({"location": "local", "properties": {"encryption": []}}),
            "'properties.encryption'",
        ),
        (at(&format!("{ACCOUNT}/sa1")), json!({"location": "local", "sku": "Standard_LRS"}), "'sku'"),
        (
            at(&format!("{ACCOUNT}/sa1/blobServices/default/containers/box")),
            json!({"properties": {"metadata": []}}),
            "'properties.metadata'",
        ),
        (
            at(&format!("{IDENTITY}/uai1/federatedIdentityCredentials/fic1")),
            json!({"properties": {"issuer": 1}}),
            "'properties.issuer'",
        ),
        (
            scope(&format!("roleAssignments/{guid}")),
            json!({"properties": {"principalId": 7, "roleDefinitionId": READER}}),
            "'properties.principalId'",
        ),
        (
            scope(&format!("roleDefinitions/{guid}")),
            json!({"properties": {"roleName": "r", "permissions": [{"actions": "*"}], "assignableScopes": [S]}}),
            "'properties.permissions[0].actions'",
        ),
        (scope("locks/l1"), json!({"properties": {"level": 1}}), "'properties.level'"),
        (
            format!("{S}/resourceGroups/Lab/providers/Microsoft.Resources/tags/default"),
            json!({"properties": {"tags": {"a": []}}}),
            "'tags.a'",
        ),
    ] {
        let reply = world.put("owner", &target, &body.to_string()).await;
        assert_eq!(reply.status, 400, "{target} {body}: {}", reply.text);
        assert!(reply.text.contains(named), "{body}: {}", reply.text);
    }
    let moves = format!("{S}/resourceGroups/Lab/moveResources");
    let reply = world.send("owner", "POST", &moves, r#"{"resources":[7],"targetResourceGroup":"x"}"#).await;
    assert!(reply.status == 400 && reply.text.contains("'resources[0]'"), "{}", reply.text);
}

#[tokio::test]
async fn d07_five_mebibytes_and_depth_bombs_at_every_type() {
    let world = world().await;
    let large = format!("{{\"location\":\"local\",\"x\":\"{}\"}}", "x".repeat(5 << 20));
    let deep = format!(
        "{{\"location\":\"local\",\"properties\":{}{}}}",
        "{\"a\":".repeat(20_000),
        "}".repeat(20_000)
    );
    for (id, body) in made() {
        assert_eq!(
            world.put("owner", &id, &large).await.refusal(),
            (413, "RequestEntityTooLarge".into()),
            "{id}"
        );
        for bomb in [&deep, &"[".repeat(100_000), &"{\"a\":[".repeat(50_000)] {
            let reply = world.put("owner", &id, bomb).await;
            assert_eq!(reply.refusal(), (400, "InvalidRequestContent".into()), "{id} {bomb:.20}");
        }
        assert_eq!(world.put("nobody", &id, &deep).await.status, 403, "who may not is told that first");
        assert!(world.put("owner", &id, &body.to_string()).await.status < 300, "and it is as before");
    }
}

#[tokio::test]
async fn d10_a_scope_out_of_reach_is_403_whether_or_not_it_is_there() {
    let world = world().await;
    world.meet("grouped").await;
    world.grant("grouped", READER, &format!("{S}/resourceGroups/lab"), None).await;
    for (id, _) in made() {
        let missing = format!("{}x", id);
        let (there, absent) = (world.get("nobody", &id).await, world.get("nobody", &missing).await);
        assert_eq!(there.refusal(), (403, "AuthorizationFailed".into()), "{id}");
        let of = |reply: &crate::world::Reply, id: &str| reply.text.replace(id, "ID");
        assert_eq!(of(&there, &id), of(&absent, &missing), "the answers differ in nothing else");
        assert_eq!(
            world.send("nobody", "HEAD", &id, "").await.status,
            world.send("nobody", "HEAD", &missing, "").await.status
        );
        let elsewhere = id.replace("/Lab/", "/nowhere/");
        if elsewhere != id {
            assert_eq!(world.get("grouped", &elsewhere).await.status, 403, "{elsewhere}");
            assert_eq!(world.get("grouped", &missing).await.status, 404, "{missing}");
        }
    }
    // A subscription of nobody, one of another tenant, and none at all.
    assert_eq!(world.get("nobody", S).await.status, 403);
    assert_eq!(world.get("nobody", crate::world::FOREIGN).await.status, 401);
    assert_eq!(world.get("nobody", &S.replace("eeeeeeeeeeee", "000000000000")).await.status, 404);
}
