//! What the properties of a vault may be (arm.md 4.8).

use cs_ids::TenantId;
use serde_json::{Map, Value, json};

use super::policies;
use crate::{ResourceError, VaultOptions, input};

/// Said by the product, ignored when sent back; `createMode` is a command and not kept.
const READ_ONLY: &[&str] =
    &["provisioningState", "vaultUri", "hsmPoolResourceId", "privateEndpointConnections", "createMode"];

const RETENTION_DAYS: std::ops::RangeInclusive<i64> = 7..=90;

/// Properties from a PUT (`given` is all there shall be) or, with what is there laid under it, a PATCH.
pub(crate) fn properties(
    old: Option<&Map<String, Value>>,
    given: Map<String, Value>,
    tenant: TenantId,
    options: &VaultOptions,
) -> Result<Map<String, Value>, ResourceError> {
    let mut all = input::without_read_only(given, READ_ONLY);
    all.retain(|_, value| !value.is_null());
    tenant_id(&mut all, tenant)?;
    sku(&mut all)?;
    input::refuse_firewall(&all)?;
    let with_roles = with_roles(old, &all, options)?;
    match all.get("accessPolicies") {
        Some(list) => {
            let tidy = policies::tidy(list, tenant)?;
            all.insert("accessPolicies".to_owned(), tidy);
        }
        None if with_roles => {
            // Kept though ignored while roles decide: switching back brings them back.
            let kept = old.and_then(|o| o.get("accessPolicies").cloned()).unwrap_or_else(|| json!([]));
            all.insert("accessPolicies".to_owned(), kept);
        }
        None => return Err(ResourceError::invalid("accessPolicies", "is required unless roles decide")),
    }
    all.insert("enableRbacAuthorization".to_owned(), json!(with_roles));
    soft_delete(old, &mut all)?;
    purge_protection(old, &mut all)?;
    for name in ["enabledForDeployment", "enabledForDiskEncryption", "enabledForTemplateDeployment"] {
        let value = input::flag(&all, name)?.unwrap_or(false);
        all.insert(name.to_owned(), json!(value));
    }
    all.entry("publicNetworkAccess").or_insert_with(|| json!("Enabled"));
    all.insert("provisioningState".to_owned(), json!("Succeeded"));
    Ok(all)
}

fn tenant_id(all: &mut Map<String, Value>, tenant: TenantId) -> Result<(), ResourceError> {
    let given = input::text(all, "tenantId")?;
    if given.is_some_and(|t| !t.eq_ignore_ascii_case(&tenant.to_string())) {
        return Err(ResourceError::invalid("tenantId", "must be the tenant of the subscription"));
    }
    all.insert("tenantId".to_owned(), json!(tenant.to_string()));
    Ok(())
}

fn sku(all: &mut Map<String, Value>) -> Result<(), ResourceError> {
    let name = match all.get("sku") {
        None => "standard",
        Some(sku) => sku.get("name").and_then(Value::as_str).unwrap_or_default(),
    };
    let name = ["standard", "premium"].into_iter().find(|n| n.eq_ignore_ascii_case(name));
    let name = name.ok_or_else(|| ResourceError::invalid("sku", "must be standard or premium"))?;
    all.insert("sku".to_owned(), json!({"family": "A", "name": name}));
    Ok(())
}

/// Whether roles decide on the data plane. Changing it is as strong as assigning roles, and asks for that right.
fn with_roles(
    old: Option<&Map<String, Value>>,
    all: &Map<String, Value>,
    options: &VaultOptions,
) -> Result<bool, ResourceError> {
    const NAME: &str = "enableRbacAuthorization";
    let was = match old {
        Some(old) => Some(input::flag(old, NAME)?.unwrap_or(false)),
        None => None,
    };
    let wanted = input::flag(all, NAME)?.or(was).unwrap_or(options.roles_by_default);
    if was.is_some_and(|was| was != wanted) && options.may_assign_roles.is_none() {
        return Err(ResourceError::SwitchNeedsRoleWrite);
    }
    Ok(wanted)
}

