//! Connected machines (arm.md 4.6).

use cs_ids::ResourceId;
use cs_resources::{Attachments, MACHINES};
use cs_serve::{Door, json};
use http::StatusCode;
use serde_json::{Map, Value};

use super::resources;
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Also, Op, also, door, open_door},
    failure::Failure,
};

const READ: &str = "Microsoft.HybridCompute/machines/read";
const WRITE: &str = "Microsoft.HybridCompute/machines/write";
const ONE: &str = g!("/providers/Microsoft.HybridCompute/machines/{name}");

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door(
        "GET",
        s!("/providers/Microsoft.HybridCompute/machines"),
        "shows those the caller may read",
        |c| Box::pin(list(c)),
    ),
    open_door(
        "GET",
        g!("/providers/Microsoft.HybridCompute/machines"),
        "shows those the caller may read",
        |c| Box::pin(list(c)),
    ),
    also(door("GET", ONE, READ, |c| Box::pin(show(c))), Also::OwnMachine),
    also(door("HEAD", ONE, READ, |c| Box::pin(exists(c))), Also::OwnMachine),
    door("PUT", ONE, WRITE, |c| Box::pin(put(c))),
    door("PATCH", ONE, WRITE, |c| Box::pin(patch(c))),
    door("DELETE", ONE, "Microsoft.HybridCompute/machines/delete", |c| Box::pin(delete(c))),
    door(
        "GET",
        g!("/providers/Microsoft.HybridCompute/machines/{name}/extensions"),
        "Microsoft.HybridCompute/machines/extensions/read",
        |c| Box::pin(extensions(c)),
    ),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(MACHINES), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let machine = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&machine, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

/// 200 also for a new one: the SDK takes nothing else.
async fn put(call: &Call) -> Answer {
    let input = call.input()?;
    let (attach, may_assign) = identities(call, &input.extra, true)?;
    let attach = (&attach, may_assign.as_slice());
    let (machine, new) =
        call.manager().put_machine(&call.op, call.allowed()?, &call.id()?, input, attach).await?;
    if new {
        call.refresh().await?;
    }
    Ok(json(StatusCode::OK, &whole(&machine, &call.address)))
}

async fn patch(call: &Call) -> Answer {
    let patch = call.patch()?;
    let (attach, may_assign) = identities(call, &patch.extra, false)?;
    let attach = (&attach, may_assign.as_slice());
    let machine = call.manager().patch_machine(&call.op, call.allowed()?, &call.id()?, patch, attach).await?;
    Ok(json(StatusCode::OK, &whole(&machine, &call.address)))
}

/// What a body says of user-assigned identities, and which of them the caller may hand out.
fn identities(
    call: &Call,
    body: &Map<String, Value>,
    whole: bool,
) -> Result<(Attachments, Vec<ResourceId>), Failure> {
    const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
    let attach = Attachments::read(body.get("identity"), whole)?;
    let mut may_assign = Vec::new();
    for id in attach.wanted() {
        if call.may(ASSIGN, id.scope())?.is_some() {
            may_assign.push(id.clone());
        }
    }
    Ok((attach, may_assign))
}

/// 204, there or not: the one answer that old and new clients take.
async fn delete(call: &Call) -> Answer {
    if call.manager().delete(&call.op, call.allowed()?, &call.id()?).await? {
        call.refresh().await?;
    }
    Ok(bare(StatusCode::NO_CONTENT))
}

/// There are none yet.
async fn extensions(call: &Call) -> Answer {
    call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &cs_wire_arm::List::from(Vec::<()>::new())))
}
