//! Extensions of machines (arm.md 4.6).

use cs_resources::EXTENSIONS;
use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;

use super::super::shared::{answered, exists, show};
use crate::{
    answer::{bare, whole},
    call::{Answer, Call},
    doors::{Body, Type, door},
};

const READ: &str = "Microsoft.HybridCompute/machines/extensions/read";
const WRITE: &str = "Microsoft.HybridCompute/machines/extensions/write";
const DELETE: &str = "Microsoft.HybridCompute/machines/extensions/delete";
const ALL: &str = g!("/providers/Microsoft.HybridCompute/machines/{name}/extensions");
const ONE: &str = g!("/providers/Microsoft.HybridCompute/machines/{name}/extensions/{extension}");

pub(crate) static TYPE: Type = Type {
    name: EXTENSIONS,
    about: "Extensions of machines: kept as described, run by nobody.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("HEAD", ONE, Body::Nothing, READ, |c| Box::pin(exists(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
    ],
};

async fn list(call: &Call) -> Answer {
    let all = call.manager().extensions(&call.op, &call.id()?).await?;
    let all: Vec<_> = all.iter().map(|r| whole(r, call)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

/// 200 also for a new one: old and new SDKs agree on nothing else.
async fn put(call: &Call) -> Answer {
    let (done, _) =
        call.manager().put_extension(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(answered(call, &done))
}

async fn patch(call: &Call) -> Answer {
    let done = call.manager().patch_extension(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &done))
}

/// 204, there or not: the one answer that old and new clients take.
async fn delete(call: &Call) -> Answer {
    call.manager().delete(&call.op, call.allowed()?, &call.id()?).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}
