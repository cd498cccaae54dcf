//! Shared access signatures that the resource manager hands out, checked as the blob service checks them: over the text
//! made of their own fields, with the key that `listKeys` shows.

use cs_seal::MacKey;
use cs_serve::Query;
use cs_wire_blob::sas::{account_text, service_text};
use serde_json::{Value, json};

use crate::world::{CONTRIBUTOR, S, World};

async fn account(world: &World) -> String {
    let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/labaccount");
    world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    id
}

async fn key(world: &World, id: &str, at: usize) -> MacKey {
    let keys = world.send("owner", "POST", &format!("{id}/listKeys"), "").await.ok();
    MacKey::new(&cs_jose::decode_any(keys["keys"][at]["value"].as_str().unwrap()).unwrap())
}

fn is_signed(key: &MacKey, query: &Query, text: &str) -> bool {
    key.verifies(text.as_bytes(), &cs_jose::decode_any(query.get("sig").unwrap()).unwrap())
}

fn of_account(changed: Value) -> String {
    with(
        json!({"signedServices": "b", "signedResourceTypes": "sco", "signedPermission": "rl",
        "signedExpiry": "2027-02-01T00:00:00Z"}),
        changed,
    )
}

fn of_service(changed: Value) -> String {
    with(
        json!({"canonicalizedResource": "/blob/labaccount/box", "signedResource": "c", "signedPermission": "rl",
        "signedExpiry": "2027-02-01T00:00:00Z"}),
        changed,
    )
}

fn with(mut whole: Value, changed: Value) -> String {
    whole.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
    whole.to_string()
}

#[tokio::test]
async fn signatures_are_made_with_the_accounts_own_keys() {
    let world = World::with_group().await;
    let id = account(&world).await;
    let (first, second) = (key(&world, &id, 0).await, key(&world, &id, 1).await);
    let bounds = json!({"signedStart": "2027-01-01T00:00:00.1234567Z", "signedIp": "10.0.0.1-10.0.0.9",
        "signedProtocol": "https", "keyToSign": "Key2"});
    for (changed, signer, other) in [(json!({}), &first, &second), (bounds, &second, &first)] {
        let body = of_account(changed.clone());
        let made = world.send("owner", "POST", &format!("{id}/listAccountSas"), &body).await.ok();
        let query = Query::parse(made["accountSasToken"].as_str()).unwrap();
        let text = account_text("labaccount", |name| query.get(name).unwrap_or_default());
        assert!(is_signed(signer, &query, &text) && !is_signed(other, &query, &text), "{text}");
        assert_eq!((query.get("ss"), query.get("se")), (Some("b"), Some("2027-02-01T00:00:00.0000000Z")));
        assert_eq!(query.get("sip"), changed["signedIp"].as_str());

        let blob = json!({"canonicalizedResource": "/blob/LABaccount/box/a/b ü", "signedResource": "b", "rscd": "a; b"});
        let body = with(serde_json::from_str(&of_service(changed)).unwrap(), blob);
        let made = world.send("owner", "POST", &format!("{id}/listServiceSas"), &body).await.ok();
        let query = Query::parse(made["serviceSasToken"].as_str()).unwrap();
        let text = service_text("/blob/labaccount/box/a/b ü", |name| query.get(name).unwrap_or_default());
        assert!(is_signed(signer, &query, &text) && !is_signed(other, &query, &text), "{text}");
        assert_eq!((query.get("sr"), query.get("rscd")), (Some("b"), Some("a; b")));
    }
    let audited = world.audited().await;
    assert!(audited.iter().any(|r| r.action == "Microsoft.Storage/storageAccounts/listServiceSas/action"));
}

