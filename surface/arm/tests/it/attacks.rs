//! attacks.md: tokens, ids, bodies, lists.

use serde_json::json;

use crate::world::{CONTRIBUTOR, FOREIGN, ONBOARDING, READER, S, World};

#[tokio::test]
async fn no_token_says_where_to_get_one_even_to_strangers() {
    let world = World::new().await;
    let challenge =
        |reply: &crate::world::Reply| reply.headers["www-authenticate"].to_str().unwrap().to_owned();
    let ours = world.raw("", "GET", &format!("{S}?api-version=2020-01-01"), "").await;
    assert_eq!(ours.refusal(), (401, "AuthenticationFailed".into()));
    assert!(
        challenge(&ours).starts_with(
            "Bearer authorization_uri=\"https://login.s.example:8443/00000000-0000-0000-0000-000000000001\", error=\"invalid_token\""
        ),
        "{}",
        challenge(&ours)
    );
    let theirs = world.raw("forged", "GET", &format!("{FOREIGN}?api-version=2020-01-01"), "").await;
    assert_eq!(theirs.refusal(), (401, "InvalidAuthenticationToken".into()));
    assert!(challenge(&theirs).contains("/00000000-0000-0000-0000-000000000002\""));
    let unknown = world.raw("", "GET", "/nowhere", "").await;
    assert_eq!(unknown.status, 401, "nobody learns which paths exist");
    assert_eq!(world.get("expired", S).await.code(), "ExpiredAuthenticationToken");
}

#[tokio::test]
async fn b26_a_token_for_the_vault_is_refused() {
    let reply = World::new().await.get("vault", S).await;
    assert_eq!(reply.refusal(), (401, "InvalidAuthenticationTokenAudience".into()));
    assert!(
        reply.text.contains("'https://vault.azure.net'")
            && reply.text.contains("https://management.azure.com")
    );
}

#[tokio::test]
async fn d01_one_resource_has_one_id() {
    let world = World::with_group().await;
    let vault = "providers/Microsoft.KeyVault/vaults/Kv1";
    let body = json!({"location": "westeurope", "properties": {"enableRbacAuthorization": true}}).to_string();
    world.put("owner", &format!("{S}/resourcegroups/LAB/{vault}"), &body).await.ok();
    let canonical = format!("{S}/resourceGroups/Lab/{vault}");
    for same in [
        format!("{S}/resourceGroups/Lab/{vault}"),
        format!("{}/RESOURCEGROUPS/lab/PROVIDERS/microsoft.keyvault/VAULTS/kV1", S.to_uppercase()),
        format!("/{S}//resourceGroups/Lab//providers/Microsoft.KeyVault//vaults/Kv1/"),
        format!("{S}/resourceGroups/%4Cab/providers/Microsoft.KeyVault/vaults/Kv%31"),
    ] {
        assert_eq!(world.get("reader", &same).await.ok()["id"], json!(canonical), "{same}");
        let refused = world.get("nobody", &same).await;
        assert_eq!(refused.refusal(), (403, "AuthorizationFailed".into()), "{same}");
    }
    for odd in [
        format!("{S}/resourceGroups/Lab%2Fproviders/Microsoft.KeyVault/vaults/Kv1"),
        format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/Kv1%00"),
        format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/%252e%252e"),
        format!("{S}/resourceGroups/%2e%2e/providers/Microsoft.KeyVault/vaults/Kv1"),
        format!("{S}/resourceGroups/Lab%5Cx/providers/Microsoft.KeyVault/vaults/Kv1"),
    ] {
        assert_eq!(world.get("owner", &odd).await.status, 400, "{odd}");
    }
    // A Cyrillic а is another letter, and another group.
    let look_alike = format!("{S}/resourceGroups/L%D0%B0b/{vault}");
    assert_eq!(world.get("owner", &look_alike).await.refusal(), (404, "ResourceGroupNotFound".into()));
}

