//! The lab's preparation (lab.md steps 1 to 9, 15) as az sends it.

use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, READER, S, World, object};

#[tokio::test]
async fn groups_come_change_and_go() {
    let world = World::new().await;
    let lower = format!("{S}/resourcegroups/lab");
    let made = world.put("owner", &lower, r#"{"location":"West Europe","tags":{"env":"dev"}}"#).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["location"], json!("westeurope"));
    assert_eq!(world.send("reader", "HEAD", &lower, "").await.status, 204);
    let back = made.text.clone();
    assert_eq!(world.put("owner", &lower, &back).await.status, 200, "read-only members come back");
    let moved = world.put("owner", &lower, r#"{"location":"local"}"#).await;
    assert_eq!(moved.refusal(), (409, "InvalidResourceGroupLocation".into()));
    let found = world
        .get("reader", &format!("{S}/resourcegroups?$filter=tagname eq 'ENV' and tagvalue eq 'dev'"))
        .await;
    assert_eq!(found.ok()["value"][0]["name"], json!("lab"));
    let none = world
        .get("reader", &format!("{S}/resourcegroups?$filter=tagname eq 'env' and tagvalue eq 'DEV'"))
        .await;
    assert_eq!(none.ok()["value"], json!([]));
    let patched = world.send("owner", "PATCH", &lower, r#"{"tags":{"a":"b"}}"#).await.ok();
    assert_eq!(patched["tags"], json!({"a": "b"}));
    assert_eq!(world.send("owner", "DELETE", &lower, "").await.status, 200);
    assert_eq!(world.send("owner", "HEAD", &lower, "").await.status, 404);
    assert_eq!(world.get("owner", &lower).await.refusal(), (404, "ResourceGroupNotFound".into()));
}

#[tokio::test]
async fn vaults_as_az_creates_them() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/labvault1");
    assert_eq!(world.get("owner", &id).await.refusal(), (404, "ResourceNotFound".into()));
    let body = json!({"location": "westeurope", "properties": {"tenantId": "00000000-0000-0000-0000-000000000001",
        "sku": {"family": "A", "name": "standard"}, "accessPolicies": [], "enableRbacAuthorization": false,
        "softDeleteRetentionInDays": 7, "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"}}});
    let made = world.put("owner", &id, &body.to_string()).await;
    assert_eq!(made.status, 200);
    let mut vault = made.json();
    assert_eq!(vault["properties"]["vaultUri"], json!("https://labvault1.vault.s.example:8443/"));
    // `az keyvault set-policy`: GET, then PUT of the whole with the merged list.
    vault["properties"]["accessPolicies"] = json!([{"tenantId": "00000000-0000-0000-0000-000000000001",
        "objectId": object("nobody").to_string(), "permissions": {"secrets": ["get", "list"]}}]);
    let set = world.put("owner", &id, &vault.to_string()).await.ok();
    assert_eq!(set["properties"]["accessPolicies"], vault["properties"]["accessPolicies"]);
    let by_name =
        format!("{S}/resources?$filter=resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'LABvault1'");
    let found = world.get("reader", &by_name).await.ok();
    assert_eq!((found["value"].as_array().unwrap().len(), &found["value"][0]["id"]), (1, &json!(id)));
    assert!(found["value"][0].get("properties").is_none());
    let wrong = by_name.replace("LABvault1", "labvault2");
    assert_eq!(world.get("reader", &wrong).await.ok()["value"], json!([]));
}

#[tokio::test]
async fn e03_deleted_vaults_keep_their_name_until_they_are_purged() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/kv1");
    let body = json!({"location": "local", "properties": {"enableRbacAuthorization": true}}).to_string();
    world.put("owner", &id, &body).await.ok();
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204);
    assert_eq!(world.put("owner", &id, &body).await.refusal(), (409, "ConflictError".into()));
    let check = format!("{S}/providers/Microsoft.KeyVault/checkNameAvailability");
    assert_eq!(
        world.send("owner", "POST", &check, r#"{"name":"KV1"}"#).await.ok()["reason"],
        json!("AlreadyExists")
    );
    let deleted = world.get("owner", &format!("{S}/providers/Microsoft.KeyVault/deletedVaults")).await.ok();
    assert_eq!(deleted["value"][0]["properties"]["vaultId"], json!(id));
    let recover = json!({"location": "local", "properties": {"createMode": "recover"}}).to_string();
    assert_eq!(world.put("owner", &id, &recover).await.ok()["name"], json!("kv1"));
    world.send("owner", "DELETE", &id, "").await;
    let purge = format!("{S}/providers/Microsoft.KeyVault/locations/local/deletedVaults/kv1/purge");
    assert_eq!(world.send("owner", "POST", &purge, "").await.status, 200);
    assert_eq!(world.send("owner", "POST", &purge, "").await.status, 404);
    let kept = json!({"location": "local", "properties": {"enableRbacAuthorization": true, "enablePurgeProtection": true}});
    world.put("owner", &id, &kept.to_string()).await.ok();
    world.send("owner", "DELETE", &id, "").await;
    assert_eq!(
        world.send("owner", "POST", &purge, "").await.refusal(),
        (409, "DeletedVaultPurgeNotAllowed".into())
    );
    let group = world.send("owner", "DELETE", &format!("{S}/resourceGroups/lab"), "").await;
    assert_eq!(group.status, 409, "the group does not take a protected vault along");
}

