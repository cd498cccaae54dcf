//! Secrets as clients use them.

use serde_json::json;

use crate::world::World;

const BASE: &str = "https://lab.vault.s.example:8443";

#[tokio::test]
async fn set_get_by_version_and_the_labs_slash() {
    let world = World::with_policies().await;
    let one = world.set("scenario", "one").await;
    assert_eq!(one.status, 200, "{}", one.text);
    let id = one.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with(&format!("{BASE}/secrets/scenario/")) && id.len() == BASE.len() + 18 + 32, "{id}");
    world.set("Scenario", "two").await;
    for target in ["/secrets/scenario", "/secrets/scenario/", "/secrets/SCENARIO"] {
        assert_eq!(world.get(target).await.json()["value"], "two", "{target}");
    }
    let version = id.rsplit('/').next().unwrap();
    let old = world.get(&format!("/secrets/scenario/{version}")).await.json();
    assert_eq!((&old["value"], &old["id"]), (&json!("one"), &json!(id)));
    let encoded = world.send("reader", "GET", "/secrets/scenario/?api%2Dversion=2025-07-01", "").await;
    assert_eq!(encoded.json()["value"], "two");
}

#[tokio::test]
async fn a_set_answer_word_for_word() {
    let world = World::with_policies().await;
    let body = json!({"value": "v", "contentType": "text/plain", "tags": {"b": "2", "a": "1"}, "attributes": {"exp": 1_900_000_000}, "new": []});
    let reply = world.send("writer", "PUT", "/secrets/logo?api-version=7.4", &body.to_string()).await;
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        reply.text,
        format!(
            "{{\"value\":\"v\",\"contentType\":\"text/plain\",\"id\":\"{id}\",\"attributes\":{{\"enabled\":true,\"exp\":1900000000,\
             \"created\":1800000000,\"updated\":1800000000,\"recoveryLevel\":\"CustomizedRecoverable+Purgeable\",\
             \"recoverableDays\":7}},\"tags\":{{\"b\":\"2\",\"a\":\"1\"}}}}"
        )
    );
    assert_eq!(reply.headers["x-ms-client-request-id"], "mine");
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert!(world.send("writer", "PUT", "/secrets/x?api-version=7.0", r#"{"value":""}"#).await.json()["attributes"].get("recoverableDays").is_none());
}

#[tokio::test]
async fn lists_page_through_names_and_versions() {
    let world = World::with_policies().await;
    for name in ["c", "A", "b"] {
        world.set(name, "x").await;
    }
    world.set("A", "y").await;
    let mut seen = Vec::new();
    let mut target = "/secrets?api-version=7.4&maxresults=1".to_owned();
    loop {
        let page = world.send("reader", "GET", &target, "").await.json();
        seen.extend(page["value"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()));
        match page["nextLink"].as_str() {
            Some(next) => target = next.strip_prefix(BASE).unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["A", "b", "c"].map(|n| format!("{BASE}/secrets/{n}")));
    let versions = world.get("/secrets/a/versions").await.json();
    assert_eq!(versions["value"].as_array().unwrap().len(), 2);
    assert_eq!(world.get("/secrets/none/versions").await.json(), json!({"value": [], "nextLink": null}));
    for bad in ["0", "26", "x"] {
        let reply =
            world.send("reader", "GET", &format!("/secrets?api-version=7.4&maxresults={bad}"), "").await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"));
    }
}

#[tokio::test]
async fn updates_keep_what_is_not_named() {
    let world = World::with_policies().await;
    world
        .send(
            "writer",
            "PUT",
            "/secrets/a?api-version=7.4",
            r#"{"value":"v","contentType":"t","tags":{"x":"y"}}"#,
        )
        .await;
    world.clock.advance(10);
    let reply = world
        .send("writer", "PATCH", "/secrets/a/?api-version=7.4", r#"{"attributes":{"enabled":true,"nbf":5}}"#)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let now = reply.json();
    assert!(now.get("value").is_none());
    assert_eq!(
        (&now["contentType"], &now["tags"], &now["attributes"]["nbf"]),
        (&json!("t"), &json!({"x": "y"}), &json!(5))
    );
    assert_eq!(now["attributes"]["updated"], 1_800_000_010);
}

#[tokio::test]
async fn soft_delete_recover_and_purge() {
    let world = World::with_policies().await;
    world.set("a", "v").await;
    let deleted = world.send("writer", "DELETE", "/secrets/a?api-version=7.4", "").await.json();
    assert_eq!(deleted["recoveryId"], format!("{BASE}/deletedsecrets/a"));
    assert_eq!(deleted["scheduledPurgeDate"], 1_800_000_000_i64 + 7 * 86_400);
    assert_eq!(world.get("/secrets/a").await.code(), "SecretNotFound");
    assert_eq!(world.get("/deletedsecrets/a").await.status, 200);
    assert_eq!(world.get("/deletedsecrets").await.json()["value"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.send("writer", "POST", "/deletedsecrets/a/recover?api-version=7.4", "").await.status,
        200
    );
    assert_eq!(world.get("/secrets/a").await.json()["value"], "v");
    world.send("writer", "DELETE", "/secrets/a?api-version=7.4", "").await;
    assert_eq!(world.send("reader", "DELETE", "/deletedsecrets/a?api-version=7.4", "").await.status, 403);
    let purged = world.send("writer", "DELETE", "/deletedsecrets/a?api-version=7.4", "").await;
    assert_eq!((purged.status, purged.text.as_str()), (204, ""));
    assert_eq!(world.get("/deletedsecrets/a").await.status, 404);
    assert_eq!(world.set("a", "anew").await.status, 200);
}

#[tokio::test]
async fn values_of_every_size_and_kind() {
    let world = World::with_policies().await;
    for value in ["", "ü\u{1F511}\n\"", &"x".repeat(25_600)] {
        assert_eq!(world.set("a", value).await.status, 200);
        assert_eq!(world.get("/secrets/a").await.json()["value"], *value);
    }
    assert_eq!(world.set("a", &"x".repeat(25_601)).await.code(), "BadParameter");
    assert_eq!(world.set("a", &"x".repeat(300_000)).await.status, 413);
    let escaped = format!(r#"{{"value":"{}"}}"#, r"\u0000".repeat(25_600));
    assert_eq!(world.send("writer", "PUT", "/secrets/a?api-version=7.4", &escaped).await.status, 200);
}

#[tokio::test]
async fn a_backup_comes_back_whole_and_only_once() {
    let world = World::with_policies().await;
    let version = |reply: &crate::world::Reply| {
        reply.json()["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let (old, new) =
        (version(&world.set("Kept", "first").await), version(&world.set("kept", "second").await));
    let body = r#"{"attributes":{"enabled":false},"tags":{"a":"b"}}"#;
    world.send("writer", "PATCH", &format!("/secrets/kept/{old}?api-version=7.4"), body).await;
    assert_eq!(world.send("reader", "POST", "/secrets/kept/backup?api-version=7.4", "").await.status, 403);
    let backup = world.send("writer", "POST", "/secrets/kept/backup?api-version=7.4", "").await;
    assert_eq!(backup.status, 200, "{}", backup.text);
    assert!(!backup.text.contains("second") && !backup.text.contains('='));
    let restore = || world.send("writer", "POST", "/secrets/restore?api-version=7.4", &backup.text);
    assert_eq!((restore().await.status, restore().await.code().as_str()), (409, "Conflict"), "it is there");
    world.send("writer", "DELETE", "/secrets/kept?api-version=7.4", "").await;
    assert_eq!(restore().await.json()["error"]["innererror"]["code"], "ObjectIsDeletedButRecoverable");
    world.send("writer", "DELETE", "/deletedsecrets/kept?api-version=7.4", "").await;
    let back = restore().await;
    assert_eq!((back.status, version(&back)), (200, new), "{}", back.text);
    assert!(back.json().get("value").is_none());
    assert_eq!(world.get("/secrets/kept").await.json()["value"], "second");
    let old = world.get(&format!("/secrets/Kept/{old}")).await;
    assert_eq!(old.json()["error"]["innererror"]["code"], "SecretDisabled", "attributes came back too");
}

#[tokio::test]
async fn what_is_no_backup_restores_nothing() {
    let world = World::with_policies().await;
    world.set("a", "v").await;
    let backup = world.send("writer", "POST", "/secrets/a/backup?api-version=7.4", "").await.json();
    let value = backup["value"].as_str().unwrap();
    let mut changed = value.to_owned().into_bytes();
    changed[40] = if changed[40] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    world.send("writer", "DELETE", "/secrets/a?api-version=7.4", "").await;
    world.send("writer", "DELETE", "/deletedsecrets/a?api-version=7.4", "").await;
    for bad in ["", "AQID", "!", &changed, &value[..value.len() - 8]] {
        let body = json!({"value": bad}).to_string();
        let reply = world.send("writer", "POST", "/secrets/restore?api-version=7.4", &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"), "{bad}");
    }
    assert_eq!(world.get("/secrets").await.json()["value"], json!([]));
}

#[tokio::test]
async fn members_come_from_objects_and_times_keep_their_order() {
    let world = World::with_policies().await;
    let put = |body: &'static str| world.send("writer", "PUT", "/secrets/a?api-version=7.4", body);
    for bad in [
        r#"["v"]"#,
        r#""v""#,
        "null",
        r#"{"value":"v","attributes":[true]}"#,
        r#"{"value":"v","tags":["a"]}"#,
    ] {
        assert_eq!(put(bad).await.code(), "BadParameter", "{bad}");
    }
    assert_eq!(put(r#"{"value":"v","attributes":{"nbf":100}}"#).await.status, 200);
    let late = r#"{"attributes":{"exp":50}}"#;
    assert_eq!(
        world.send("writer", "PATCH", "/secrets/a?api-version=7.4", late).await.code(),
        "BadParameter"
    );
    assert!(world.get("/secrets/a").await.json()["attributes"].get("exp").is_none());
}

#[tokio::test]
async fn nobody_is_said_to_have_changed_what_is_not_there() {
    let world = World::with_policies().await;
    for (method, target, body) in [
        ("PATCH", "/secrets/none?api-version=7.4", "{}"),
        ("DELETE", "/secrets/none?api-version=7.4", ""),
        ("POST", "/deletedsecrets/none/recover?api-version=7.4", ""),
        ("DELETE", "/deletedsecrets/none?api-version=7.4", ""),
        ("POST", "/secrets/none/backup?api-version=7.4", ""),
    ] {
        assert_eq!(
            world.send("writer", method, target, body).await.code(),
            "SecretNotFound",
            "{method} {target}"
        );
    }
    let done = |r: &&cs_store::AuditRecord| {
        r.action.starts_with("secrets ") && r.outcome == cs_store::AuditOutcome::Done
    };
    assert_eq!(world.audited().await.iter().filter(done).count(), 0);
}

#[tokio::test]
async fn reads_are_audited_before_they_are_answered() {
    let world = World::with_roles().await;
    world.set("a", "planted-canary").await;
    world.get("/secrets/a").await;
    world.send("nobody", "GET", "/secrets/a?api-version=7.4", "").await;
    let records = world.audited().await;
    let of = |outcome| {
        records.iter().filter(|r| r.outcome == outcome && r.action.ends_with("getSecret/action")).count()
    };
    assert_eq!((of(cs_store::AuditOutcome::Done), of(cs_store::AuditOutcome::Denied)), (1, 1));
    assert!(!format!("{records:?}").contains("planted-canary"));
}

#[tokio::test]
async fn a_moved_vault_opens_what_was_sealed_before_and_after() {
    let world = World::with_policies().await;
    world.set("before", "v1").await;
    world.move_vault("elsewhere").await;
    world.set("after", "v2").await;
    for (name, value) in [("before", "v1"), ("after", "v2")] {
        let read = world.get(&format!("/secrets/{name}")).await;
        assert_eq!((read.status, &read.json()["value"]), (200, &serde_json::json!(value)), "{name}");
    }
}
