//! Vaults (arm.md 4.8).

use cs_resources::{NameVerdict, PolicyChange, Resource, VAULTS, VaultOptions, scheduled_purge};
use cs_serve::{Door, Response, json};
use cs_wire_arm::{
    DeletedVault, DeletedVaultProperties, List, NameAvailability, NameQuestion, ResourceBody, tag_map,
};
use http::StatusCode;
use serde_json::{Value, json as value};

use super::resources;
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Op, door, open_door},
    failure::Failure,
};

const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/write";
const ONE: &str = g!("/providers/Microsoft.KeyVault/vaults/{name}");
const DELETED: &str = s!("/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}");
const LISTED: &str = "shows those the caller may read";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", s!("/providers/Microsoft.KeyVault/vaults"), LISTED, |c| Box::pin(list(c))),
    open_door("GET", g!("/providers/Microsoft.KeyVault/vaults"), LISTED, |c| Box::pin(list(c))),
    door("GET", ONE, READ, |c| Box::pin(show(c))),
    door("HEAD", ONE, READ, |c| Box::pin(exists(c))),
    door("PUT", ONE, WRITE, |c| Box::pin(put(c))),
    door("PATCH", ONE, WRITE, |c| Box::pin(patch(c))),
    door("DELETE", ONE, "Microsoft.KeyVault/vaults/delete", |c| Box::pin(delete(c))),
    door(
        "PUT",
        g!("/providers/Microsoft.KeyVault/vaults/{name}/accessPolicies/{change}"),
        "Microsoft.KeyVault/vaults/accessPolicies/write",
        |c| Box::pin(policies(c)),
    ),
    door(
        "GET",
        s!("/providers/Microsoft.KeyVault/deletedVaults"),
        "Microsoft.KeyVault/deletedVaults/read",
        |c| Box::pin(deleted_list(c)),
    ),
    door("GET", DELETED, "Microsoft.KeyVault/locations/deletedVaults/read", |c| Box::pin(deleted_show(c))),
    door(
        "POST",
        s!("/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}/purge"),
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
        |c| Box::pin(purge(c)),
    ),
    door(
        "POST",
        s!("/providers/Microsoft.KeyVault/checkNameAvailability"),
        "Microsoft.KeyVault/checkNameAvailability/read",
        |c| Box::pin(check_name(c)),
    ),
    // `az keyvault check-name` asks this one by default, the lists of vaults the others.
    door(
        "POST",
        s!("/providers/Microsoft.KeyVault/checkMhsmNameAvailability"),
        "Microsoft.KeyVault/checkNameAvailability/read",
        |c| Box::pin(check_name(c)),
    ),
    door(
        "GET",
        s!("/providers/Microsoft.KeyVault/managedHSMs"),
        "Microsoft.KeyVault/managedHSMs/read",
        |c| Box::pin(no_hsms(c)),
    ),
    door(
        "GET",
        g!("/providers/Microsoft.KeyVault/managedHSMs"),
        "Microsoft.KeyVault/managedHSMs/read",
        |c| Box::pin(no_hsms(c)),
    ),
    door(
        "GET",
        s!("/providers/Microsoft.KeyVault/deletedManagedHSMs"),
        "Microsoft.KeyVault/deletedManagedHsms/read",
        |c| Box::pin(no_hsms(c)),
    ),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(VAULTS), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let vault = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&vault, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

/// What the api-version and the caller's other rights have to do with it.
fn options(call: &Call) -> Result<VaultOptions, Failure> {
    let modern = call.query.get("api-version").is_some_and(|v| v >= "2026-02-01");
    let may_assign_roles = call.may("Microsoft.Authorization/roleAssignments/write", &call.scope)?;
    Ok(VaultOptions { roles_by_default: modern, may_assign_roles })
}

async fn put(call: &Call) -> Answer {
    let (id, input) = (call.id()?, call.input()?);
    let (vault, _) = call.manager().put_vault(&call.op, call.allowed()?, &id, input, options(call)?).await?;
    Ok(json(StatusCode::OK, &whole(&vault, &call.address)))
}

