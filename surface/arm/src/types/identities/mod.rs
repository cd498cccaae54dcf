//! User-assigned identities, and the identity a machine came with (arm.md 4.7).

pub(crate) mod federated;

use cs_resources::{IDENTITIES, MACHINES, ResourceError};
use cs_serve::json;
use http::{HeaderValue, StatusCode, header};
use serde_json::json as value;

use super::shared::{answered, delete, written};
use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door},
};

const OWN_READ: &str = "Microsoft.ManagedIdentity/identities/read";
const OWN: &str = at!("/providers/Microsoft.ManagedIdentity/identities/default");
const VERSIONS: &[&str] =
    &["2025-05-31-preview", "2025-01-31-preview", "2024-11-30", "2023-01-31", "2018-11-30"];

pub(crate) static TYPE: Type = Type {
    name: IDENTITIES,
    about: "User-assigned identities.",
    versions: VERSIONS,
    rows: tracked!("Microsoft.ManagedIdentity/userAssignedIdentities", Also::Nothing, []),
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
