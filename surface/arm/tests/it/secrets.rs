//! Secrets of vaults through the resource manager: written and listed, never read.

use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, S, World};

async fn vault(world: &World) -> String {
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/labvault1");
    let body = json!({"location": "local", "properties": {"enableRbacAuthorization": true}}).to_string();
    world.put("owner", &id, &body).await.ok();
    id
}

fn secret(properties: Value) -> String {
    json!({"tags": {"env": "dev"}, "properties": properties}).to_string()
}

#[tokio::test]
async fn e10_a_put_makes_a_version_and_nothing_tells_its_value() {
    let world = World::with_group().await;
    let id = vault(&world).await;
    let one = format!("{id}/secrets/Pass-1");
    assert_eq!(world.get("owner", &one).await.refusal(), (404, "SecretNotFound".into()));
    let attributes = json!({"enabled": false, "nbf": 1, "exp": 2});
    let body = secret(json!({"value": "s3cret-a", "contentType": "text/plain", "attributes": attributes}));
    let first = world.put("owner", &one, &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let shown = world.get("reader", &one.replace("Pass", "pASS")).await;
    assert_eq!(shown.text, first.text, "what was written is what is read, whatever the case");
    let shown = shown.json();
    let uri = "https://labvault1.vault.s.example:8443/secrets/Pass-1";
    assert_eq!(shown["properties"]["secretUri"], json!(uri));
    assert_eq!((&shown["id"], &shown["type"]), (&json!(one), &json!("Microsoft.KeyVault/vaults/secrets")));
    assert_eq!((&shown["tags"], &shown["location"]), (&json!({"env": "dev"}), &json!("local")));
    assert_eq!(shown["properties"]["contentType"], json!("text/plain"));
    for (name, value) in attributes.as_object().unwrap() {
        assert_eq!(&shown["properties"]["attributes"][name], value);
    }
    let second = world.put("owner", &one, &secret(json!({"value": "s3cret-b"}))).await;
    assert_eq!(second.status, 200);
    let version = |reply: &Value| reply["properties"]["secretUriWithVersion"].as_str().unwrap().to_owned();
    assert_ne!(version(&second.json()), version(&shown));
    assert!(version(&shown).starts_with(&format!("{uri}/")));
    let list = world.get("reader", &format!("{id}/secrets")).await;
    for text in [&first.text, &second.text, &list.text] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(list.ok()["value"], json!([second.json()]));
    let only_new =
        world.conditional("PUT", &one, &secret(json!({"value": "c"})), ("If-None-Match", "*")).await;
    assert_eq!(only_new.status, 412);
    for action in ["Microsoft.KeyVault/vaults/secrets/write", "Microsoft.KeyVault/vaults/secrets/read"] {
        let found = world.audited().await;
        assert!(
            found.iter().any(|r| r.action == action && r.scope.to_lowercase().ends_with("/secrets/pass-1")),
            "{action}"
        );
    }
}

#[tokio::test]
async fn lists_of_secrets_have_pages() {
    let world = World::with_group().await;
    let id = vault(&world).await;
    for name in ["c", "A", "b"] {
        world.put("owner", &format!("{id}/secrets/{name}"), &secret(json!({"value": name}))).await.ok();
    }
    let mut target = format!("{id}/secrets?$top=2&api-version=2024-11-01");
    let mut names = Vec::new();
    loop {
        let page = world.raw("reader", "GET", &target, "").await.ok();
        names
            .extend(page["value"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextLink"].as_str() else { break };
        target = next.strip_prefix("https://management.s.example:8443").unwrap().to_owned();
    }
    assert_eq!(names, ["A", "b", "c"]);
    for bad in ["$top=0", "$top=x", "$skipToken=%25"] {
        assert_eq!(world.get("reader", &format!("{id}/secrets?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn e02_bad_secrets_are_refused_and_nothing_is_made() {
    let world = World::with_group().await;
    let id = vault(&world).await;
    for properties in [
        json!({}),
        json!({"value": null}),
        json!({"value": 7}),
        json!({"value": "x".repeat(25_601)}),
        json!({"value": "x", "contentType": 7}),
        json!({"value": "x", "contentType": "t".repeat(256)}),
        json!({"value": "x", "attributes": []}),
        json!({"value": "x", "attributes": {"enabled": "yes"}}),
        json!({"value": "x", "attributes": {"exp": "2027-01-01"}}),
        json!({"value": "x", "attributes": {"nbf": -1}}),
        json!({"value": "x", "attributes": {"nbf": 2, "exp": 1}}),
    ] {
        let refused = world.put("owner", &format!("{id}/secrets/s"), &secret(properties)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    for name in ["under_score", "a.b", &"n".repeat(128)] {
        let refused =
            world.put("owner", &format!("{id}/secrets/{name}"), &secret(json!({"value": "x"}))).await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
    }
    assert_eq!(world.get("owner", &format!("{id}/secrets")).await.ok()["value"], json!([]));
    let nowhere = format!("{}/secrets/s", id.replace("labvault1", "labvault2"));
    assert_eq!(world.put("owner", &nowhere, &secret(json!({"value": "x"}))).await.status, 404);
}

#[tokio::test]
async fn reading_is_not_writing_and_a_role_may_hold_for_one_secret() {
    let world = World::with_group().await;
    let id = vault(&world).await;
    let (mine, other) = (format!("{id}/secrets/mine"), format!("{id}/secrets/other"));
    let body = secret(json!({"value": "x"}));
    assert_eq!(world.put("reader", &mine, &body).await.refusal(), (403, "AuthorizationFailed".into()));
    world.meet("writer").await;
    world.grant("writer", CONTRIBUTOR, &mine, None).await;
    assert_eq!(world.put("writer", &mine, &body).await.status, 201);
    assert_eq!(world.put("writer", &other, &body).await.status, 403);
    assert_eq!(world.get("writer", &format!("{id}/secrets")).await.status, 403);
    let lock = format!("{id}/providers/Microsoft.Authorization/locks/ro");
    world.put("owner", &lock, r#"{"properties":{"level":"ReadOnly"}}"#).await.ok();
    assert_eq!(world.put("writer", &mine, &body).await.refusal(), (409, "ScopeLocked".into()));
}

#[tokio::test]
async fn of_many_who_want_a_new_secret_one_makes_it() {
    let world = World::with_group().await;
    let one = format!("{}/secrets/once", vault(&world).await);
    let body = secret(json!({"value": "v"}));
    let tries = (0..8).map(|_| world.conditional("PUT", &one, &body, ("If-None-Match", "*")));
    let mut found: Vec<u16> =
        futures_util::future::join_all(tries).await.iter().map(|reply| reply.status).collect();
    found.sort_unstable();
    assert_eq!(found, [201, 412, 412, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn e10_a_patch_changes_what_it_names() {
    let world = World::with_group().await;
    let one = format!("{}/secrets/p", vault(&world).await);
    let patch = async |properties: Value| {
        world.send("owner", "PATCH", &one, &json!({"properties": properties}).to_string()).await
    };
    assert_eq!(patch(json!({"contentType": "a"})).await.refusal(), (404, "SecretNotFound".into()));
    assert_eq!(patch(json!({"value": "v"})).await.refusal(), (404, "SecretNotFound".into()));
    let body = secret(json!({"value": "s3cret-a", "contentType": "a", "attributes": {"exp": 50}}));
    let made = world.put("owner", &one, &body).await.ok();
    let change = r#"{"properties":{"contentType":"z"}}"#;
    let there = world.conditional("PATCH", &one, change, ("If-None-Match", "*")).await;
    assert_eq!(there.status, 412, "{}", there.text);
    let absent = world.conditional("PATCH", &format!("{one}x"), change, ("If-Match", "*")).await;
    assert_eq!(absent.status, 412, "{}", absent.text);
    let version = |reply: &Value| reply["properties"]["secretUriWithVersion"].clone();
    let changed = patch(json!({"attributes": {"enabled": false, "nbf": 40}})).await.ok();
    assert_eq!(version(&changed), version(&made));
    let attributes = &changed["properties"]["attributes"];
    let three = (&attributes["enabled"], &attributes["nbf"], &attributes["exp"]);
    assert_eq!(three, (&json!(false), &json!(40), &json!(50)));
    assert_eq!((&changed["tags"], &changed["properties"]["contentType"]), (&made["tags"], &json!("a")));
    let anew = patch(json!({"value": "s3cret-b", "contentType": "b"})).await;
    assert!(!anew.text.contains("s3cret"), "{}", anew.text);
    let anew = anew.ok();
    assert_ne!(version(&anew), version(&made), "another value is another version");
    assert_eq!(anew["properties"]["attributes"]["exp"], json!(50), "the rest stays");
    assert_eq!((&anew["tags"], &anew["properties"]["contentType"]), (&made["tags"], &json!("b")));
    for bad in [json!({"value": 1}), json!({"contentType": []}), json!({"attributes": {"enabled": "x"}})] {
        assert_eq!(patch(bad.clone()).await.refusal(), (400, "InvalidRequestContent".into()), "{bad}");
    }
}

/// One changes the value, another an attribute: neither is to be lost, whoever comes first.
#[tokio::test]
async fn d08_a_patch_with_a_value_loses_no_change_of_another() {
    let world = World::with_group().await;
    let one = format!("{}/secrets/both", vault(&world).await);
    for round in 0..8 {
        world.put("owner", &one, &secret(json!({"value": "first"}))).await.ok();
        let value = json!({"properties": {"value": format!("s3cret-{round}")}}).to_string();
        let kind = json!({"properties": {"contentType": format!("kind-{round}")}}).to_string();
        let (value, kind) = tokio::join!(
            world.send("owner", "PATCH", &one, &value),
            world.send("owner", "PATCH", &one, &kind)
        );
        let (value, kind) = (value.ok(), kind.ok());
        let now = world.get("owner", &one).await.ok();
        assert_eq!(now["properties"]["contentType"], kind["properties"]["contentType"], "round {round}");
        let version = "secretUriWithVersion";
        assert_eq!(now["properties"][version], value["properties"][version], "round {round}");
    }
}
