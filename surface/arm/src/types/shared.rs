//! What most types answer alike.

use cs_resources::Resource;
use cs_serve::{Response, json, json_bytes};
use http::StatusCode;

use super::resources::{self, Which};
use crate::{
    answer::{Shown, bare, head},
    call::{Answer, Call},
    failure::Failure,
};

/// Why a list asks for no action at its door.
pub(crate) const LISTED: &str = "shows those the caller may read";

/// A page of the type's resources in a subscription or group.
pub(crate) async fn list(call: &Call) -> Answer {
    let read = format!("{}/read", call.kind.name);
    resources::answer_list(call, Which { kind: Some(call.kind.name), read: &read, whole: true }).await
}

pub(crate) async fn show(call: &Call) -> Answer {
    let found = call.manager().shown(&call.op, call.id_here()?).await?;
    // Whoever waits for something reads it over and over: it is written once.
    let address = &call.address;
    if let Some((_, written)) = found.written.get().filter(|(at, _)| at == address) {
        return Ok(json_bytes(StatusCode::OK, written.clone()));
    }
    let Ok(written) = serde_json::to_vec(&Shown::new(&found.resource, call)) else {
        return Err(Failure::internal("writing a resource"));
    };
    let written = bytes::Bytes::from(written);
    // Those who come by another address have theirs written each time.
    let _ = found.written.set((address.clone(), written.clone()));
    Ok(json_bytes(StatusCode::OK, written))
}

pub(crate) async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

/// Removes the resource with all that is its own: 200, or 204 when there was nothing.
pub(crate) async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete(&call.op, call.allowed()?, &call.id()?).await?;
    if there {
        call.refresh().await?;
    }
    Ok(gone(there))
}

/// What was deleted, or was not there.
pub(crate) fn gone(there: bool) -> Response {
    bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT })
}

/// What was written: 201 when it is new.
pub(crate) fn written(call: &Call, (resource, new): &(Resource, bool)) -> Response {
    let status = if *new { StatusCode::CREATED } else { StatusCode::OK };
    json(status, &Shown::new(resource, call))
}

/// What was written, of types whose clients take no 201.
pub(crate) fn answered(call: &Call, resource: &Resource) -> Response {
    json(StatusCode::OK, &Shown::new(resource, call))
}
