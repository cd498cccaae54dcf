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
    assert_eq!(world.set("a", &"x".repeat(70_000)).await.status, 413);
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