#[tokio::test]
async fn d07_bodies_have_limits() {
    let world = World::with_group().await;
    let group = format!("{S}/resourceGroups/Lab");
    let deep = format!("{{\"location\":\"westeurope\",\"x\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for bad in [
        deep.as_str(),
        "[]",
        "null",
        "{",
        "{\"location\":7}",
        "{\"tags\":[]}",
        "{\"tags\":{\"a\":{}}}",
        "\u{0}",
    ] {
        let reply = world.put("owner", &group, bad).await;
        assert_eq!(reply.refusal(), (400, "InvalidRequestContent".into()), "{}", &bad[..bad.len().min(40)]);
    }
    let large = format!("{{\"location\":\"westeurope\",\"x\":\"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(world.put("owner", &group, &large).await.refusal(), (413, "RequestEntityTooLarge".into()));
    let odd = r#"{"location":"westeurope","__proto__":{"a":1},"constructor":{"b":2},"id":"/x","name":"y","type":"z"}"#;
    let kept = world.put("owner", &group, odd).await.ok();
    assert_eq!((&kept["name"], &kept["__proto__"]), (&json!("Lab"), &json!({"a": 1})));
    assert!(kept["id"].as_str().unwrap().ends_with("/Lab"));
}

#[tokio::test]
async fn d10_lists_show_what_may_be_read() {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/other"), r#"{"location":"local"}"#).await.ok();
    for (group, name) in [("Lab", "mine1"), ("other", "secretplan")] {
        let id = format!("{S}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{name}");
        let body = json!({"location": "local", "properties": {"enableRbacAuthorization": true}}).to_string();
        world.put("owner", &id, &body).await.ok();
    }
    world.meet("grouped").await;
    world.grant("grouped", READER, &format!("{S}/resourceGroups/lab"), None).await;
    for list in ["resources", "resourcegroups", "providers/Microsoft.KeyVault/vaults"] {
        let seen = world.get("grouped", &format!("{S}/{list}")).await;
        assert_eq!(seen.status, 200, "{list}");
        assert_eq!(seen.json()["value"].as_array().unwrap().len(), 1, "{list}");
        assert!(!seen.text.contains("secretplan") && !seen.text.contains("other"), "{}", seen.text);
        assert_eq!(world.get("nobody", &format!("{S}/{list}")).await.refusal().0, 403, "{list}");
    }
    assert_eq!(world.get("nobody", "/subscriptions").await.ok()["value"], json!([]));
    assert_eq!(world.get("grouped", "/subscriptions").await.ok()["count"]["value"], json!(1));
}

#[tokio::test]
async fn c04_a_connected_machine_is_not_taken_over() {
    let world = World::with_group().await;
    world.meet("onboarder").await;
    world.grant("onboarder", ONBOARDING, &format!("{S}/resourceGroups/lab"), None).await;
    let id = format!("{S}/resourceGroups/lab/providers/Microsoft.HybridCompute/machines/m1");
    let body = |key: &cs_jose::MachineKey| {
        let jwk = serde_json::to_string(&key.public()).unwrap();
        json!({"location": "local", "properties": {"clientPublicKey": jwk, "osType": "linux"}}).to_string()
    };
    let (first, second) =
        (cs_jose::MachineKey::generate().unwrap(), cs_jose::MachineKey::generate().unwrap());
    let made = world.put("onboarder", &id, &body(&first)).await;
    assert_eq!(made.status, 200, "never 201: {}", made.text);
    let principal = made.json()["identity"]["principalId"].clone();
    assert_eq!(world.put("onboarder", &id, &body(&second)).await.refusal().0, 409);
    let again = world.put("onboarder", &id, &body(&first)).await.ok();
    assert_eq!(again["identity"]["principalId"], principal, "its own key may connect again");
    let stolen =
        json!({"location": "local", "identity": {"principalId": "x"}, "properties": {"status": "Error"}});
    let kept = world.put("owner", &id, &stolen.to_string()).await.ok();
    assert_eq!(
        (&kept["identity"]["principalId"], &kept["properties"]["status"]),
        (&principal, &json!("Connected"))
    );
}

#[tokio::test]
async fn c06_a_deleted_machine_loses_its_identity_and_its_rights() {
    let world = World::with_group().await;
    let id = format!("{S}/resourceGroups/lab/providers/Microsoft.HybridCompute/machines/m1");
    let made = world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    let token = format!("oid:{}", made["identity"]["principalId"].as_str().unwrap());
    // It reads itself without a role, and nothing else.
    assert_eq!(world.get(&token, &id).await.status, 200);
    assert_eq!(world.get(&token, &format!("{S}/tagNames")).await.status, 403);
    assert_eq!(world.send(&token, "DELETE", &id, "").await.status, 403);
    let other = id.replace("m1", "m2");
    world.put("owner", &other, r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.get(&token, &other).await.status, 403);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204);
    assert_eq!(world.get(&token, &id).await.status, 403);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204, "and again");
}

