//! What a storage account may be (arm.md 4.9).

use cs_time::Timestamp;
use serde_json::{Map, Value, json};

use super::keys;
use crate::{ResourceError, input};

/// Said by the product, ignored when sent back.
const READ_ONLY: &[&str] = &[
    "provisioningState",
    "creationTime",
    "primaryEndpoints",
    "secondaryEndpoints",
    "primaryLocation",
    "secondaryLocation",
    "statusOfPrimary",
    "statusOfSecondary",
    "lastGeoFailoverTime",
    "geoReplicationStats",
    "keyCreationTime",
    keys::DELEGATION_KEYS_REVOKED,
    "privateEndpointConnections",
    "blobRestoreStatus",
    "accountMigrationInProgress",
];

const SKUS: &[&str] = &[
    "Standard_LRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_ZRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
];

const KINDS: &[&str] = &["StorageV2", "Storage", "BlobStorage", "BlockBlobStorage", "FileStorage"];

/// `sku` and `kind`. Where the bytes lie is the site's own business; the words are kept for clients.
pub(crate) fn extra(
    old: Option<&Map<String, Value>>,
    given: Map<String, Value>,
) -> Result<Map<String, Value>, ResourceError> {
    let mut all = input::extra(given);
    let kept = |name: &str| old.and_then(|o| o.get(name)).cloned();
    let sku =
        all.get("sku").cloned().or_else(|| kept("sku")).unwrap_or_else(|| json!({"name": "Standard_LRS"}));
    let name = sku.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = SKUS.iter().find(|s| s.eq_ignore_ascii_case(name));
    let name = name.ok_or_else(|| ResourceError::invalid("sku", "is none of the known account types"))?;
    let tier = if name.starts_with("Premium") { "Premium" } else { "Standard" };
    all.insert("sku".to_owned(), json!({"name": name, "tier": tier}));
    let kind = all.get("kind").cloned().or_else(|| kept("kind")).unwrap_or_else(|| json!("StorageV2"));
    let kind = KINDS.iter().find(|k| kind.as_str().is_some_and(|s| k.eq_ignore_ascii_case(s)));
    let kind = kind.ok_or_else(|| ResourceError::invalid("kind", "is none of the known kinds"))?;
    all.insert("kind".to_owned(), json!(kind));
    Ok(all)
}

/// `properties`. What would weaken or change how blobs are served is refused; what the product does not have
/// (anonymous access) is answered as off, whatever was asked.
pub(crate) fn properties(
    old: Option<&Map<String, Value>>,
    given: Map<String, Value>,
    created: Timestamp,
    location: &str,
) -> Result<Map<String, Value>, ResourceError> {
    let mut all = input::without_read_only(given, READ_ONLY);
    all.retain(|_, value| !value.is_null());
    input::refuse_firewall(&all)?;
    if input::flag(&all, "supportsHttpsTrafficOnly")? == Some(false) {
        return Err(ResourceError::invalid(
            "supportsHttpsTrafficOnly",
            "cannot be false: plain HTTP is not served",
        ));
    }
    if input::flag(&all, "isHnsEnabled")? == Some(true) {
        return Err(ResourceError::invalid(
            "isHnsEnabled",
            "cannot be true: hierarchical names are not served",
        ));
    }
    let kept_flag = |name: &str| old.and_then(|o| o.get(name)).and_then(Value::as_bool);
    let shared_key =
        input::flag(&all, "allowSharedKeyAccess")?.or(kept_flag("allowSharedKeyAccess")).unwrap_or(true);
    input::flag(&all, "allowBlobPublicAccess")?;
    let tier = input::text(&all, "accessTier")?.unwrap_or("Hot").to_owned();
    if !["Hot", "Cool", "Cold", "Premium"].contains(&tier.as_str()) {
        return Err(ResourceError::invalid("accessTier", "must be Hot, Cool, Cold or Premium"));
    }
    encryption(&mut all, created)?;
    let kept = |name: &str| old.and_then(|o| o.get(name)).cloned();
    let networks = || json!({"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"});
    if !all.contains_key("networkAcls") {
        all.insert("networkAcls".to_owned(), kept("networkAcls").unwrap_or_else(networks));
    }
    if !all.contains_key("minimumTlsVersion") {
        all.insert(
            "minimumTlsVersion".to_owned(),
            kept("minimumTlsVersion").unwrap_or_else(|| json!("TLS1_2")),
        );
    }
    if let Some(revoked) = kept(keys::DELEGATION_KEYS_REVOKED) {
        all.insert(keys::DELEGATION_KEYS_REVOKED.to_owned(), revoked);
    }
    for (name, value) in [
        ("accessTier", json!(tier)),
        ("supportsHttpsTrafficOnly", json!(true)),
        ("allowBlobPublicAccess", json!(false)),
        ("allowSharedKeyAccess", json!(shared_key)),
        ("provisioningState", json!("Succeeded")),
        ("creationTime", json!(created.iso7())),
        ("keyCreationTime", Value::Object(keys::times(old, created))),
        ("primaryLocation", json!(location)),
        ("statusOfPrimary", json!("available")),
        ("privateEndpointConnections", json!([])),
    ] {
        all.insert(name.to_owned(), value);
    }
    Ok(all)
}

