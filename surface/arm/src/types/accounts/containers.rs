//! Containers of a storage account, and the settings of its blob service, through the resource manager (arm.md 4.9).

use std::sync::Arc;

use cs_blob::{Account, BlobError, Conditions, ContainerRow, Lease, LeaseState};
use cs_ids::{ContainerName, ResourceId};
use cs_resources::{Resource, ResourceError};
use cs_serve::{Response, json};
use cs_time::Timestamp;
use cs_wire_arm::List;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json as value};

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::Failure,
};

const KIND: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";
const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
const WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/write";
const DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/delete";
const SERVICE_WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/write";
const ALL_SERVICES: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/blobServices");
const SERVICE: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/blobServices/default");
const SERVICE_READ: &str = "Microsoft.Storage/storageAccounts/blobServices/read";
const LIST: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/blobServices/default/containers");
const ONE: &str =
    g!("/providers/Microsoft.Storage/storageAccounts/{name}/blobServices/default/containers/{container}");
/// Containers of a page: unless told otherwise, and at most.
const PAGE_MAX: u32 = 5000;

pub(crate) static SERVICES: Type = Type {
    name: "Microsoft.Storage/storageAccounts/blobServices",
    about: "The blob service of an account.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL_SERVICES, Body::Nothing, SERVICE_READ, |c| Box::pin(services(c))),
        door("GET", SERVICE, Body::Nothing, SERVICE_READ, |c| Box::pin(service(c))),
        door("PUT", SERVICE, Body::Resource, SERVICE_WRITE, |c| Box::pin(put_service(c))),
    ],
};

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Containers of an account.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", LIST, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
    ],
};

/// The account in the path: its resource, and its blobs.
pub(super) async fn account(call: &Call) -> Result<(Resource, Arc<Account>), Failure> {
    let (sub, group) = (call.subscription()?, call.params.get("group"));
    let name = call.params.get("name").to_ascii_lowercase();
    let id = ResourceId::of_resource(sub, group, "Microsoft.Storage", "storageAccounts", &name);
    let resource = call.manager().existing(&call.op, &id).await?;
    let found = call.parts.blobs.account(&name).await.map_err(refused)?;
    let found = found.filter(|a| a.tenant == call.op.caller.tenant && a.id == resource.id);
    Ok((resource, found.ok_or_else(Failure::busy)?))
}

fn name(call: &Call) -> Result<&str, Failure> {
    let name = call.params.get("container");
    name.parse::<ContainerName>().map_err(ResourceError::from)?;
    Ok(name)
}

/// What containers can be refused for; everything else is the store's.
fn refused(error: BlobError) -> Failure {
    match error {
        BlobError::NoSuchContainer => Failure::new(
            StatusCode::NOT_FOUND,
            "ContainerNotFound",
            "The specified container does not exist.",
        ),
        BlobError::ContainerExists | BlobError::ConditionNotMet => Failure::precondition(),
        BlobError::Leased(_) => Failure::new(
            StatusCode::CONFLICT,
            "LeaseIdMissing",
            "There is currently a lease on the container: release or break it first.",
        ),
        other => {
            tracing::error!(%other, "containers could not be read or written");
            Failure::busy()
        }
    }
}

async fn list(call: &Call) -> Answer {
    let (resource, account) = account(call).await?;
    let bad = || Failure::bad_filter(call.query.get("$maxpagesize").unwrap_or_default());
    let size = match call.query.get("$maxpagesize") {
        None => PAGE_MAX,
        Some(n) => n.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n)).ok_or_else(bad)?,
    };
    let from = crate::paging::after(call)?.unwrap_or_default();
    let prefix = call.query.get("$filter").unwrap_or_default();
    let found = call.parts.blobs.containers(call.allowed()?, &account, prefix, &from, size + 1).await;
    let mut found = found.map_err(refused)?;
    // The one too many is where the next page begins.
    let next = (found.len() > size as usize).then(|| found.pop()).flatten();
    let rows: Vec<Value> = found.iter().map(|row| shown(call, &resource, row)).collect();
    let next_link = next.map(|row| crate::paging::link(call, &row.name));
    Ok(json(StatusCode::OK, &List { value: rows, next_link, count: None }))
}

async fn show(call: &Call) -> Answer {
    let (resource, account) = account(call).await?;
    let row = call.parts.blobs.container(&account, name(call)?).await.map_err(refused)?;
    Ok(answer(call, StatusCode::OK, &resource, &row))
}

/// 201 when it is new; one that is there gets the metadata given.
async fn put(call: &Call) -> Answer {
    let (resource, account) = account(call).await?;
    let (name, metadata) = (name(call)?, metadata(call)?);
    let (allowed, blobs) = (call.allowed()?, &call.parts.blobs);
    let new = metadata.clone().unwrap_or_default();
    match blobs.create_container(&call.op, allowed, &account, name, new).await {
        Ok(row) => Ok(answer(call, StatusCode::CREATED, &resource, &row)),
        Err(BlobError::ContainerExists) => change(call, metadata).await,
        Err(other) => Err(refused(other)),
    }
}

async fn patch(call: &Call) -> Answer {
    let metadata = metadata(call)?;
    change(call, metadata).await
}

