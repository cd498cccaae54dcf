//! Deleted vaults, and which names are free.

use cs_resources::{NameVerdict, Resource, scheduled_purge};
use cs_serve::{Response, json};
use cs_wire_arm::{DeletedVault, DeletedVaultProperties, List, NameAvailability, NameQuestion, tag_map};
use http::StatusCode;
use serde_json::Value;

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door},
    paging,
};

const LIST: &str = "Microsoft.KeyVault/deletedVaults/read";
const READ: &str = "Microsoft.KeyVault/locations/deletedVaults/read";
const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";
const NAMES: &str = "Microsoft.KeyVault/checkNameAvailability/read";
const HSMS: &str = "Microsoft.KeyVault/deletedManagedHsms/read";
const ALL: &str = s!("/providers/Microsoft.KeyVault/deletedVaults");
const ONE: &str = s!("/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}");
const PURGE_ONE: &str = s!("/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}/purge");
const ALL_HSMS: &str = s!("/providers/Microsoft.KeyVault/deletedManagedHSMs");
const CHECK_NAME: &str = s!("/providers/Microsoft.KeyVault/checkNameAvailability");
/// `az keyvault check-name` asks this one by default.
const CHECK_HSM_NAME: &str = s!("/providers/Microsoft.KeyVault/checkMhsmNameAvailability");
const BODY: Body = Body::Json("name, type");

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.KeyVault/deletedVaults",
    about: "Vaults that can be recovered or purged, and which names are free.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL, Body::Nothing, LIST, |c| Box::pin(deleted_list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(deleted_show(c))),
        door("POST", PURGE_ONE, Body::Nothing, PURGE, |c| Box::pin(purge(c))),
        door("GET", ALL_HSMS, Body::Nothing, HSMS, |c| Box::pin(super::no_hsms(c))),
        door("POST", CHECK_NAME, BODY, NAMES, |c| Box::pin(check_name(c))),
        door("POST", CHECK_HSM_NAME, BODY, NAMES, |c| Box::pin(check_name(c))),
    ],
};

async fn deleted_list(call: &Call) -> Answer {
    let part = (paging::after(call)?.unwrap_or_default(), paging::top(call)?);
    let page = call.manager().deleted_vaults(&call.op, call.subscription()?, part).await?;
    let value: Vec<_> = page.rows.iter().map(deleted).collect();
    let next_link = page.next.map(|after| paging::link(call, &after));
    Ok(json(StatusCode::OK, &List { value, next_link, count: None }))
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
