//! Connected machines (arm.md 4.6).

pub(crate) mod extensions;

use cs_ids::ResourceId;
use cs_resources::{Attachments, MACHINES};
use http::StatusCode;
use serde_json::{Map, Value};

use super::shared::{answered, show};
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::Type,
    failure::Failure,
};

/// Ours.
const RELEASE: &str = g!("/providers/Microsoft.HybridCompute/machines/{name}/release");
const RELEASED: &str = "Microsoft.HybridCompute/machines/release/action";
const VERSIONS: &[&str] =
    &["2026-07-15", "2025-01-13", "2024-07-31-preview", "2024-07-10", "2024-03-31-preview", "2022-12-27"];

pub(crate) static TYPE: Type = Type {
    name: MACHINES,
    about: "Connected machines.",
    versions: VERSIONS,
    rows: tracked!(
        "Microsoft.HybridCompute/machines",
        Also::OwnMachine,
        [door("POST", RELEASE, Body::Nothing, RELEASED, |c| Box::pin(release(c))),]
    ),
};

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
    Ok(answered(call, &machine))
}

async fn patch(call: &Call) -> Answer {
    let patch = call.patch()?;
    let (attach, may_assign) = identities(call, &patch.extra, false)?;
    let attach = (&attach, may_assign.as_slice());
    let machine = call.manager().patch_machine(&call.op, call.allowed()?, &call.id()?, patch, attach).await?;
    Ok(answered(call, &machine))
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

/// Ends a quarantine. 200 with the machine, 409 where there is none to end.
async fn release(call: &Call) -> Answer {
    if !call.manager().release_machine(&call.op, call.allowed()?, &call.id()?).await? {
        let message = "The machine is not quarantined: there is nothing to release.";
        return Err(Failure::new(StatusCode::CONFLICT, "MachineNotQuarantined", message));
    }
    call.refresh().await?;
    show(call).await
}
