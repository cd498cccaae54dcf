//! Secrets of a vault through the resource manager, as templates make them (arm.md 4.8). Nobody reads a value here: that
//! is the vault's own door, with the rights over data.

use std::sync::Arc;

use cs_ids::{ResourceId, SecretName};
use cs_resources::{ResourceError, When};
use cs_serve::{Response, json};
use cs_vault::{NewSecret, OpenVault, SecretChange, SecretRow, VaultError};
use cs_wire_arm::{List, tag_map};
use http::StatusCode;
use serde_json::{Map, Value, json as value};
use zeroize::Zeroizing;

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::{Failure, shown},
};

const KIND: &str = "Microsoft.KeyVault/vaults/secrets";
const READ: &str = "Microsoft.KeyVault/vaults/secrets/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/secrets/write";
const ALL: &str = g!("/providers/Microsoft.KeyVault/vaults/{name}/secrets");
const ONE: &str = g!("/providers/Microsoft.KeyVault/vaults/{name}/secrets/{secret}");
/// Secrets of a page, unless fewer are asked for.
const PAGE_MAX: u32 = 100;

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Secrets of a vault without their values; a PUT makes a version, a PATCH changes the newest.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
    ],
};

/// The vault in the path.
async fn vault(call: &Call) -> Result<Arc<OpenVault>, Failure> {
    let (sub, group) = (call.subscription()?, call.params.get("group"));
    let name = call.params.get("name");
    let id = ResourceId::of_resource(sub, group, "Microsoft.KeyVault", "vaults", name);
    let resource = call.manager().existing(&call.op, &id).await?;
    let found = call.parts.vaults.open(&name.to_ascii_lowercase()).await.map_err(refused)?;
    let found = found.filter(|v| v.tenant == call.op.caller.tenant && v.id == resource.id);
    found.ok_or_else(Failure::busy)
}

fn name(call: &Call) -> Result<&str, Failure> {
    let name = call.params.get("secret");
    name.parse::<SecretName>().map_err(ResourceError::from)?;
    Ok(name)
}

fn refused(error: VaultError) -> Failure {
    match error {
        VaultError::NoSuchSecret(name) => Failure::new(
            StatusCode::NOT_FOUND,
            "SecretNotFound",
            format!("A secret with (name/id) {} was not found in this key vault.", shown(&name)),
        ),
        VaultError::Deleted(name) => Failure::new(
            StatusCode::CONFLICT,
            "Conflict",
            format!(
                "Secret {} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.",
                shown(&name)
            ),
        ),
        VaultError::Invalid(why) => Failure::bad_body(why),
        // Said only to who asked for nothing to be there.
        VaultError::Exists(_) => ResourceError::Precondition.into(),
        other => {
            tracing::error!(%other, "secrets could not be read or written");
            Failure::busy()
        }
    }
}

async fn list(call: &Call) -> Answer {
    let vault = vault(call).await?;
    let bad = || Failure::bad_top(call.query.get("$top").unwrap_or_default());
    let size = match call.query.get("$top") {
        None => PAGE_MAX,
        Some(n) => n.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(bad)?.min(PAGE_MAX),
    };
    let after = crate::paging::after(call)?.unwrap_or_default();
    let found = call.parts.vaults.list(call.allowed()?, &vault, &after, size + 1).await;
    let mut found = found.map_err(refused)?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let last = found.last().filter(|_| more);
    let next_link = last.map(|row| crate::paging::link(call, &row.name.to_ascii_lowercase()));
    let value: Vec<Value> = found.iter().map(|row| described(call, &vault, row)).collect();
    Ok(json(StatusCode::OK, &List { value, next_link, count: None }))
}

async fn show(call: &Call) -> Answer {
    let (vault, name) = (vault(call).await?, name(call)?);
    let row = call.parts.vaults.newest(call.allowed()?, &vault, name).await.map_err(refused)?;
    let row = row.ok_or_else(|| refused(VaultError::NoSuchSecret(name.to_owned())))?;
    Ok(answer(call, StatusCode::OK, &vault, &row))
}

/// A new version; 201 where there was none.
async fn put(call: &Call) -> Answer {
    let (vault, name) = (vault(call).await?, name(call)?);
    let new = new_secret(call, name)?;
    if call.when == When::Absent {
        // The store decides it in the transaction that writes: of two who ask so, one makes the secret.
        let made = call.parts.vaults.create(&call.op, call.allowed()?, &vault, new).await.map_err(refused)?;
        return Ok(answer(call, StatusCode::CREATED, &vault, &made.row));
    }
    let there = call.parts.vaults.newest(call.allowed()?, &vault, name).await.map_err(refused)?.is_some();
    call.when.check(there)?;
    let made = call.parts.vaults.set(&call.op, call.allowed()?, &vault, new).await.map_err(refused)?;
    let status = if there { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer(call, status, &vault, &made.row))
}