async fn patch(call: &Call) -> Answer {
    let (id, patch) = (call.id()?, call.patch()?);
    let vault = call.manager().patch_vault(&call.op, call.allowed()?, &id, patch, options(call)?).await?;
    Ok(json(StatusCode::OK, &whole(&vault, &call.address)))
}

async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete_vault(&call.op, call.allowed()?, &call.id()?).await?;
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

async fn policies(call: &Call) -> Answer {
    let change = PolicyChange::parse(call.params.get("change"));
    let change = change
        .ok_or_else(|| Failure::bad_body("The operation must be add, replace or remove.".to_owned()))?;
    let body = ResourceBody::parse(&call.body)?;
    let given = body.properties.unwrap_or_default().shift_remove("accessPolicies").unwrap_or(Value::Null);
    let vault =
        call.manager().change_policies(&call.op, call.allowed()?, &call.id()?, change, &given).await?;
    let reply = value!({
        "id": format!("{}/accessPolicies/", vault.id),
        "type": "Microsoft.KeyVault/vaults/accessPolicies",
        "properties": {"accessPolicies": vault.properties.get("accessPolicies")},
    });
    Ok(json(StatusCode::OK, &reply))
}

async fn deleted_list(call: &Call) -> Answer {
    let all = call.manager().deleted_vaults(&call.op, call.subscription()?).await?;
    Ok(json(StatusCode::OK, &List::from(all.iter().map(deleted).collect::<Vec<_>>())))
}

async fn deleted_show(call: &Call) -> Answer {
    let (location, name) = (call.params.get("location"), call.params.get("vault"));
    let vault = call.manager().deleted_vault(&call.op, call.subscription()?, location, name).await?;
    Ok(json(StatusCode::OK, &deleted(&vault)))
}

async fn purge(call: &Call) -> Answer {
    let (location, name) = (call.params.get("location"), call.params.get("vault"));
    call.manager().purge_vault(&call.op, call.allowed()?, call.subscription()?, location, name).await?;
    call.refresh().await?;
    Ok(bare(StatusCode::OK))
}

fn deleted(vault: &Resource) -> DeletedVault {
    let subscription = vault.id.subscription();
    let name = vault.id.name();
    DeletedVault {
        id: format!(
            "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{name}",
            vault.location
        ),
        name: name.to_owned(),
        kind: "Microsoft.KeyVault/deletedVaults",
        properties: DeletedVaultProperties {
            vault_id: vault.id.to_string(),
            location: vault.location.clone(),
            tags: tag_map(&vault.tags),
            deletion_date: vault.deleted.unwrap_or_default().rfc3339(),
            scheduled_purge_date: scheduled_purge(vault).unwrap_or_default().rfc3339(),
            purge_protection_enabled: vault.properties.get("enablePurgeProtection").and_then(Value::as_bool),
        },
    }
}

async fn check_name(call: &Call) -> Answer {
    let question: NameQuestion = call.json()?;
    Ok(availability(call.manager().vault_name(&question.name).await?, "The vault name is already in use."))
}

pub(crate) fn availability(verdict: NameVerdict, taken: &str) -> Response {
    let reply = match verdict {
        NameVerdict::Free => NameAvailability { name_available: true, reason: None, message: None },
        NameVerdict::Invalid(why) => NameAvailability {
            name_available: false,
            reason: Some("AccountNameInvalid"),
            message: Some(format!("{why}.")),
        },
        NameVerdict::Taken => NameAvailability {
            name_available: false,
            reason: Some("AlreadyExists"),
            message: Some(taken.to_owned()),
        },
    };
    json(StatusCode::OK, &reply)
}

async fn no_hsms(_: &Call) -> Answer {
    Ok(json(StatusCode::OK, &List::from(Vec::<()>::new())))
}
