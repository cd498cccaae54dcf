//! The instance document (metadata.md 4) and the walk into it.

use cs_broker::Facts;
use cs_serve::{Response, json, text};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{Service, failure};

/// The document as a service writes it: keys in the documented order, every primitive a string.
pub(crate) fn document(service: Service, facts: &Facts) -> Value {
    let himds = service == Service::Himds;
    let tags: Vec<String> = facts.tags.iter().map(|(n, v)| format!("{n}:{v}")).collect();
    let list: Vec<Value> = facts.tags.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
    json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud", "isHostCompatibilityLayerVm": "", "location": facts.location,
            "name": facts.name, "offer": "",
            "osType": if himds { "linux" } else { "Linux" },
            "placementGroupId": "", "plan": {"name": "", "product": "", "publisher": ""},
            "platformFaultDomain": "", "platformUpdateDomain": "", "provider": "",
            "publicKeys": if himds { Value::Null } else { json!([]) },
            "publisher": "", "resourceGroupName": facts.resource_group, "customData": "",
            "resourceId": facts.resource_id,
            "securityProfile": {"secureBootEnabled": "", "virtualTpmEnabled": ""},
            "sku": facts.os_name, "storageProfile": {}, "subscriptionId": facts.subscription_id,
            "tags": tags.join(";"), "tagsList": list, "version": facts.os_version, "vmId": facts.vm_id,
            "vmScaleSetName": "", "vmSize": "", "zone": ""
        },
        "network": if himds { json!({}) } else { network(facts) }
    })
}

fn network(facts: &Facts) -> Value {
    let interface = |i: &cs_broker::Interface| {
        let v4: Vec<Value> =
            i.ipv4.iter().map(|a| json!({"privateIpAddress": a, "publicIpAddress": ""})).collect();
        let v6: Vec<Value> = i.ipv6.iter().map(|a| json!({"privateIpAddress": a})).collect();
        json!({"ipv4": {"ipAddress": v4, "subnet": []}, "ipv6": {"ipAddress": v6}, "macAddress": i.mac})
    };
    json!({"interface": facts.interfaces.iter().map(interface).collect::<Vec<_>>()})
}

/// A part of the document; `path` walks keys (without case) and indexes, a trailing slash does not count.
pub(crate) fn part(document: &Value, path: &str, format: Option<&str>) -> Response {
    let mut at = document;
    for step in path.split('/').filter(|s| !s.is_empty()) {
        let next = match at {
            Value::Object(members) => {
                members.iter().find(|(k, _)| k.eq_ignore_ascii_case(step)).map(|(_, v)| v)
            }
            Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => None,
        };
        let Some(next) = next else { return failure::plain(StatusCode::NOT_FOUND, "Not found") };
        at = next;
    }
    let as_text = match format {
        None => false,
        Some(f) if f.eq_ignore_ascii_case("json") => false,
        Some(f) if f.eq_ignore_ascii_case("text") => true,
        Some(_) => {
            return failure::plain(StatusCode::BAD_REQUEST, "Bad request. The format must be json or text");
        }
    };
    match (at, as_text) {
        (Value::Object(_) | Value::Array(_), false) => json(StatusCode::OK, at),
        (Value::Object(members), true) => {
            text(StatusCode::OK, listed(members.iter().map(|(k, v)| (k.clone(), v))))
        }
        (Value::Array(items), true) => {
            text(StatusCode::OK, listed(items.iter().enumerate().map(|(i, v)| (i.to_string(), v))))
        }
        (_, false) => failure::plain(StatusCode::BAD_REQUEST, "Bad request. Use format=text for a leaf node"),
        (Value::String(leaf), true) => text(StatusCode::OK, leaf.clone()),
        (Value::Null, true) => text(StatusCode::OK, ""),
        (leaf, true) => text(StatusCode::OK, leaf.to_string()),
    }
}

/// One key a line, containers with a slash behind.
fn listed<'v>(entries: impl Iterator<Item = (String, &'v Value)>) -> String {
    let line = |(name, value): (String, &Value)| {
        if value.is_object() || value.is_array() { format!("{name}/") } else { name }
    };
    entries.map(line).collect::<Vec<_>>().join("\n")
}