fn soft_delete(old: Option<&Map<String, Value>>, all: &mut Map<String, Value>) -> Result<(), ResourceError> {
    if input::flag(all, "enableSoftDelete")? == Some(false) {
        return Err(ResourceError::invalid("enableSoftDelete", "cannot be switched off"));
    }
    const NAME: &str = "softDeleteRetentionInDays";
    let was = old.and_then(|o| o.get(NAME)).and_then(Value::as_i64);
    let days = match all.get(NAME) {
        None => was.unwrap_or(*RETENTION_DAYS.end()),
        Some(value) => value
            .as_i64()
            .filter(|d| RETENTION_DAYS.contains(d))
            .ok_or_else(|| ResourceError::invalid(NAME, "must be a number of days from 7 to 90"))?,
    };
    if was.is_some_and(|was| was != days) {
        return Err(ResourceError::invalid(NAME, "is fixed when the vault is created"));
    }
    all.insert("enableSoftDelete".to_owned(), json!(true));
    all.insert(NAME.to_owned(), json!(days));
    Ok(())
}

fn purge_protection(
    old: Option<&Map<String, Value>>,
    all: &mut Map<String, Value>,
) -> Result<(), ResourceError> {
    const NAME: &str = "enablePurgeProtection";
    let was = old.and_then(|o| o.get(NAME)) == Some(&json!(true));
    match input::flag(all, NAME)? {
        Some(false) => {
            Err(ResourceError::invalid(NAME, "cannot be set to false: enabling it is an irreversible action"))
        }
        None if was => {
            all.insert(NAME.to_owned(), json!(true));
            Ok(())
        }
        Some(true) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use cs_ids::Scope;
    use cs_rbac::Allowed;

    use super::*;

    fn put(old: Option<&Value>, given: Value, options: &VaultOptions) -> Result<Value, String> {
        let tenant = "11111111-2222-3333-4444-555555555555".parse().unwrap();
        properties(old.and_then(Value::as_object), input::object(&given), tenant, options)
            .map(Value::Object)
            .map_err(|e| e.to_string())
    }

    fn modern() -> VaultOptions {
        VaultOptions { roles_by_default: true, may_assign_roles: None }
    }

    #[test]
    fn defaults_follow_the_api_version() {
        let new = put(None, json!({}), &modern()).unwrap();
        assert_eq!(new["enableRbacAuthorization"], json!(true));
        assert_eq!((&new["softDeleteRetentionInDays"], &new["enableSoftDelete"]), (&json!(90), &json!(true)));
        let old = VaultOptions::default();
        assert!(put(None, json!({}), &old).unwrap_err().contains("accessPolicies"));
        let kept = put(Some(&new), json!({}), &old).unwrap();
        assert_eq!(kept["enableRbacAuthorization"], json!(true), "a missing value keeps what is there");
    }

    #[test]
    fn switching_roles_asks_for_the_right_to_assign_them() {
        let old = put(None, json!({"enableRbacAuthorization": true}), &modern()).unwrap();
        let switch = json!({"enableRbacAuthorization": false, "accessPolicies": []});
        assert!(put(Some(&old), switch.clone(), &modern()).unwrap_err().contains("assign roles"));
        let proof = Allowed::by_the_site("test", Scope::root());
        let owner = VaultOptions { may_assign_roles: Some(proof), ..modern() };
        assert_eq!(put(Some(&old), switch, &owner).unwrap()["enableRbacAuthorization"], json!(false));
    }

    #[test]
    fn e03_what_protects_a_vault_is_not_taken_back() {
        let old = json!({"enableRbacAuthorization": true, "enablePurgeProtection": true, "softDeleteRetentionInDays": 7});
        for bad in [
            json!({"enablePurgeProtection": false}),
            json!({"enableSoftDelete": false}),
            json!({"softDeleteRetentionInDays": 8}),
            json!({"softDeleteRetentionInDays": 6}),
            json!({"softDeleteRetentionInDays": "7"}),
            json!({"tenantId": "11111111-2222-3333-4444-555555555556"}),
            json!({"sku": {"name": "gold"}}),
            json!({"networkAcls": {"defaultAction": "Deny"}}),
        ] {
            assert!(put(Some(&old), bad.clone(), &modern()).is_err(), "{bad}");
        }
        let kept = put(Some(&old), json!({"x": {"y": 1}}), &modern()).unwrap();
        assert_eq!(kept["enablePurgeProtection"], json!(true));
        assert_eq!(kept["x"], json!({"y": 1}), "what we do not know is kept");
    }
}
