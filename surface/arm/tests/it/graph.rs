//! Resource Graph.

use serde_json::{Value, json};

use crate::world::{FOREIGN, READER, S, World};

async fn world() -> World {
    let world = World::with_group().await;
    world.put("owner", &format!("{S}/resourceGroups/other"), r#"{"location":"local"}"#).await.ok();
    for (group, name, env) in [("Lab", "m1", "dev"), ("Lab", "m2", "prod"), ("other", "m3", "Dev")] {
        let id = format!("{S}/resourceGroups/{group}/providers/Microsoft.HybridCompute/machines/{name}");
        let body = json!({"location": "local", "tags": {"env": env}, "properties": {"osType": "linux"}});
        world.put("owner", &id, &body.to_string()).await.ok();
    }
    let vault = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/kv1");
    world
        .put("owner", &vault, r#"{"location":"local","properties":{"enableRbacAuthorization":true}}"#)
        .await
        .ok();
    world
}

async fn ask(world: &World, who: &str, query: &str, more: Value) -> crate::world::Reply {
    let mut body = json!({"query": query, "subscriptions": [S.rsplit('/').next().unwrap()]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    world.send(who, "POST", "/providers/Microsoft.ResourceGraph/resources", &body.to_string()).await
}

fn names(reply: &Value) -> Vec<&str> {
    reply["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn inventories_are_answered() {
    let world = world().await;
    let all = ask(&world, "reader", "Resources", json!({})).await.ok();
    assert_eq!(
        (&all["totalRecords"], &all["count"], &all["resultTruncated"]),
        (&json!(4), &json!(4), &json!("false"))
    );
    let machine = all["data"].as_array().unwrap().iter().find(|r| r["name"] == "m1").unwrap();
    assert_eq!(machine["type"], json!("microsoft.hybridcompute/machines"));
    assert_eq!((&machine["resourceGroup"], &machine["kind"]), (&json!("lab"), &json!(null)));
    let query = "Resources | where type =~ 'Microsoft.HybridCompute/machines' and tags.env =~ 'dev' | order by name asc";
    assert_eq!(names(&ask(&world, "reader", query, json!({})).await.ok()), ["m1", "m3"]);
    let exact = "Resources | where tags['env'] == 'Dev' | project name, os = tostring(properties.osType)";
    let exact = ask(&world, "reader", exact, json!({})).await.ok();
    assert_eq!(exact["data"], json!([{"name": "m3", "os": "linux"}]));
    let counted =
        ask(&world, "reader", "Resources | summarize n = count() by type | order by n", json!({})).await.ok();
    assert_eq!(counted["data"][0], json!({"type": "microsoft.hybridcompute/machines", "n": 3}));
    let table =
        ask(&world, "reader", "Resources | count", json!({"options": {"resultFormat": "table"}})).await.ok();
    assert_eq!(table["data"], json!({"columns": [{"name": "Count", "type": "integer"}], "rows": [[4]]}));
    let groups = "resourcecontainers | where type has 'resourcegroups' | project name | order by name asc";
    assert_eq!(names(&ask(&world, "reader", groups, json!({})).await.ok()), ["Lab", "other"]);
    let query = "Resources | order by name asc";
    let first = ask(&world, "reader", query, json!({"options": {"$top": 3}})).await.ok();
    let rest = json!({"options": {"$top": 3, "$skipToken": first["$skipToken"]}});
    let second = ask(&world, "reader", query, rest).await.ok();
    assert_eq!((names(&first), names(&second)), (vec!["kv1", "m1", "m2"], vec!["m3"]));
    assert!(second.get("$skipToken").is_none() && second["totalRecords"] == json!(4));
}

/// What callers keep in tags is text in one row and a number's text in the next, and no two kinds of rows have the same
/// columns.
#[tokio::test]
async fn d07_mixed_rows_are_sorted_and_tabled() {
    let world = world().await;
    for (n, value) in ["9", "10", "10a", "", "x", "-1", "1e400", "NaN"].iter().cycle().take(40).enumerate() {
        let id = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/n{n}");
        let odd = if n % 3 == 0 { json!(n) } else { json!(value) };
        let body = json!({"location": "local", "tags": {"env": value}, "properties": {"odd": odd}});
        world.put("owner", &id, &body.to_string()).await.ok();
    }
    for query in ["Resources | order by properties.odd asc", "Resources | order by tags.env, properties.odd"]
    {
        assert_eq!(ask(&world, "reader", query, json!({})).await.ok()["totalRecords"], 44);
    }
    let numbers = "Resources | where isnotnull(properties.odd) | order by properties.odd asc | project odd = properties.odd";
    let sorted = ask(&world, "reader", numbers, json!({"options": {"$top": 1000}})).await.ok();
    let first: Vec<&Value> =
        sorted["data"].as_array().unwrap().iter().map(|row| &row["odd"]).take(3).collect();
    assert_eq!(first, [&json!(0), &json!(3), &json!(6)], "numbers, by their size, before text");
    let table = json!({"options": {"resultFormat": "table"}});
    let containers = ask(&world, "reader", "ResourceContainers | order by type", table).await.ok();
    assert_eq!(containers["data"]["rows"].as_array().unwrap().len(), 3, "a subscription and two groups");
    let away = "Resources | project-away properties.odd";
    assert_eq!(ask(&world, "reader", away, json!({})).await.status, 400, "no part of a column goes");
}

#[tokio::test]
async fn d10_a_question_finds_only_what_the_asker_may_read() {
    let world = world().await;
    world.meet("grouped").await;
    world.grant("grouped", READER, &format!("{S}/resourceGroups/other"), None).await;
    let seen = ask(&world, "grouped", "Resources", json!({})).await;
    assert_eq!(names(&seen.json()), ["m3"]);
    let containers =
        ask(&world, "grouped", "ResourceContainers | where type has 'resourcegroups'", json!({})).await;
    assert_eq!(names(&containers.json()), ["other"]);
    let count = ask(&world, "grouped", "Resources | summarize count()", json!({})).await.ok();
    assert_eq!(count["data"], json!([{"count_": 1}]), "nor are the others counted");
    let denied = ask(&world, "nobody", "Resources", json!({})).await;
    assert_eq!(denied.refusal(), (403, "AccessDenied".into()));
    let foreign = json!({"subscriptions": [FOREIGN.rsplit('/').next().unwrap()]});
    assert_eq!(ask(&world, "owner", "Resources", foreign).await.refusal(), (403, "AccessDenied".into()));
    let everywhere = json!({"subscriptions": []});
    assert_eq!(ask(&world, "nobody", "Resources", everywhere).await.ok()["data"], json!([]));
}

#[tokio::test]
async fn every_row_has_every_column() {
    let world = world().await;
    for table in ["Resources", "ResourceContainers"] {
        let found = ask(&world, "owner", table, json!({})).await.ok();
        for row in found["data"].as_array().unwrap() {
            for column in ["kind", "managedBy", "sku", "plan", "identity", "zones", "extendedLocation"] {
                assert!(row.get(column).is_some(), "{table}: {row} has no {column}");
            }
        }
        let list = json!({"options": {"resultFormat": "table"}});
        let columns = ask(&world, "owner", table, list).await.ok()["data"]["columns"].clone();
        assert!(columns.as_array().unwrap().iter().any(|c| c["name"] == "zones"), "{table}: {columns}");
    }
}

#[tokio::test]
async fn d07_odd_questions_are_refused() {
    let world = world().await;
    for (query, more, code) in [
        ("Resources | join kind=inner (Resources)", json!({}), "InvalidQuery"),
        ("Resources | where name == ", json!({}), "InvalidQuery"),
        ("Resources", json!({"options": {"$top": 0}}), "InvalidRequestContent"),
        ("Resources", json!({"options": {"$top": "ten"}}), "InvalidRequestContent"),
        ("Resources", json!({"options": {"$skipToken": "!"}}), "InvalidRequestContent"),
        ("Resources", json!({"subscriptions": [7]}), "InvalidRequestContent"),
    ] {
        let reply = ask(&world, "owner", query, more.clone()).await;
        assert_eq!(reply.refusal(), (400, code.into()), "{query} {more}");
    }
    let typed = ask(&world, "owner", "Resources", json!({"options": {"$top": "ten"}})).await;
    assert!(typed.text.contains("'options.$top'"), "the property is named: {}", typed.text);
}
