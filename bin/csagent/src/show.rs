//! `csagent show`: two columns, or JSON with the names scripts read (metadata.md 7.2).

use serde_json::{Map, Value, json};

use crate::{
    cli::ShowArgs,
    failure::Failure,
    state::{Place, State},
};

/// Label, JSON key and value, in azcmagent's order.
fn rows(state: Option<&State>) -> Vec<(&'static str, &'static str, String)> {
    let of = |get: fn(&State) -> &String| state.map(|s| get(s).clone()).unwrap_or_default();
    let namespace = if state.is_some() { "Microsoft.HybridCompute" } else { "" };
    vec![
        ("Resource Name", "resourceName", of(|s| &s.resource_name)),
        ("Resource Group Name", "resourceGroup", of(|s| &s.resource_group)),
        ("Resource Namespace", "resourceNamespace", namespace.to_owned()),
        ("Resource Id", "resourceId", of(|s| &s.resource_id)),
        ("Subscription ID", "subscriptionId", of(|s| &s.subscription_id)),
        ("Tenant ID", "tenantId", of(|s| &s.tenant_id)),
        ("VM ID", "vmId", of(|s| &s.vm_id)),
        ("Location", "location", of(|s| &s.location)),
        ("Cloud", "cloud", of(|s| &s.site)),
        ("Agent Version", "agentVersion", env!("CARGO_PKG_VERSION").to_owned()),
        ("Agent Status", "status", if state.is_some() { "Connected" } else { "Disconnected" }.to_owned()),
        (
            "Agent Last Heartbeat",
            "lastHeartbeat",
            state.and_then(|s| s.last_heartbeat.clone()).unwrap_or_default(),
        ),
    ]
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn show(args: &ShowArgs) -> Result<(), Failure> {
    let state = Place::new(&args.data.data).load()?;
    let wanted = |label: &str, key: &str| {
        args.properties.is_empty()
            || args.properties.iter().any(|p| p.eq_ignore_ascii_case(label) || p.eq_ignore_ascii_case(key))
    };
    let rows = rows(state.as_ref()).into_iter().filter(|(label, key, _)| wanted(label, key));
    if args.json {
        let all: Map<String, Value> = rows.map(|(_, key, value)| (key.to_owned(), json!(value))).collect();
        println!("{}", Value::Object(all));
        return Ok(());
    }
    for (label, _, value) in rows {
        println!("{label:<40} : {value}");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn version() {
    println!("csagent version {}", env!("CARGO_PKG_VERSION"));
}
