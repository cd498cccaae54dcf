//! Vaults (arm.md 4.8).

pub(crate) mod deleted;
pub(crate) mod secrets;

use cs_resources::{PolicyChange, VAULTS, VaultOptions};
use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;
use serde_json::{Value, json as value};

use super::shared::{answered, gone};
use crate::{
    call::{Answer, Call},
    doors::Type,
    failure::Failure,
};

const POLICIES: &str = "Microsoft.KeyVault/vaults/accessPolicies/write";
const HSMS: &str = "Microsoft.KeyVault/managedHSMs/read";
const POLICIES_OF: &str = g!("/providers/Microsoft.KeyVault/vaults/{name}/accessPolicies/{change}");
const VERSIONS: &[&str] =
    &["2026-05-15", "2026-02-01", "2024-11-01", "2023-07-01", "2022-07-01", "2021-10-01", "2019-09-01"];

pub(crate) static TYPE: Type = Type {
    name: VAULTS,
    about: "Vaults and their access policies.",
    versions: VERSIONS,
    rows: tracked!(
        "Microsoft.KeyVault/vaults",
        Also::Nothing,
        [
            door("PUT", POLICIES_OF, Body::Resource, POLICIES, |c| Box::pin(policies(c))),
            // There are none, but `az keyvault list` and `list-deleted` ask.
            door("GET", s!("/providers/Microsoft.KeyVault/managedHSMs"), Body::Nothing, HSMS, |c| {
                Box::pin(no_hsms(c))
            }),
            door("GET", g!("/providers/Microsoft.KeyVault/managedHSMs"), Body::Nothing, HSMS, |c| {
                Box::pin(no_hsms(c))
            }),
        ]
    ),
};

/// What the api-version and the caller's other rights have to do with it.
fn options(call: &Call) -> Result<VaultOptions, Failure> {
    let modern = call.query.get("api-version").is_some_and(|v| v >= "2026-02-01");
    let may_assign_roles = call.may("Microsoft.Authorization/roleAssignments/write", &call.scope)?;
    Ok(VaultOptions { roles_by_default: modern, may_assign_roles })
}

async fn put(call: &Call) -> Answer {
    let (id, input) = (call.id()?, call.input()?);
    let (vault, _) = call.manager().put_vault(&call.op, call.allowed()?, &id, input, options(call)?).await?;
    Ok(answered(call, &vault))
}

async fn patch(call: &Call) -> Answer {
    let (id, patch) = (call.id()?, call.patch()?);
    let vault = call.manager().patch_vault(&call.op, call.allowed()?, &id, patch, options(call)?).await?;
    Ok(answered(call, &vault))
}

async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete_vault(&call.op, call.allowed()?, &call.id()?).await?;
    Ok(gone(there))
}

async fn policies(call: &Call) -> Answer {
    let change = PolicyChange::parse(call.params.get("change"));
    let change = change
        .ok_or_else(|| Failure::bad_body("The operation must be add, replace or remove.".to_owned()))?;
    let given = call.input()?.properties.shift_remove("accessPolicies").unwrap_or(Value::Null);
    let vault =
        call.manager().change_policies(&call.op, call.allowed()?, &call.id()?, change, &given).await?;
    let reply = value!({
        "id": format!("{}/accessPolicies/", vault.id),
        "type": "Microsoft.KeyVault/vaults/accessPolicies",
        "properties": {"accessPolicies": vault.properties.get("accessPolicies")},
    });
    Ok(json(StatusCode::OK, &reply))
}

async fn no_hsms(_: &Call) -> Answer {
    Ok(json(StatusCode::OK, &List::from(Vec::<()>::new())))
}
