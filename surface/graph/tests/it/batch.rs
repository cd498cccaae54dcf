//! Several requests in one.

use serde_json::{Value, json};

use crate::world::World;

fn by_id(answer: &Value, id: &str) -> Value {
    let all = answer["responses"].as_array().unwrap();
    all.iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("no answer {id}: {answer}")).clone()
}

#[tokio::test]
async fn steps_are_answered_as_if_each_came_alone() {
    let world = World::new().await;
    let group = world.group("g").await;
    let steps = json!({"requests": [
        {"id": "rename", "method": "PATCH", "url": format!("/groups/{group}"), "dependsOn": ["read"],
            "headers": {"Content-Type": "application/json"}, "body": {"description": "later"}},
        {"id": "read", "method": "get", "url": format!("groups/{group}?$select=displayName")},
        {"id": "me", "method": "GET", "url": "/me"},
        {"id": "list", "method": "GET", "url": "/groups?$filter=displayName%20eq%20'g'"},
        {"id": "waits", "method": "GET", "url": "/groups", "dependsOn": ["me"]},
        {"id": "nowhere", "method": "GET", "url": "/nowhere"},
        {"id": "method", "method": "PUT", "url": "/groups"},
    ]});
    let answer = world.post("/$batch", &steps).await.ok();
    assert_eq!(answer["responses"].as_array().unwrap().len(), 7);
    let read = by_id(&answer, "read");
    assert_eq!((&read["status"], &read["body"]["displayName"]), (&json!(200), &json!("g")));
    assert_eq!(read["headers"]["Content-Type"], json!("application/json; charset=utf-8"));
    let rename = by_id(&answer, "rename");
    assert_eq!((&rename["status"], rename.get("body")), (&json!(204), None));
    assert_eq!(by_id(&answer, "list")["body"]["value"][0]["id"], json!(group));
    assert_eq!(by_id(&answer, "me")["body"]["error"]["code"], json!("BadRequest"));
    let waits = by_id(&answer, "waits");
    assert_eq!(
        (&waits["status"], &waits["body"]["error"]["code"]),
        (&json!(424), &json!("FailedDependency"))
    );
    assert_eq!(by_id(&answer, "nowhere")["status"], json!(400));
    assert_eq!(by_id(&answer, "method")["headers"]["Allow"], json!("GET, POST"));
    assert_eq!(world.get(&format!("/groups/{group}")).await.ok()["description"], json!("later"));
}

#[tokio::test]
async fn d03_a_step_may_what_its_caller_may() {
    let world = World::new().await;
    let group = world.group("g").await;
    let steps = json!({"requests": [{"id": "1", "method": "DELETE", "url": format!("/groups/{group}")}]});
    let answer = world.send("nobody", "POST", "/$batch", &steps.to_string()).await.ok();
    let refused = by_id(&answer, "1");
    assert_eq!(refused["status"], json!(403));
    assert_eq!(refused["body"]["error"]["code"], json!("Authorization_RequestDenied"));
    assert_eq!(world.get(&format!("/groups/{group}")).await.status, 200, "it is still there");
    let log = world.recorded().await;
    assert!(
        log.iter().any(|r| r.outcome.as_str() == "denied" && r.action == "microsoft.directory/groups/delete")
    );
}

#[tokio::test]
async fn d07_batches_that_are_none_do_nothing() {
    let world = World::new().await;
    let make = |id: &str, more: Value| {
        let mut step =
            json!({"id": id, "method": "POST", "url": "/applications", "body": {"displayName": "made"}});
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let many: Vec<Value> = (0..21).map(|n| make(&n.to_string(), json!({}))).collect();
    for (bad, why) in [
        (json!({}), "'requests'"),
        (json!({"requests": []}), "1 to 20"),
        (json!({"requests": many}), "not 21"),
        (json!({"requests": [make("1", json!({})), make("1", json!({}))]}), "of its own"),
        (json!({"requests": [make("", json!({}))]}), "of its own"),
        (json!({"requests": [make("1", json!({"id": 1}))]}), "'id'"),
        (json!({"requests": [make("1", json!({"dependsOn": ["2"]}))]}), "dependsOn"),
        (json!({"requests": [make("1", json!({"dependsOn": ["1"]}))]}), "dependsOn"),
        (
            json!({"requests": [make("1", json!({"dependsOn": ["2"]})), make("2", json!({"dependsOn": ["1"]}))]}),
            "circle",
        ),
        (json!({"requests": [7]}), "'requests'"),
    ] {
        let refused = world.post("/$batch", &bad).await;
        assert_eq!(refused.refusal(), (400, "BadRequest".into()), "{bad:.80}");
        assert!(refused.text.contains(why), "{why}: {}", refused.text);
    }
    let deep = format!("{{\"requests\":{}", "[".repeat(100_000));
    assert_eq!(world.send("admin", "POST", "/$batch", &deep).await.refusal(), (400, "BadRequest".into()));
    let nested = json!({"requests": [make("1", json!({}))]});
    for url in ["/$batch", "$batch", "//$batch", "/%24batch", "/$BATCH"] {
        let outer = json!({"requests": [{"id": "o", "method": "POST", "url": url, "body": nested}]});
        let refused = by_id(&world.post("/$batch", &outer).await.ok(), "o");
        assert_eq!(refused["status"], json!(400), "{url}");
        assert!(
            refused["body"]["error"]["message"].as_str().unwrap().contains("another batch"),
            "{url}: {refused}"
        );
    }
    for url in ["https://elsewhere.example/v1.0/applications", "/\u{0}", "", "../v1.0/applications"] {
        let outer = json!({"requests": [make("o", json!({"url": url}))]});
        let refused = by_id(&world.post("/$batch", &outer).await.ok(), "o");
        assert!((400..500).contains(&refused["status"].as_u64().unwrap()), "{url}: {refused}");
    }
    assert!(world.get("/applications").await.names().is_empty(), "nothing was made");
    let body = format!("{{\"requests\":[{{\"id\":\"{}\"}}]}}", "x".repeat(5 << 20));
    assert_eq!(world.send("admin", "POST", "/$batch", &body).await.status, 413);
}