#[tokio::test]
async fn accounts_never_answer_201_and_have_two_keys() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/labaccount");
    let body = json!({"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "westeurope",
        "properties": {"encryption": {"keySource": "Microsoft.Storage", "services": {"blob": {}}}, "allowSharedKeyAccess": null}});
    let made = world.put("owner", &id, &body.to_string()).await;
    assert_eq!(made.status, 200);
    let account = made.json();
    assert_eq!(
        account["properties"]["primaryEndpoints"],
        json!({"blob": "https://labaccount.blob.core.s.example:8443/"})
    );
    assert_eq!(account["sku"], json!({"name": "Standard_LRS", "tier": "Standard"}));
    assert_eq!(world.put("owner", &id, &made.text).await.ok(), account, "what was read can be put back");
    let keys = world.send("owner", "POST", &format!("{id}/listKeys?$expand=kerb"), "").await.ok();
    assert_eq!(keys["keys"][1]["keyName"], json!("key2"));
    assert_eq!(keys["keys"][0]["permissions"], json!("FULL"));
    let again =
        world.send("owner", "POST", &format!("{id}/regenerateKey"), r#"{"keyName":"key1"}"#).await.ok();
    assert_ne!(again["keys"][0], keys["keys"][0]);
    assert_eq!(again["keys"][1], keys["keys"][1], "the other stays");
    assert_eq!(world.send("owner", "POST", &format!("{id}/listKeys"), "{}").await.ok(), again);
    let odd = world.send("owner", "POST", &format!("{id}/regenerateKey"), r#"{"keyName":"key3"}"#).await;
    assert_eq!(odd.refusal(), (400, "InvalidParameter".into()));
    let reader = world.send("reader", "POST", &format!("{id}/listKeys"), "").await;
    assert_eq!(reader.refusal(), (403, "AuthorizationFailed".into()), "reading is not listing keys");
    let account = world.get("reader", &id).await.ok();
    assert_eq!(account["properties"]["keyCreationTime"]["key1"], again["keys"][0]["creationTime"]);
    world.put("owner", &format!("{S}/resourceGroups/two"), r#"{"location":"westeurope"}"#).await.ok();
    let twin = id.replace("/Lab/", "/two/");
    assert_eq!(
        world.put("owner", &twin, &body.to_string()).await.refusal(),
        (409, "StorageAccountAlreadyExists".into())
    );
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204);
}

#[tokio::test]
async fn tags_are_counted_changed_and_found() {
    let world = World::with_group().await;
    let machine = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &machine, r#"{"location":"local","tags":{"env":"dev"}}"#).await.ok();
    let tags = format!("{machine}/providers/Microsoft.Resources/tags/default");
    let merge = r#"{"operation":"Merge","properties":{"tags":{"scenario":"lab"}}}"#;
    let merged = world.send("owner", "PATCH", &tags, merge).await.ok();
    assert_eq!(merged["properties"]["tags"], json!({"env": "dev", "scenario": "lab"}));
    let names = world.get("reader", &format!("{S}/tagNames")).await.ok();
    assert_eq!(names["value"][1]["tagName"], json!("scenario"));
    assert_eq!(names["value"][1]["count"], json!({"type": "Total", "value": 1}));
    assert_eq!(names["value"][1]["values"][0]["tagValue"], json!("lab"));
    let defined = world.put("owner", &format!("{S}/tagNames/planned"), "").await;
    assert_eq!((defined.status, &defined.json()["values"]), (201, &json!([])));
    assert_eq!(world.put("owner", &format!("{S}/tagNames/planned/tagValues/soon"), "").await.status, 201);
    assert_eq!(world.send("owner", "DELETE", &format!("{S}/tagNames/scenario"), "").await.status, 409);
    assert_eq!(world.send("owner", "DELETE", &format!("{S}/tagNames/planned"), "").await.status, 200);
    let sub = format!("{S}/providers/Microsoft.Resources/tags/default");
    world.put("owner", &sub, r#"{"properties":{"tags":{"whole":"subscription"}}}"#).await.ok();
    assert_eq!(world.get("reader", &sub).await.ok()["properties"]["tags"], json!({"whole": "subscription"}));
}

#[tokio::test]
async fn lists_have_pages() {
    let world = World::with_group().await;
    for n in 0..3 {
        let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m{n}");
        world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    }
    let mut target = format!("{S}/providers/Microsoft.HybridCompute/machines?$top=2&api-version=2024-07-10");
    let mut names = Vec::new();
    loop {
        let page = world.raw("reader", "GET", &target, "").await.ok();
        names
            .extend(page["value"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextLink"].as_str() else { break };
        target = next.strip_prefix("https://management.s.example:8443").unwrap().to_owned();
    }
    assert_eq!(names, ["m0", "m1", "m2"]);
}

#[tokio::test]
async fn what_is_read_again_is_what_was_written_last() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    let tag = async || world.get("owner", &id).await.ok()["tags"]["n"].clone();
    world.put("owner", &id, r#"{"location":"local","tags":{"n":"1"}}"#).await.ok();
    assert_eq!((tag().await, tag().await), (json!("1"), json!("1")));
    world.send("owner", "PATCH", &id, r#"{"tags":{"n":"2"}}"#).await.ok();
    assert_eq!(tag().await, "2");
    let tags = format!("{id}/providers/Microsoft.Resources/tags/default");
    world.put("owner", &tags, r#"{"properties":{"tags":{"n":"3"}}}"#).await.ok();
    assert_eq!(tag().await, "3");
    assert_eq!(world.get("nobody", &id).await.status, 403, "kept for whoever may read it");
    world.send("owner", "DELETE", &id, "").await;
    assert_eq!(world.get("owner", &id).await.status, 404);
}

#[tokio::test]
async fn the_lab_reads_what_its_role_lets_it() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    let made = world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    let principal = made["identity"]["principalId"].as_str().unwrap();
    let token = format!("oid:{principal}");
    assert_eq!(world.get(&token, &format!("{S}/tagNames")).await.status, 403);
    let assignment =
        format!("{S}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-0000000000a1");
    let body = json!({"properties": {"roleDefinitionId": READER, "principalId": principal, "principalType": "ServicePrincipal"}});
    assert_eq!(world.put("owner", &assignment, &body.to_string()).await.status, 201);
    for target in ["tagNames", "resourceGroups/Lab/resources", "providers/Microsoft.KeyVault/vaults"] {
        assert_eq!(world.get(&token, &format!("{S}/{target}")).await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn containers_are_managed_where_their_account_is() {
    let world = World::with_group().await;
    let account = format!("{S}/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/labaccount");
    let of = |name: &str| format!("{account}/blobServices/default/containers/{name}");
    assert_eq!(world.put("owner", &of("c1-x"), "{}").await.refusal(), (404, "ResourceNotFound".into()));
    world.put("owner", &account, r#"{"location":"local"}"#).await.ok();
    let made = world.put("owner", &of("c1-x"), r#"{"properties":{"metadata":{"a":"b"}}}"#).await;
    assert_eq!((made.status, made.json()["properties"]["metadata"].clone()), (201, json!({"a": "b"})));
    assert_eq!(made.headers["etag"].to_str().unwrap(), made.json()["etag"].as_str().unwrap());
    let again = world.put("owner", &of("c1-x"), "{}").await;
    assert_eq!(
        (again.status, again.json()["properties"]["metadata"].clone()),
        (200, json!({"a": "b"})),
        "kept"
    );
    let patched = world.send("owner", "PATCH", &of("c1-x"), r#"{"properties":{"metadata":{}}}"#).await.ok();
    assert_eq!(patched["properties"]["metadata"], json!({}));
    for name in ["c2-x", "d1-x"] {
        world.put("owner", &of(name), "").await.ok();
    }
    let list = format!("{account}/blobServices/default/containers");
    let first = world.get("reader", &format!("{list}?$maxpagesize=2")).await.ok();
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let next = first["nextLink"].as_str().unwrap().strip_prefix("https://management.s.example:8443").unwrap();
    let rest = world.raw("reader", "GET", next, "").await.ok();
    assert_eq!((&rest["value"][0]["name"], rest.get("nextLink")), (&json!("d1-x"), None));
    assert_eq!(
        world.get("reader", &format!("{list}?$filter=d")).await.ok()["value"][0]["name"],
        json!("d1-x")
    );
    assert_eq!(world.put("reader", &of("c3-x"), "{}").await.refusal(), (403, "AuthorizationFailed".into()));
    for (name, body, status) in [
        ("C_1", "{}", 400),
        ("c3-x", r#"{"properties":{"publicAccess":"Blob"}}"#, 409),
        ("c3-x", r#"{"properties":{"metadata":{"a b":"c"}}}"#, 400),
        ("c3-x", r#"{"properties":{"metadata":[]}}"#, 400),
    ] {
        assert_eq!(world.put("owner", &of(name), body).await.status, status, "{name} {body}");
    }
    assert_eq!(world.get("reader", &of("c3-x")).await.refusal(), (404, "ContainerNotFound".into()));
    assert_eq!(world.send("owner", "DELETE", &of("c1-x"), "").await.status, 200);
    assert_eq!(world.send("owner", "DELETE", &of("c1-x"), "").await.status, 204);
    let service = world.get("reader", &format!("{account}/blobServices/default")).await.ok();
    assert_eq!(service["properties"]["isVersioningEnabled"], json!(false));
}

#[tokio::test]
async fn machines_move_with_their_identity_and_without_the_rules_of_their_place() {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/two"), r#"{"location":"local"}"#).await.ok();
    let at = |group: &str, name: &str| {
        format!("{S}/resourceGroups/{group}/providers/Microsoft.HybridCompute/machines/{name}")
    };
    let made = world.put("owner", &at("Lab", "m1"), r#"{"location":"local","tags":{"a":"b"}}"#).await.ok();
    let token = format!("oid:{}", made["identity"]["principalId"].as_str().unwrap());
    world.meet("helper").await;
    world.grant("helper", READER, &at("lab", "m1"), None).await;
    let body = |group: &str, names: &[&str]| {
        let ids: Vec<String> = names.iter().map(|n| at("lab", n)).collect();
        json!({"resources": ids, "targetResourceGroup": format!("{S}/resourceGroups/{group}")}).to_string()
    };
    let send = async |who: &str, what: &str, body: String| {
        world.send(who, "POST", &format!("{S}/resourceGroups/lab/{what}"), &body).await
    };
    assert_eq!(send("reader", "moveResources", body("two", &["m1"])).await.status, 403);
    world.meet("local").await;
    world.grant("local", CONTRIBUTOR, &format!("{S}/resourceGroups/lab"), None).await;
    assert_eq!(
        send("local", "moveResources", body("two", &["m1"])).await.refusal(),
        (403, "AuthorizationFailed".into())
    );
    for (bad, status, code) in [
        (body("none", &["m1"]), 404, "ResourceGroupNotFound"),
        (body("lab", &["m1"]), 400, "InvalidParameter"),
        (body("two", &[]), 400, "InvalidParameter"),
        (body("two", &["m1", "M1"]), 400, "InvalidParameter"),
        (body("two", &["m2"]), 404, "ResourceNotFound"),
        (body("two", &["m1"]).replace("/lab/", "/two/"), 400, "InvalidParameter"),
        ("{}".to_owned(), 400, "InvalidRequestContent"),
    ] {
        assert_eq!(
            send("owner", "moveResources", bad.clone()).await.refusal(),
            (status, code.into()),
            "{bad}"
        );
    }
    let identity =
        format!("{S}/resourceGroups/lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai1");
    world.put("owner", &identity, r#"{"location":"local"}"#).await.ok();
    let fixed = json!({"resources": [at("lab", "m1"), identity], "targetResourceGroup": format!("{S}/resourceGroups/two")});
    assert_eq!(
        send("owner", "moveResources", fixed.to_string()).await.refusal(),
        (409, "ResourceMoveNotSupported".into())
    );
    assert_eq!(send("owner", "validateMoveResources", body("two", &["m1"])).await.status, 204);
    assert_eq!(world.get("helper", &at("lab", "m1")).await.status, 200, "nothing has moved yet");
    assert_eq!(send("owner", "moveResources", body("two", &["m1"])).await.status, 204);
    assert_eq!(world.get("owner", &at("lab", "m1")).await.status, 404);
    let there = world.get(&token, &at("two", "m1")).await.ok();
    assert_eq!((&there["id"], &there["tags"]), (&json!(at("two", "m1")), &json!({"a": "b"})));
    assert_eq!(there["identity"], made["identity"]);
    assert_eq!(world.get("helper", &at("two", "m1")).await.status, 403, "roles do not follow");
    world.put("owner", &at("lab", "m1"), r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.get("helper", &at("lab", "m1")).await.status, 403, "nor wait for the next of the name");
    assert_eq!(
        send("owner", "moveResources", body("two", &["m1"])).await.refusal(),
        (409, "ResourceMoveFailed".into())
    );
}

#[tokio::test]
async fn vaults_accounts_and_servers_move_with_their_names_and_children() {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/two"), r#"{"location":"local"}"#).await.ok();
    let of = |group: &str, rest: &str| format!("{S}/resourceGroups/{group}/providers/{rest}");
    let (vault, account) = ("Microsoft.KeyVault/vaults/kv1", "Microsoft.Storage/storageAccounts/sa1");
    let (server, machine) =
        ("Microsoft.DBforPostgreSQL/flexibleServers/pg1", "Microsoft.HybridCompute/machines/m1");
    let rbac = r#"{"location":"local","tags":{"a":"b"},"properties":{"enableRbacAuthorization":true}}"#;
    world.put("owner", &of("Lab", vault), rbac).await.ok();
    for plain in [account, server, machine] {
        world.put("owner", &of("Lab", plain), r#"{"location":"local"}"#).await.ok();
    }
    let container = format!("{account}/blobServices/default/containers/box");
    assert_eq!(world.put("owner", &of("Lab", &container), "{}").await.status, 201);
    let extension = format!("{machine}/extensions/x");
    let body = r#"{"properties":{"publisher":"P","type":"T"}}"#;
    world.put("owner", &of("Lab", &extension), body).await.ok();
    let keys = world.send("owner", "POST", &format!("{}/listKeys", of("Lab", account)), "").await.ok();
    let all = [vault, account, server, machine].map(|rest| of("LAB", rest));
    let body =
        json!({"resources": all, "targetResourceGroup": format!("{S}/resourceGroups/two")}).to_string();
    let send = async |what: &str| {
        world.send("owner", "POST", &format!("{S}/resourceGroups/lab/{what}"), &body).await.status
    };
    assert_eq!(send("validateMoveResources").await, 204);
    assert_eq!(send("moveResources").await, 204);
    for rest in [vault, account, server, machine, &container, &extension] {
        assert_eq!(world.get("owner", &of("Lab", rest)).await.status, 404, "{rest}");
        let there = world.get("owner", &of("two", rest)).await.ok();
        assert_eq!(there["id"], json!(of("two", rest)), "{rest}");
    }
    let again = world.send("owner", "POST", &format!("{}/listKeys", of("two", account)), "").await.ok();
    assert_eq!(again, keys, "its keys are as before");
    let tagged = format!("{S}/resources?$filter=tagName eq 'a' and tagValue eq 'b'");
    assert_eq!(world.get("owner", &tagged).await.ok()["value"][0]["id"], json!(of("two", vault)));
    let taken = world.put("owner", &of("Lab", vault), rbac).await;
    assert_eq!(taken.refusal(), (409, "VaultAlreadyExists".into()), "the name went along");
    assert_eq!(world.send("owner", "DELETE", &format!("{S}/resourceGroups/two"), "").await.status, 200);
    let left = world.get("owner", &format!("{S}/resources")).await.ok();
    assert_eq!(left["value"], json!([]), "what moved goes with its new group");
}

#[tokio::test]
async fn a_group_is_exported_as_a_template_that_makes_it_again() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/Lab");
    let key = serde_json::to_string(&cs_jose::MachineKey::generate().unwrap().public()).unwrap();
    let made = [
        ("Microsoft.KeyVault/vaults/kv1", json!({"enableRbacAuthorization": true})),
        (
            "Microsoft.HybridCompute/machines/m1",
            json!({"osType": "linux", "vmId": "5d5a5e5b-0000-0000-0000-000000000001", "clientPublicKey": key}),
        ),
        ("Microsoft.HybridCompute/machines/m1/extensions/e1", json!({"publisher": "p", "type": "t"})),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/uai", json!({})),
    ];
    for (path, properties) in &made {
        let body = json!({"location": "local", "tags": {"a": "b"}, "properties": properties}).to_string();
        world.put("owner", &format!("{group}/providers/{path}"), &body).await.ok();
    }
    let export = async |who: &str, body: Value| {
        world.send(who, "POST", &format!("{group}/exportTemplate"), &body.to_string()).await
    };
    let template = export("owner", json!({"resources": ["*"]})).await.ok()["template"].clone();
    let rows = template["resources"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["m1", "m1/e1", "kv1", "uai"]);
    for secret in ["principalId", "clientId", "provisioningState", "clientPublicKey", "5d5a5e5b", "status"] {
        assert!(!template.to_string().contains(secret), "{secret}: {template}");
    }
    assert_eq!(
        rows[1]["dependsOn"],
        json!([format!("{group}/providers/Microsoft.HybridCompute/machines/m1")])
    );
    // Each of them makes its resource elsewhere.
    world.put("owner", &format!("{S}/resourceGroups/far"), r#"{"location":"local"}"#).await.ok();
    for row in rows.iter().filter(|row| row["name"] != "kv1") {
        let (kind, name) = (row["type"].as_str().unwrap(), row["name"].as_str().unwrap());
        let path = match name.split_once('/') {
            None => format!("{kind}/{name}"),
            Some((parent, child)) => format!("Microsoft.HybridCompute/machines/{parent}/extensions/{child}"),
        };
        let made =
            world.put("owner", &format!("{S}/resourceGroups/far/providers/{path}"), &row.to_string()).await;
        assert!(made.status < 300, "{row}: {}", made.text);
        assert_eq!(made.json()["tags"], json!({"a": "b"}));
    }
    let one = format!("{group}/providers/Microsoft.KeyVault/vaults/KV1");
    let only = export("owner", json!({"resources": [one]})).await.ok();
    assert_eq!(only["template"]["resources"].as_array().unwrap().len(), 1);
    let child = format!("{group}/providers/Microsoft.HybridCompute/machines/m1/extensions/e1");
    let alone = export("owner", json!({"resources": [child]})).await.ok()["template"]["resources"].clone();
    assert!(alone[0]["name"] == "m1/e1" && alone[0].get("dependsOn").is_none(), "{alone}");
    let missing = format!("{group}/providers/Microsoft.KeyVault/vaults/none");
    assert_eq!(export("owner", json!({"resources": [missing]})).await.status, 404);
    assert_eq!(export("reader", json!({"resources": ["*"]})).await.status, 403);
    let far = format!("{S}/resourceGroups/far/providers/Microsoft.HybridCompute/machines/m1");
    for bad in [json!({"resources": [far]}), json!({"outputFormat": "Bicep"}), json!({"resources": 1})] {
        assert_eq!(
            export("owner", bad.clone()).await.refusal(),
            (400, "InvalidRequestContent".into()),
            "{bad}"
        );
    }
    let features = format!("{S}/providers/Microsoft.Features/features");
    assert_eq!(world.get("reader", &features).await.ok(), json!({"value": []}));
}