async fn change(call: &Call, metadata: Option<Vec<(String, String)>>) -> Answer {
    let (resource, account) = account(call).await?;
    let (name, blobs) = (name(call)?, &call.parts.blobs);
    let row = match metadata {
        None => blobs.container(&account, name).await,
        Some(new) => {
            let any = Conditions::default();
            blobs.set_container_metadata(&call.op, call.allowed()?, &account, name, new, &any).await
        }
    };
    Ok(answer(call, StatusCode::OK, &resource, &row.map_err(refused)?))
}

async fn delete(call: &Call) -> Answer {
    let (_, account) = account(call).await?;
    let gone = call
        .parts
        .blobs
        .remove_container(&call.op, call.allowed()?, &account, name(call)?, &Conditions::default())
        .await;
    match gone {
        Ok(()) => Ok(bare(StatusCode::OK)),
        Err(BlobError::NoSuchContainer) => Ok(bare(StatusCode::NO_CONTENT)),
        Err(other) => Err(refused(other)),
    }
}

/// The metadata a body asks for. Anonymous access does not exist here.
fn metadata(call: &Call) -> Result<Option<Vec<(String, String)>>, Failure> {
    let properties = call.input()?.properties;
    let access = properties.get("publicAccess").and_then(Value::as_str).unwrap_or("None");
    if !access.eq_ignore_ascii_case("None") {
        let message = "Public access is not permitted on this storage account.";
        return Err(Failure::new(StatusCode::CONFLICT, "PublicAccessNotPermitted", message));
    }
    let bad = || Failure::bad_body("The property 'metadata' must be an object of strings.".to_owned());
    let map = match properties.get("metadata") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(bad()),
    };
    let fits = |n: &str| {
        let mut bytes = n.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let one = |(name, text): (&String, &Value)| {
        let text =
            text.as_str().filter(|t| fits(name) && t.len() <= 8192 && t.is_ascii() && !t.contains('\n'));
        text.map(|text| (name.clone(), text.to_owned())).ok_or_else(bad)
    };
    map.iter().map(one).collect::<Result<_, _>>().map(Some)
}

fn answer(call: &Call, status: StatusCode, account: &Resource, row: &ContainerRow) -> Response {
    let mut response = json(status, &shown(call, account, row));
    if let Ok(etag) = HeaderValue::from_str(&row.etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// Status and state of a lease, as the resource manager writes them.
fn lease_words(lease: Option<&Lease>, now: Timestamp) -> (&'static str, &'static str) {
    match lease.map(|lease| lease.state(now)) {
        None => ("Unlocked", "Available"),
        Some(LeaseState::Leased) => ("Locked", "Leased"),
        Some(LeaseState::Breaking) => ("Locked", "Breaking"),
        Some(LeaseState::Expired) => ("Unlocked", "Expired"),
        Some(LeaseState::Broken) => ("Unlocked", "Broken"),
    }
}

fn shown(call: &Call, account: &Resource, row: &ContainerRow) -> Value {
    let (status, state) = lease_words(row.lease.as_ref(), call.op.started);
    let metadata: Map<String, Value> = row.metadata.iter().map(|(n, v)| (n.clone(), value!(v))).collect();
    value!({
        "id": format!("{}/blobServices/default/containers/{}", account.id, row.name),
        "name": row.name,
        "type": KIND,
        "etag": row.etag,
        "properties": {
            "deleted": false,
            "remainingRetentionDays": 0,
            "defaultEncryptionScope": "$account-encryption-key",
            "denyEncryptionScopeOverride": false,
            "publicAccess": "None",
            "leaseStatus": status,
            "leaseState": state,
            "lastModifiedTime": row.modified.iso7(),
            "hasImmutabilityPolicy": false,
            "hasLegalHold": false,
            "metadata": metadata,
        },
    })
}

fn blob_service(account: &Resource) -> Value {
    value!({
        "sku": account.extra.get("sku"),
        "id": format!("{}/blobServices/default", account.id),
        "name": "default",
        "type": "Microsoft.Storage/storageAccounts/blobServices",
        "properties": {
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"enabled": false, "allowPermanentDelete": false},
            "containerDeleteRetentionPolicy": {"enabled": false},
            "isVersioningEnabled": false,
        },
    })
}

async fn services(call: &Call) -> Answer {
    let (account, _) = account(call).await?;
    Ok(json(StatusCode::OK, &List::from(vec![blob_service(&account)])))
}

async fn service(call: &Call) -> Answer {
    let (account, _) = account(call).await?;
    Ok(json(StatusCode::OK, &blob_service(&account)))
}

/// What is sent back as it was read changes nothing; anything else asks for what the blob service here does not do.
async fn put_service(call: &Call) -> Answer {
    let (account, _) = account(call).await?;
    let known = blob_service(&account);
    for (name, value) in call.input()?.properties {
        if !value.is_null() && value != known["properties"][&name] && !is_off(&value) {
            let message = format!(
                "The property '{}' of the blob service cannot be changed on this site.",
                crate::failure::shown(&name)
            );
            return Err(Failure::bad_body(message));
        }
    }
    Ok(json(StatusCode::OK, &known))
}

/// A switch that is off, or an object in which everything is.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.values().all(is_off),
        _ => false,
    }
}
