//! The activity log: who changed what, found by every filter az has for it, page by page.

use cs_store::{AuditLog as _, AuditRecord};
use cs_time::Clock as _;
use serde_json::{Value, json};

use crate::world::{S, World, object};

fn log(query: &str) -> String {
    format!("{S}/providers/Microsoft.Insights/eventtypes/management/values?{query}")
}

fn operations(page: &Value) -> Vec<&str> {
    let events = page["value"].as_array().unwrap().iter();
    events.map(|e| e["operationName"]["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_activity_log_tells_who_changed_what() {
    let world = World::with_group().await;
    let machine = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &machine, r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.send("reader", "DELETE", &machine, "").await.status, 403);
    world.get("reader", &machine).await.ok();
    world.audited().await;
    let log = |filter: &str| log(&format!("$filter={filter}"));
    let since = "eventTimestamp ge 2027-01-15T00:00:00.000000 and eventTimestamp le 2027-01-16T00:00:00Z";
    let events = world.get("reader", &log(&format!("{since} and resourceGroupName eq 'LAB'"))).await.ok();
    let shown: Vec<(&str, &str)> = events["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["operationName"]["value"].as_str().unwrap(), e["status"]["value"].as_str().unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            ("Microsoft.HybridCompute/machines/delete", "Failed"),
            ("Microsoft.HybridCompute/machines/write", "Succeeded"),
            ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"),
        ]
    );
    let made = &events["value"][1];
    assert_eq!(
        (&made["caller"], &made["resourceId"]),
        (&json!(object("owner").to_string()), &json!(machine))
    );
    assert_eq!(made["resourceGroupName"], json!("Lab"));
    let one = world
        .get("reader", &log(&format!("correlationId eq '{}'", made["correlationId"].as_str().unwrap())))
        .await
        .ok();
    assert!(!one["value"].as_array().unwrap().is_empty());
    assert_eq!(
        world.get("reader", &log("resourceGroupName eq 'la'")).await.ok()["value"],
        json!([]),
        "d10: names end"
    );
    assert_eq!(
        world.get("reader", &log("eventTimestamp ge 2028-01-01T00:00:00Z")).await.ok()["value"],
        json!([])
    );
    for bad in [
        "eventTimestamp ge yesterday",
        "level eq 'x'",
        "status ne 'Failed'",
        "status eq 'Failed' or caller eq 'x'",
        "resourceId eq '/subscriptions/aaaaaaaa-bbbb-cccc-dddd-ffffffffffff'",
    ] {
        assert_eq!(
            world.get("reader", &log(bad)).await.refusal(),
            (400, "InvalidFilterInQueryString".into()),
            "{bad}"
        );
    }
    assert_eq!(world.get("nobody", &log("")).await.status, 403);
}

/// As `az monitor activity-log list` asks with --caller, --namespace, --status and --select.
#[tokio::test]
async fn events_are_found_by_caller_provider_and_status() {
    let world = World::with_group().await;
    let machine = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    world.put("owner", &machine, r#"{"location":"local"}"#).await.ok();
    assert_eq!(world.send("reader", "DELETE", &machine, "").await.status, 403);
    world.audited().await;
    let found = async |filter: String| world.get("reader", &log(&format!("$filter={filter}"))).await.ok();
    let (write, delete) =
        ("Microsoft.HybridCompute/machines/write", "Microsoft.HybridCompute/machines/delete");
    let since = "eventTimestamp ge 2027-01-15T00:00:00.000000";
    let by = found(format!("{since} and caller eq '{}'", object("reader").to_string().to_uppercase())).await;
    assert_eq!(operations(&by), [delete]);
    assert_eq!(operations(&found(format!("{since} and caller eq 'x@y'")).await), [""; 0]);
    let of = found(format!("{since} and resourceProvider eq 'microsoft.hybridcompute'")).await;
    assert_eq!(operations(&of), [delete, write]);
    assert_eq!(
        operations(&found(format!("resourceId eq '{machine}' and status eq 'failed'")).await),
        [delete]
    );
    assert_eq!(operations(&found("status eq 'Started'".to_owned()).await), [""; 0]);
    let query = format!("$filter=resourceUri eq '{machine}'&$select=eventTimestamp , CALLER");
    let some = world.get("reader", &log(&query)).await.ok();
    let members: Vec<&String> = some["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["caller", "eventTimestamp"]);
    let categories = world.get("nobody", "/providers/Microsoft.Insights/eventcategories").await.ok();
    assert_eq!(categories["value"], json!([{"value": "Administrative", "localizedValue": "Administrative"}]));
}

/// Whoever reads secrets all day writes the audit log full; what was done to resources is found none the less.
#[tokio::test]
async fn what_happens_inside_vaults_hides_no_event() {
    let world = World::with_group().await;
    let action = "Microsoft.KeyVault/vaults/secrets/getSecret/action".to_owned();
    let scope = format!("{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/kv/secrets/s");
    let read = AuditRecord { action, scope, time: world.clock.now(), ..world.record() };
    world.store.append(vec![read; 2500]).await.unwrap();
    let page = world.get("reader", &log("")).await.ok();
    assert_eq!(operations(&page), ["Microsoft.Resources/subscriptions/resourceGroups/write"]);
    assert_eq!(page.get("nextLink"), None);
}

#[tokio::test]
async fn events_come_in_pages() {
    let world = World::with_group().await;
    let action = "Microsoft.HybridCompute/machines/write".to_owned();
    let scope = format!("{S}/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1");
    let write = AuditRecord { action, scope, time: world.clock.now(), ..world.record() };
    world.store.append(vec![write; 1500]).await.unwrap();
    let mut target = log("api-version=2015-04-01&$filter=resourceGroupName%20eq%20%27lab%27");
    let mut sizes = Vec::new();
    loop {
        let page = world.raw("reader", "GET", &target, "").await.ok();
        sizes.push(page["value"].as_array().unwrap().len());
        let Some(next) = page["nextLink"].as_str() else { break };
        target = next.strip_prefix("https://management.s.example:8443").unwrap().to_owned();
    }
    assert_eq!(sizes, [1000, 501], "the group's own making is the last");
    assert_eq!(world.get("reader", &log("$skiptoken=eA")).await.status, 400, "no number");
}