fn encryption(all: &mut Map<String, Value>, created: Timestamp) -> Result<(), ResourceError> {
    let source = all.get("encryption").and_then(|e| e.get("keySource")).and_then(Value::as_str);
    if source.is_some_and(|s| !s.eq_ignore_ascii_case("Microsoft.Storage")) {
        let why = "may only have keys of Microsoft.Storage: customer-managed keys are not served";
        return Err(ResourceError::invalid("encryption", why));
    }
    let blob = json!({"enabled": true, "keyType": "Account", "lastEnabledTime": created.iso7()});
    let mut whole = match all.shift_remove("encryption") {
        Some(Value::Object(given)) => given,
        None => Map::new(),
        Some(_) => return Err(ResourceError::invalid("encryption", "must be an object")),
    };
    let mut services = match whole.shift_remove("services") {
        Some(Value::Object(given)) => given,
        None | Some(Value::Null) => Map::new(),
        Some(_) => {
            return Err(ResourceError::invalid("encryption", "must have 'services' that are an object"));
        }
    };
    services.insert("blob".to_owned(), blob);
    whole.insert("services".to_owned(), Value::Object(services));
    whole.insert("keySource".to_owned(), json!("Microsoft.Storage"));
    all.insert("encryption".to_owned(), Value::Object(whole));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(given: Value) -> Result<Value, ResourceError> {
        properties(None, input::object(&given), Timestamp::default(), "local").map(Value::Object)
    }

    #[test]
    fn shared_keys_are_on_until_switched_off() {
        let made = put(json!({"allowBlobPublicAccess": true, "new": [1]})).unwrap();
        assert_eq!(made["allowSharedKeyAccess"], json!(true));
        let off = put(json!({"allowSharedKeyAccess": false})).unwrap();
        let again = properties(off.as_object(), Map::new(), Timestamp::default(), "local").unwrap();
        assert_eq!(again["allowSharedKeyAccess"], json!(false), "stays off until it is switched on");
        assert_eq!(made["allowBlobPublicAccess"], json!(false));
        let revoked = json!({"userDelegationKeysRevokedTime": "2027-01-01T00:00:00.0000000Z"});
        let again = properties(revoked.as_object(), Map::new(), Timestamp::default(), "local").unwrap();
        assert_eq!(again["userDelegationKeysRevokedTime"], revoked["userDelegationKeysRevokedTime"]);
        let given = put(revoked).unwrap();
        assert_eq!(given.get("userDelegationKeysRevokedTime"), None, "nobody sets or unsets it with a body");
        assert_eq!(made["new"], json!([1]), "what we do not know is kept");
    }

    #[test]
    fn f15_plain_http_and_other_promises_we_do_not_keep() {
        for bad in [
            json!({"supportsHttpsTrafficOnly": false}),
            json!({"isHnsEnabled": true}),
            json!({"encryption": {"keySource": "Microsoft.Keyvault"}}),
            json!({"networkAcls": {"defaultAction": "Deny"}}),
            json!({"accessTier": "Lukewarm"}),
            json!({"allowSharedKeyAccess": "no"}),
        ] {
            assert!(put(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn skus_and_kinds() {
        let made = extra(None, input::object(&json!({"sku": {"name": "premium_lrs"}, "id": "x"}))).unwrap();
        assert_eq!(
            Value::Object(made),
            json!({"sku": {"name": "Premium_LRS", "tier": "Premium"}, "kind": "StorageV2"})
        );
        assert!(extra(None, input::object(&json!({"sku": {"name": "Gold"}}))).is_err());
        assert!(extra(None, input::object(&json!({"kind": 7}))).is_err());
    }
}
