//! Extensions of machines.

use serde_json::json;

use crate::world::{ONBOARDING, S, World};

fn at(machine: &str, extension: &str) -> String {
    format!(
        "{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/{machine}/extensions/{extension}"
    )
}

const BODY: &str = r#"{"location":"local","tags":{"a":"b"},"properties":{"publisher":"Microsoft.Azure.Extensions",
    "type":"CustomScript","typeHandlerVersion":"2.1","autoUpgradeMinorVersion":true,"settings":{"commandToExecute":"id"},
    "protectedSettings":{"password":"hunter2"},"somethingNew":[1]}}"#;

async fn world() -> World {
    let world = World::with_group().await;
    for machine in ["m1", "m10"] {
        let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/{machine}");
        world.put("owner", &id, r#"{"location":"local"}"#).await.ok();
    }
    world
}

#[tokio::test]
async fn extensions_come_change_and_go() {
    let world = world().await;
    let id = at("m1", "script");
    let made = world.put("owner", &id, BODY).await;
    assert_eq!(made.status, 200, "never 201: {}", made.text);
    let mut extension = made.json();
    assert_eq!(extension["id"], json!(id));
    assert_eq!(extension["type"], json!("Microsoft.HybridCompute/machines/extensions"));
    assert_eq!(extension["properties"]["provisioningState"], json!("Succeeded"));
    assert_eq!(extension["properties"]["instanceView"]["status"]["displayStatus"], json!("Recorded"));
    assert_eq!(extension["properties"]["somethingNew"], json!([1]), "what we do not know round-trips");
    assert!(!made.text.contains("hunter2"), "e10: protected settings are not kept");
    let back = world.put("owner", &id, &made.text).await.ok();
    extension["systemData"] = back["systemData"].clone();
    assert_eq!(back, extension, "what was read can be put back");
    let patch = r#"{"tags":{},"properties":{"settings":{"x":1},"enableAutomaticUpgrade":true}}"#;
    let patched = world.send("owner", "PATCH", &id, patch).await;
    assert_eq!((patched.status, &patched.json()["tags"]), (200, &json!({})));
    assert_eq!(patched.json()["properties"]["publisher"], json!("Microsoft.Azure.Extensions"));
    world.put("owner", &at("m10", "other"), BODY).await.ok();
    let list = id.strip_suffix("/script").unwrap();
    let listed = world.get("reader", list).await.ok();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1, "not those of the machine m10: {listed}");
    assert_eq!(world.send("reader", "HEAD", &id, "").await.status, 204);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204);
    assert_eq!(world.send("owner", "DELETE", &id, "").await.status, 204);
    assert_eq!(world.get("owner", &id).await.refusal(), (404, "ResourceNotFound".into()));
}

#[tokio::test]
async fn an_extension_is_its_machines() {
    let world = world().await;
    let orphan = world.put("owner", &at("none", "x"), BODY).await;
    assert_eq!(orphan.refusal(), (404, "ParentResourceNotFound".into()));
    assert!(orphan.text.contains("Parent resource 'Microsoft.HybridCompute/machines/none' not found"));
    world.put("owner", &at("m1", "x"), BODY).await.ok();
    let machine = at("m1", "x").split("/extensions").next().unwrap().to_owned();
    assert_eq!(world.send("owner", "DELETE", &machine, "").await.status, 204);
    world.put("owner", &machine, r#"{"location":"local"}"#).await.ok();
    let list = world.get("owner", &format!("{machine}/extensions")).await.ok();
    assert_eq!(list["value"], json!([]), "a machine made anew inherits none");
    // A role on one extension says nothing of the next.
    world.put("owner", &at("m1", "x"), BODY).await.ok();
    world.meet("narrow").await;
    world.grant("narrow", ONBOARDING, &at("m1", "x"), None).await;
    assert_eq!(world.get("narrow", &at("m1", "y")).await.status, 403);
}

#[tokio::test]
async fn d07_odd_extensions_are_refused() {
    let world = world().await;
    for (name, body, code) in [
        ("x", r#"{"properties":{"type":"T"}}"#, "InvalidParameter"),
        ("x", r#"{"properties":{"publisher":1,"type":"T"}}"#, "InvalidRequestContent"),
        ("x", r#"{"properties":{"publisher":"P","type":"T","settings":"s"}}"#, "InvalidParameter"),
        (
            "x",
            r#"{"properties":{"publisher":"P","type":"T","autoUpgradeMinorVersion":"yes"}}"#,
            "InvalidRequestContent",
        ),
        ("x", r#"{"properties":[]}"#, "InvalidRequestContent"),
        ("a%20b", r#"{"properties":{"publisher":"P","type":"T"}}"#, "InvalidParameter"),
        (&"x".repeat(65), r#"{"properties":{"publisher":"P","type":"T"}}"#, "InvalidParameter"),
    ] {
        let reply = world.put("owner", &at("m1", name), body).await;
        assert_eq!(reply.refusal(), (400, code.into()), "{name} {body}");
    }
}
