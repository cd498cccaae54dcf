use std::{env, fs, path::PathBuf};

use serde_json::json;

use super::*;

/// Which definitions of which description a type's bodies are of: what is written and what is answered, because clients send
/// back what they were answered.
const TYPES: &[(&str, &str, &[&str])] = &[
    (EVERY_TYPE, "resources", &["GenericResource"]),
    ("Microsoft.Resources/resourceGroups", "resources", &["ResourceGroup"]),
    ("Microsoft.HybridCompute/machines", "machines", &["Machine"]),
    ("Microsoft.HybridCompute/machines/extensions", "machines", &["MachineExtension"]),
    ("Microsoft.ManagedIdentity/userAssignedIdentities", "managedidentity", &["Identity"]),
    (
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "managedidentity",
        &["FederatedIdentityCredential"],
    ),
    ("Microsoft.KeyVault/vaults", "vaults", &["Vault", "VaultCreateOrUpdateParameters"]),
    ("Microsoft.Storage/storageAccounts", "storage", &["StorageAccount", "StorageAccountCreateParameters"]),
    ("Microsoft.Storage/storageAccounts/blobServices", "storage", &["BlobServiceProperties"]),
    ("Microsoft.Storage/storageAccounts/blobServices/containers", "storage", &["BlobContainer"]),
    ("Microsoft.Authorization/locks", "locks", &["ManagementLockObject"]),
];
const HEAD: &str =
    "# Made from conformance/specs: COUNTERSIGN_WRITE_DESCRIBED=1 cargo test -p cs-wire-arm described\n";
/// Answered by the product alone, and not read when it is sent back.
const NOT_READ: &[&str] = &["systemData"];

fn specs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/specs")
}

/// The lines of a schema, depth first.
fn lines(all: &Value, schema: &Value, at: &str, above: &[&str], out: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        if !above.contains(&name) {
            lines(all, &all["definitions"][name], at, &[above, &[name]].concat(), out);
        }
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        lines(all, part, at, above, out);
    }
    let join = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let members = schema["properties"].as_object();
    for (name, member) in members.into_iter().flatten().filter(|(name, _)| !NOT_READ.contains(&name.as_str()))
    {
        lines(all, member, &join(name), above, out);
    }
    let others = &schema["additionalProperties"];
    if others.is_object() {
        lines(all, others, &join("*"), above, out);
    }
    let what = match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => "date",
        (Some("string"), _) => "text",
        (Some("boolean"), _) => "flag",
        (Some("integer"), _) => "whole",
        (Some("number"), _) => "number",
        (Some("array"), _) => return lines(all, &schema["items"], &format!("{at}[]"), above, out),
        (Some("object"), _) if members.is_none() && !others.is_object() && schema["allOf"].is_null() => {
            "object"
        }
        _ if at.ends_with("[]") && members.is_none() => "any",
        _ => return,
    };
    out.push(format!("{at} {what}"));
}

#[test]
fn described_is_what_the_descriptions_say() {
    let mut table = HEAD.to_owned();
    for (kind, file, definitions) in TYPES {
        let text = fs::read_to_string(specs().join(format!("{file}.json"))).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        let mut found = Vec::new();
        for name in *definitions {
            lines(&all, &json!({"$ref": format!("#/definitions/{name}")}), "", &[], &mut found);
        }
        assert!(!found.is_empty(), "{kind}");
        found.sort();
        found.dedup();
        table.push_str(&format!("\n[{kind}]\n{}\n", found.join("\n")));
    }
    if env::var_os("COUNTERSIGN_WRITE_DESCRIBED").is_some() {
        fs::write(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/described.txt"), &table).unwrap();
    }
    assert_eq!(TABLE, table, "made anew by COUNTERSIGN_WRITE_DESCRIBED=1");
}

fn refusal(kind: &str, body: &Value) -> String {
    check(kind, body.as_object().unwrap()).map_or_else(|BadBody(why)| why, |()| String::new())
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    let vault = "Microsoft.KeyVault/vaults";
    for (kind, body, wanted) in [
        ("Microsoft.DBforPostgreSQL/flexibleServers", json!({"sku": []}), "'sku' must be an object"),
        (vault, json!({"kind": 7}), "'kind' must be a string"),
        (vault, json!({"properties": {"networkAcls": "x"}}), "'properties.networkAcls' must be an object"),
        (
            vault,
            json!({"properties": {"networkAcls": {"ipRules": [{"value": "1.2.3.4"}, 7]}}}),
            "'properties.networkAcls.ipRules' must be an object",
        ),
        (vault, json!({"properties": {"softDeleteRetentionInDays": 7.5}}), "must be a whole number"),
        (vault, json!({"properties": {"enabledForDeployment": "true"}}), "must be true or false"),
        (
            "Microsoft.HybridCompute/machines",
            json!({"properties": {"lastStatusChange": "yesterday"}}),
            "'properties.lastStatusChange' must be a date and time",
        ),
        (
            "Microsoft.HybridCompute/machines",
            json!({"properties": {"detectedProperties": {"a": 7}}}),
            "'properties.detectedProperties.a' must be a string",
        ),
    ] {
        let found = refusal(kind, &body);
        assert!(found.contains(wanted), "{body}: {found}");
    }
}

#[test]
fn what_nobody_describes_and_null_are_let_through() {
    for body in [
        json!({}),
        json!({"sku": null, "unknown": [1], "properties": {"unknown": {"sku": 7}}}),
        json!({"properties": {"networkAcls": {"unknown": 7, "ipRules": null}, "accessPolicies": []}}),
    ] {
        assert_eq!(refusal("Microsoft.KeyVault/vaults", &body), "", "{body}");
    }
    for date in [
        "2026-11-26T04:58:56.072852+00:00",
        "2026-11-26T04:58:56Z",
        "2026-11-26T04:58:56.1234567",
        "9999-12-31T23:59:59.9999999Z",
    ] {
        let body = json!({"properties": {"lastStatusChange": date}});
        assert_eq!(refusal("Microsoft.HybridCompute/machines", &body), "", "{date}");
    }
}
