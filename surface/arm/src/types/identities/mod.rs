//! User-assigned identities, and the identity a machine came with (arm.md 4.7).

pub(crate) mod federated;

use cs_resources::{IDENTITIES, MACHINES, ResourceError};
use cs_serve::json;
use http::{HeaderValue, StatusCode, header};
use serde_json::json as value;

use super::shared::{LISTED, answered, delete, exists, list, show, written};
use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
};

const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/delete";
const OWN_READ: &str = "Microsoft.ManagedIdentity/identities/read";
const IN_SUBSCRIPTION: &str = s!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities");
const IN_GROUP: &str = g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities");
const ONE: &str = g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
const OWN: &str = at!("/providers/Microsoft.ManagedIdentity/identities/default");
const VERSIONS: &[&str] =
    &["2025-05-31-preview", "2025-01-31-preview", "2024-11-30", "2023-01-31", "2018-11-30"];

pub(crate) static TYPE: Type = Type {
    name: IDENTITIES,
    about: "User-assigned identities.",
    versions: VERSIONS,
    rows: &[
        open_door("GET", IN_SUBSCRIPTION, Body::Nothing, LISTED, |c| Box::pin(list(c))),
        open_door("GET", IN_GROUP, Body::Nothing, LISTED, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("HEAD", ONE, Body::Nothing, READ, |c| Box::pin(exists(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
    ],
};

pub(crate) static OF_RESOURCES: Type = Type {
    name: "Microsoft.ManagedIdentity/identities",
    about: "The identity a machine came with.",
    versions: VERSIONS,
    rows: &[door("GET", OWN, Body::Nothing, OWN_READ, |c| Box::pin(of_resource(c)))],
};

async fn put(call: &Call) -> Answer {
    let (identity, new) =
        call.manager().put_identity(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    if new {
        call.refresh().await?;
    }
    let location = HeaderValue::from_str(identity.id.as_str());
    let mut response = written(call, &(identity, new));
    if let (Ok(location), true) = (location, new) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn patch(call: &Call) -> Answer {
    let identity =
        call.manager().patch_identity(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &identity))
}

/// The identity a machine came with.
async fn of_resource(call: &Call) -> Answer {
    let id = call.id()?;
    let machine = call.manager().existing(&call.op, &id).await?;
    let of = |name: &str| machine.extra.get("identity").and_then(|i| i.get(name)).cloned();
    let (Some(principal), true) = (of("principalId"), machine.kind.eq_ignore_ascii_case(MACHINES)) else {
        return Err(ResourceError::NoResource(Box::new(id)).into());
    };
    let reply = value!({
        "id": format!("{}/providers/Microsoft.ManagedIdentity/identities/default", machine.id),
        "name": "default",
        "type": "Microsoft.ManagedIdentity/identities",
        "location": machine.location,
        "tags": {},
        "properties": {"tenantId": of("tenantId"), "principalId": principal, "clientId": of("clientId")},
    });
    Ok(json(StatusCode::OK, &reply))
}
