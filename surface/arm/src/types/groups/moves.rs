//! Moving resources from one group to another (arm.md 4.4).

use cs_ids::ResourceId;
use cs_wire_arm::MoveBody;
use http::StatusCode;

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::Body,
    failure::Failure,
};

const WRITE: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";

pub(super) const BODY: Body = Body::Json("resources, targetResourceGroup");

pub(super) async fn carry_out(call: &Call) -> Answer {
    moved(call, true).await
}

pub(super) async fn validate(call: &Call) -> Answer {
    moved(call, false).await
}

/// 204 for both: it is done, or it could be.
async fn moved(call: &Call, really: bool) -> Answer {
    let body: MoveBody = call.json()?;
    let read = |text: &String| {
        ResourceId::parse(text).map_err(|_| {
            Failure::bad_body(format!(
                "The request content was invalid: '{}' is no resource id.",
                crate::failure::shown(text)
            ))
        })
    };
    let target = read(&body.target_resource_group)?;
    let resources: Vec<ResourceId> = body.resources.iter().map(read).collect::<Result<_, _>>()?;
    call.demand(WRITE, target.scope()).await?;
    let moves = call.manager().plan_move(&call.op, &call.id()?, &resources, &target).await?;
    if really {
        call.manager().move_resources(&call.op, call.allowed()?, moves).await?;
        call.refresh().await?;
    }
    Ok(bare(StatusCode::NO_CONTENT))
}
