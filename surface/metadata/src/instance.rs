//! The instance document (metadata.md 4) and the walk into it.

use cs_broker::Facts;
use cs_serve::{Response, json, text};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{Service, failure};

/// A name that clients know; they switch on it.
const PUBLIC: &str = "AzurePublicCloud";

/// The document as a service writes it: keys in the documented order, every primitive a string.
pub(crate) fn document(service: Service, facts: &Facts) -> Value {
    let himds = service == Service::Himds;
    let tags: Vec<String> = facts.tags.iter().map(|(n, v)| format!("{n}:{v}")).collect();
    let list: Vec<Value> = facts.tags.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
    let mut document = json!({
        "compute": {
            "azEnvironment": if facts.environment.is_empty() { PUBLIC } else { facts.environment.as_str() }, "isHostCompatibilityLayerVm": "", "location": facts.location,
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
    });
    if let (false, Some(compute)) = (himds, document["compute"].as_object_mut()) {
        compute.extend(of_virtual_machines(facts));
    }
    document
}

/// What only IMDS says (metadata.md 4): nothing of it is known of a machine of ours but its name, and what is not known is
/// empty, not missing, since clients read on.
fn of_virtual_machines(facts: &Facts) -> serde_json::Map<String, Value> {
    let image = json!({"id": "", "offer": "", "publisher": "", "sku": "", "version": ""});
    let disk = json!({
        "caching": "", "createOption": "", "diffDiskSettings": {"option": ""}, "diskSizeGB": "",
        "encryptionSettings": {"enabled": "false"}, "image": {"uri": ""},
        "managedDisk": {"id": "", "storageAccountType": ""}, "name": "", "osType": "Linux", "vhd": {"uri": ""},
        "writeAcceleratorEnabled": "false"
    });
    let fields = json!({
        "additionalCapabilities": {"hibernationEnabled": "false"}, "evictionPolicy": "",
        "extendedLocation": {"name": "", "type": ""}, "host": {"id": ""}, "hostGroup": {"id": ""}, "licenseType": "",
        "osProfile": {"adminUsername": "", "computerName": facts.name, "disablePasswordAuthentication": ""},
        "platformSubFaultDomain": "", "priority": "",
        // Never TrustedLaunch or ConfidentialVM, which some clients take for key-bound tokens.
        "securityProfile": {
            "encryptionAtHost": "false", "secureBootEnabled": "", "securityType": "", "virtualTpmEnabled": ""
        },
        "storageProfile": {
            "dataDisks": [], "imageReference": image, "osDisk": disk, "resourceDisk": {"size": ""}
        },
        "userData": "", "virtualMachineScaleSet": {"id": ""}
    });
    match fields {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    }
}

fn network(facts: &Facts) -> Value {
    let interface = |i: &cs_broker::Interface| {
        let v4: Vec<Value> =
            i.ipv4.iter().map(|a| json!({"privateIpAddress": a, "publicIpAddress": ""})).collect();
        let v6: Vec<Value> = i.ipv6.iter().map(|a| json!({"privateIpAddress": a})).collect();
        let subnets: Vec<Value> =
            i.subnets.iter().map(|(a, bits)| json!({"address": a, "prefix": bits.to_string()})).collect();
        json!({"ipv4": {"ipAddress": v4, "subnet": subnets}, "ipv6": {"ipAddress": v6}, "macAddress": i.mac})
    };
    json!({"interface": facts.interfaces.iter().map(interface).collect::<Vec<_>>()})
}

/// A part of the document; `path` walks keys (without case) and indexes as it is sent: one slash at the end does not count,
/// an empty step in between and a slash that hides behind an escape lead nowhere (A29).
pub(crate) fn part(document: &Value, path: &str, format: Option<&str>) -> Response {
    let path = path.strip_suffix('/').unwrap_or(path);
    let steps = path.split('/').filter(|_| !path.is_empty());
    let found = steps.map(cs_serve::percent_decode).try_fold(document, |at, step| below(at, &step?));
    let Some(at) = found else { return failure::plain(StatusCode::NOT_FOUND, "Not found") };
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

fn below<'v>(at: &'v Value, step: &str) -> Option<&'v Value> {
    match at {
        Value::Object(members) => members.iter().find(|(k, _)| k.eq_ignore_ascii_case(step)).map(|(_, v)| v),
        Value::Array(items) => {
            let index: usize = step.parse().ok()?;
            // `01` and `+1` are no other names of it.
            items.get(index).filter(|_| index.to_string() == step)
        }
        _ => None,
    }
}