#[tokio::test]
async fn who_may_write_a_vault_may_not_hand_it_to_roles() {
    let world = World::with_group().await;
    world.meet("contributor").await;
    world.grant("contributor", CONTRIBUTOR, S, None).await;
    let id = format!("{S}/resourceGroups/lab/providers/Microsoft.KeyVault/vaults/kv1");
    let body = |roles| {
        json!({"location": "local", "properties": {"enableRbacAuthorization": roles, "accessPolicies": []}})
            .to_string()
    };
    world.put("contributor", &id, &body(true)).await.ok();
    assert_eq!(
        world.put("contributor", &id, &body(false)).await.refusal(),
        (403, "AuthorizationFailed".into())
    );
    world.put("owner", &id, &body(false)).await.ok();
}

#[tokio::test]
async fn h06_what_callers_send_stays_on_one_line() {
    let world = World::new().await;
    let reply = world.get("owner", "/providers/x%0Ainjected%1B[31m").await;
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(!message.contains('\n') && !message.contains('\u{1b}'), "{message:?}");
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_refused_not_ignored() {
    let world = World::with_group().await;
    for bad in ["nonsense eq 'x'", "name eq", "tagValue eq 'x'", "name gt 'x'", "name eq 'x' or foo eq 'y'"] {
        let reply = world.get("owner", &format!("{S}/resources?$filter={bad}")).await;
        assert_eq!(reply.refusal(), (400, "InvalidFilterInQueryString".into()), "{bad}");
    }
    let doubled = format!("{S}/resources?api-version=2020-01-01&api-version=2021-01-01");
    assert_eq!(world.raw("owner", "GET", &doubled, "").await.status, 400);
}

#[tokio::test]
async fn d08_a_condition_that_does_not_hold_changes_nothing() {
    let world = World::new().await;
    let group = format!("{S}/resourceGroups/once");
    let body = r#"{"location":"local","tags":{"n":"1"}}"#;
    let only_change = world.conditional("PUT", &group, body, ("If-Match", "*")).await;
    assert_eq!(only_change.refusal(), (412, "PreconditionFailed".into()));
    assert_eq!(world.get("owner", &group).await.status, 404);
    assert_eq!(world.conditional("PUT", &group, body, ("If-None-Match", "*")).await.status, 201);
    let other = body.replace('1', "2");
    for header in [("If-None-Match", "*"), ("If-Match", "\"0x1\"")] {
        let reply = world.conditional("PUT", &group, &other, header).await;
        assert_eq!(reply.refusal(), (412, "PreconditionFailed".into()), "{header:?}");
    }
    assert_eq!(world.get("owner", &group).await.ok()["tags"]["n"], json!("1"));
    assert_eq!(world.conditional("PUT", &group, &other, ("If-Match", "*")).await.status, 200);
}

#[tokio::test]
async fn d07_bodies_of_the_wrong_shape_name_what_is_wrong() {
    let world = World::with_group().await;
    let machine = format!("{S}/resourceGroups/lab/providers/Microsoft.HybridCompute/machines/m1");
    for (body, named) in [
        (r#"{"location":5}"#, "'location' must be a string"),
        (r#"{"location":"local","tags":["a"]}"#, "'tags' must be an object"),
        (r#"{"location":"local","tags":{"a":1}}"#, "'tags.a' must be a string"),
        (r#"{"location":"local","properties":"x"}"#, "'properties' must be an object"),
        ("[]", "must be a JSON object"),
        ("\"text\"", "must be a JSON object"),
        ("{", "could not be deserialized"),
    ] {
        let reply = world.put("owner", &machine, body).await;
        assert_eq!(reply.refusal(), (400, "InvalidRequestContent".into()), "{body}");
        assert!(reply.text.contains(named), "{body}: {}", reply.text);
    }
    let odd =
        r#"{"location":"local","properties":{"__proto__":{"status":"x"},"constructor":{"a":[1,null]}}}"#;
    let kept = world.put("owner", &machine, odd).await.ok();
    assert_eq!(kept["properties"]["constructor"], json!({"a": [1, null]}), "what is not known round-trips");
}

#[tokio::test]
async fn deployments_are_refused_in_words_and_not_taken_for_done() {
    let world = World::with_group().await;
    let at = format!("{S}/resourcegroups/lab/providers/Microsoft.Resources/deployments");
    // What az sends is no JSON.
    let body = "{\"properties\": {\"mode\": \"Incremental\", template:{ // a comment\n}}}";
    for (method, target) in [
        ("PUT", format!("{at}/d1")),
        ("POST", format!("{at}/d1/validate")),
        ("POST", format!("{at}/d1/whatIf")),
    ] {
        let reply = world.send("owner", method, &target, body).await;
        assert_eq!(reply.refusal(), (400, "InvalidTemplateDeployment".into()), "{method} {target}");
    }
    // With a slash at the end, as the SDK sends it.
    assert_eq!(world.get("reader", &format!("{at}/")).await.ok()["value"], json!([]));
    assert_eq!(world.send("reader", "PUT", &format!("{at}/d1"), body).await.status, 403);
}

#[tokio::test]
async fn one_id_follows_a_call_into_the_log_and_back() {
    let world = World::with_group().await;
    let id = "0af76519-16cd-43dd-8448-eb211c80319c";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let target = format!("{S}/resourceGroups/lab?api-version=2024-11-01");
    for (who, header) in [
        ("owner", ("traceparent", trace)),
        ("owner", ("x-ms-correlation-request-id", id)),
        ("nobody", ("traceparent", trace)),
    ] {
        let reply = world.with_headers(who, "GET", &target, "", &[header]).await;
        assert_eq!(reply.headers["x-ms-correlation-request-id"], id, "{header:?}");
    }
    let story = world.audited().await;
    let story: Vec<_> = story.iter().filter(|r| r.correlation.to_string() == id).map(|r| r.outcome).collect();
    assert_eq!(story.len(), 3, "{story:?}");
}

#[tokio::test]
async fn a_refusal_is_on_record_before_it_is_told() {
    let world = World::with_group().await;
    assert_eq!(world.get("nobody", S).await.status, 403);
    assert_eq!(world.get("nobody", &format!("{S}/tagNames")).await.status, 403);
    assert_eq!(world.get("nobody", &format!("{S}/resources")).await.status, 403);
    // Not flushed: what waits for a group is not there yet.
    let query = cs_store::AuditQuery { limit: 10, ..cs_store::AuditQuery::default() };
    let log = cs_store::AuditLog::records(&*world.store, crate::world::tenant(1), query).await.unwrap();
    let denied = |end: &str| log.iter().any(|r| r.action.ends_with(end) && r.outcome.as_str() == "denied");
    assert!(denied("tagNames/read") && denied("subscriptions/read"), "{log:?}");
    assert!(denied("resources/read"), "a list too");
}

#[tokio::test]
async fn d01_letters_beyond_ascii_hide_nothing() {
    let world = World::with_group().await;
    // ÄPFEL, as clients encode it.
    let group = format!("{S}/resourceGroups/%C3%84PFEL");
    world.put("owner", &group, r#"{"location":"local"}"#).await.ok();
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/aepfel");
    let body = json!({"location": "local", "tags": {"Ö": "x"}, "properties": {
        "enableRbacAuthorization": true, "enablePurgeProtection": true
    }});
    world.put("owner", &vault, &body.to_string()).await.ok();
    for list in [
        format!("{group}/resources"),
        format!("{group}/providers/Microsoft.KeyVault/vaults"),
        format!("{S}/resources?$filter=resourceGroup eq '%C3%84PFEL'"),
        format!("{S}/resources?$filter=resourceGroup eq '%C3%84pfel'"),
        format!("{S}/resources?$filter=tagName eq '%C3%96' and tagValue eq 'x'"),
    ] {
        let found = world.get("owner", &list).await.ok();
        assert_eq!(found["value"][0]["name"], json!("aepfel"), "{list}");
    }
    let template =
        world.send("owner", "POST", &format!("{group}/exportTemplate"), r#"{"resources":["*"]}"#).await;
    assert_eq!(template.ok()["template"]["resources"][0]["name"], json!("aepfel"));
    let gone = world.send("owner", "DELETE", &group, "").await;
    assert_eq!(gone.status, 409, "its vault is protected: {}", gone.text);
    assert_eq!(world.get("owner", &vault).await.status, 200);
}