/// What is given of the newest version is changed; a value makes a new one, which keeps the rest.
async fn patch(call: &Call) -> Answer {
    let (vault, name) = (vault(call).await?, name(call)?);
    let given = Given::read(call)?;
    let (op, allowed, vaults) = (&call.op, call.allowed()?, &call.parts.vaults);
    let there = vaults.newest(allowed, &vault, name).await.map_err(refused)?.is_some();
    call.when.check(there)?;
    let change = SecretChange {
        content_type: given.content_type,
        tags: given.tags,
        enabled: given.enabled,
        not_before: given.not_before,
        expires: given.expires,
    };
    // What is kept is read where it is written: a change by another in between is not lost.
    let row = match given.value {
        None => vaults.update(op, allowed, &vault, name, None, change).await.map(|secret| secret.row),
        Some(value) => vaults.replace_value(op, allowed, &vault, (name, &value), change).await,
    };
    let row = row.map_err(refused)?;
    Ok(answer(call, StatusCode::OK, &vault, &row))
}

fn new_secret(call: &Call, name: &str) -> Result<NewSecret, Failure> {
    let given = Given::read(call)?;
    let none = || bad("value' must be a string: a secret is made of it, and it is told nobody here");
    Ok(NewSecret {
        name: name.to_owned(),
        value: given.value.ok_or_else(none)?,
        content_type: given.content_type,
        tags: given.tags.unwrap_or_default(),
        enabled: given.enabled.unwrap_or(true),
        not_before: given.not_before,
        expires: given.expires,
    })
}

/// What a body says of a secret.
struct Given {
    value: Option<Zeroizing<String>>,
    content_type: Option<String>,
    tags: Option<Vec<(String, String)>>,
    enabled: Option<bool>,
    not_before: Option<i64>,
    expires: Option<i64>,
}

impl Given {
    fn read(call: &Call) -> Result<Self, Failure> {
        let input = call.input()?;
        let mut properties = input.properties;
        let mut text = |name: &str| match properties.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad(&format!("{name}' must be a string"))),
        };
        let value = text("value")?.map(Zeroizing::new);
        let content_type = text("contentType")?;
        let attributes = match properties.shift_remove("attributes") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(all)) => all,
            Some(_) => return Err(bad("attributes' must be an object")),
        };
        let given = |name: &str| attributes.get(name).filter(|value| !value.is_null());
        let time = |name: &str| match given(name).map(|value| value.as_i64().filter(|t| *t >= 0)) {
            Some(None) => Err(bad("attributes' must hold times as whole seconds since 1970")),
            known => Ok(known.flatten()),
        };
        let flag = |value: &Value| {
            value.as_bool().ok_or_else(|| bad("attributes' must hold true or false as 'enabled'"))
        };
        let enabled = given("enabled").map(flag).transpose()?;
        let (not_before, expires) = (time("nbf")?, time("exp")?);
        Ok(Self { value, content_type, tags: input.tags, enabled, not_before, expires })
    }
}

fn bad(what: &str) -> Failure {
    Failure::bad_body(format!("The property '{what}."))
}

fn answer(call: &Call, status: StatusCode, vault: &OpenVault, row: &SecretRow) -> Response {
    json(status, &described(call, vault, row))
}

/// All but the value.
fn described(call: &Call, vault: &OpenVault, row: &SecretRow) -> Value {
    let uri = format!("{}/secrets/{}", call.address.vault(vault.id.name()), row.name);
    let mut attributes = Map::new();
    attributes.insert("enabled".to_owned(), value!(row.enabled));
    let times = [("nbf", row.not_before), ("exp", row.expires)];
    attributes.extend(times.iter().filter_map(|(name, time)| Some(((*name).to_owned(), value!((*time)?)))));
    attributes.insert("created".to_owned(), value!(row.created.seconds()));
    attributes.insert("updated".to_owned(), value!(row.updated.seconds()));
    let mut properties = Map::new();
    properties.insert("attributes".to_owned(), Value::Object(attributes));
    properties.extend(row.content_type.iter().map(|text| ("contentType".to_owned(), value!(text))));
    properties.insert("secretUri".to_owned(), value!(uri));
    properties.insert("secretUriWithVersion".to_owned(), value!(format!("{uri}/{}", row.version)));
    value!({
        "id": format!("{}/secrets/{}", vault.id, row.name),
        "name": row.name,
        "type": KIND,
        "location": vault.location,
        "tags": tag_map(&row.tags),
        "properties": properties,
    })
}