/// One key a line, containers with a slash behind.
fn listed<'v>(entries: impl Iterator<Item = (String, &'v Value)>) -> String {
    let line = |(name, value): (String, &Value)| {
        if value.is_object() || value.is_array() { format!("{name}/") } else { name }
    };
    entries.map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        let interface = cs_broker::Interface {
            mac: "000D3AF806EC".into(),
            ipv4: vec!["10.1.2.3".into()],
            subnets: vec![("10.1.0.0".into(), 20)],
            ipv6: vec!["fe80::1".into()],
        };
        let (tags, interfaces) = (vec![("a".into(), "b".into())], vec![interface]);
        Facts { name: "m1".into(), tags, interfaces, ..Facts::default() }
    }

    #[test]
    fn every_primitive_of_either_document_is_a_string() {
        fn look(at: &Value, path: &str) {
            match at {
                Value::Object(members) => members.iter().for_each(|(k, v)| look(v, &format!("{path}/{k}"))),
                Value::Array(items) => items.iter().for_each(|v| look(v, &format!("{path}/[]"))),
                Value::String(_) => {}
                // The one that HIMDS has so (metadata.md 4).
                other => assert_eq!((path, other), ("/compute/publicKeys", &Value::Null)),
            }
        }
        for service in [Service::Himds, Service::Imds] {
            look(&document(service, &facts()), "");
        }
        let imds = document(Service::Imds, &facts());
        assert_eq!(imds.pointer("/compute/osProfile/computerName"), Some(&json!("m1")));
        assert_eq!(imds.pointer("/compute/securityProfile/securityType"), Some(&json!("")));
        assert_eq!(
            imds.pointer("/network/interface/0").unwrap().to_string(),
            r#"{"ipv4":{"ipAddress":[{"privateIpAddress":"10.1.2.3","publicIpAddress":""}],"subnet":[{"address":"10.1.0.0","prefix":"20"}]},"ipv6":{"ipAddress":[{"privateIpAddress":"fe80::1"}]},"macAddress":"000D3AF806EC"}"#
        );
        assert_eq!(imds.pointer("/compute/azEnvironment"), Some(&json!("AzurePublicCloud")));
        let own = Facts { environment: "Countersign".into(), ..facts() };
        assert_eq!(
            document(Service::Himds, &own).pointer("/compute/azEnvironment"),
            Some(&json!("Countersign"))
        );
    }

    /// Every leaf is reached by the path that the listings above it spell.
    #[test]
    fn listings_lead_to_every_leaf() {
        fn walk(document: &Value, at: &Value, path: &str, leaves: &mut usize) {
            let children: Vec<(String, &Value)> = match at {
                Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
                Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
                _ => {
                    *leaves += 1;
                    assert_eq!(part(document, path, Some("text")).status(), StatusCode::OK, "{path}");
                    assert_eq!(part(document, path, None).status(), StatusCode::BAD_REQUEST, "{path}");
                    return;
                }
            };
            assert_eq!(part(document, path, None).status(), StatusCode::OK, "{path}");
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            children.iter().for_each(|(name, v)| walk(document, v, &below(name), leaves));
        }
        let (document, mut leaves) = (document(Service::Imds, &facts()), 0);
        walk(&document, &document, "", &mut leaves);
        assert!(leaves > 60, "{leaves}");
    }

    proptest! {
        #[test]
        fn no_path_breaks_the_walk(path in "[a-zA-Z0-9/._%-]{0,60}|.{0,40}", format in proptest::option::of("json|text|TEXT|.{0,8}")) {
            let document = document(Service::Imds, &facts());
            let status = part(&document, &path, format.as_deref()).status().as_u16();
            prop_assert!([200, 400, 404].contains(&status));
        }
    }
}