#[tokio::test]
async fn f04_signatures_that_mean_nothing_are_not_made() {
    let world = World::with_group().await;
    let id = account(&world).await;
    for changed in [
        json!({"signedServices": ""}),
        json!({"signedServices": "bb"}),
        json!({"signedServices": "x"}),
        json!({"signedResourceTypes": "sx"}),
        json!({"signedPermission": "r\n"}),
        json!({"signedPermission": null}),
        json!({"signedExpiry": "soon"}),
        json!({"signedStart": "2027-02-01T00:00:00Z"}),
        json!({"signedIp": "10.0.0.9-10.0.0.1"}),
        json!({"signedIp": "10.0.0.1-::1"}),
        json!({"signedIp": "10.0.0.1\n"}),
        json!({"signedProtocol": "http"}),
        json!({"keyToSign": "key3"}),
        json!({"keyToSign": 1}),
    ] {
        let body = of_account(changed);
        let refused = world.send("owner", "POST", &format!("{id}/listAccountSas"), &body).await;
        assert_eq!(refused.status, 400, "{body} {}", refused.text);
    }
    for changed in [
        json!({"canonicalizedResource": "/blob/other/box"}),
        json!({"canonicalizedResource": "/file/labaccount/box"}),
        json!({"canonicalizedResource": "labaccount/box"}),
        json!({"canonicalizedResource": "/blob/labaccount"}),
        json!({"canonicalizedResource": "/blob/labaccount/B"}),
        json!({"canonicalizedResource": "/blob/labaccount/box/a"}),
        json!({"canonicalizedResource": "/blob/labaccount/box", "signedResource": "b"}),
        json!({"canonicalizedResource": "/blob/labaccount/box/a\nb", "signedResource": "b"}),
        json!({"signedResource": "s"}),
        json!({"signedResource": null}),
        json!({"signedPermission": null}),
        json!({"signedExpiry": null}),
        json!({"signedIdentifier": "policy"}),
        json!({"startPk": "a"}),
        json!({"rscd": "a\r\nSet-Cookie: b"}),
    ] {
        let body = of_service(changed);
        let refused = world.send("owner", "POST", &format!("{id}/listServiceSas"), &body).await;
        assert_eq!(refused.status, 400, "{body} {}", refused.text);
    }
}

#[tokio::test]
async fn f04_who_may_not_list_keys_gets_no_signature_either() {
    let world = World::with_group().await;
    let id = account(&world).await;
    world.meet("contributor").await;
    world.grant("contributor", CONTRIBUTOR, S, None).await;
    let ask = async |who: &str, what: &str, body: &str| {
        world.send(who, "POST", &format!("{id}/{what}"), body).await
    };
    let (of_account, of_service) = (of_account(json!({})), of_service(json!({})));
    for (what, body) in
        [("listAccountSas", &*of_account), ("listServiceSas", &*of_service), ("revokeUserDelegationKeys", "")]
    {
        assert_eq!(ask("reader", what, body).await.refusal(), (403, "AuthorizationFailed".into()), "{what}");
        assert_eq!(ask("contributor", what, body).await.status, 200, "{what}");
    }
    let off = r#"{"properties":{"allowSharedKeyAccess":false}}"#;
    world.send("owner", "PATCH", &id, off).await.ok();
    for (what, body) in [("listAccountSas", of_account), ("listServiceSas", of_service)] {
        let refused = ask("owner", what, &body).await.refusal();
        assert_eq!(refused, (403, "KeyBasedAuthenticationNotPermitted".into()), "{what}");
    }
    let nowhere = id.replace("labaccount", "nolabaccount");
    assert_eq!(world.send("owner", "POST", &format!("{nowhere}/listAccountSas"), "{}").await.status, 400);
    assert_eq!(
        world.send("owner", "POST", &format!("{nowhere}/revokeUserDelegationKeys"), "").await.status,
        404
    );
}

#[tokio::test]
async fn revoking_is_kept_and_never_at_the_same_time_twice() {
    let world = World::with_group().await;
    let id = account(&world).await;
    let mut seen = vec![];
    for _ in 0..2 {
        assert_eq!(
            world.send("owner", "POST", &format!("{id}/revokeUserDelegationKeys"), "").await.status,
            200
        );
        let account = world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
        seen.push(account["properties"]["userDelegationKeysRevokedTime"].as_str().unwrap().to_owned());
    }
    assert!(seen[0] < seen[1], "{seen:?}");
}
