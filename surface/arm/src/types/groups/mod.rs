//! Resource groups (arm.md 4.3), moving what is in them, and writing it down as a template.

mod export;
mod moves;

use cs_resources::GROUPS;
use http::StatusCode;

use super::{
    resources,
    shared::{answered, exists, show, written},
};
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
};

const READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
const WRITE: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";
const DELETE: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";
const MOVE: &str = "Microsoft.Resources/subscriptions/resourceGroups/moveResources/action";
const VALIDATE: &str = "Microsoft.Resources/subscriptions/resourceGroups/validateMoveResources/action";
const EXPORT: &str = "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action";
const LISTED: &str = "shows those the caller may see";

pub(crate) static TYPE: Type = Type {
    name: GROUPS,
    about: "Resource groups, moving what is in them, and their resources as a template.",
    versions: &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"],
    rows: &[
        open_door("GET", s!("/resourceGroups"), Body::Nothing, LISTED, |c| Box::pin(list(c))),
        door("GET", g!(""), Body::Nothing, READ, |c| Box::pin(show(c))),
        door("HEAD", g!(""), Body::Nothing, READ, |c| Box::pin(exists(c))),
        door("PUT", g!(""), Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", g!(""), Body::Resource, WRITE, |c| Box::pin(patch(c))),
        door("DELETE", g!(""), Body::Nothing, DELETE, |c| Box::pin(delete(c))),
        door("POST", g!("/moveResources"), moves::BODY, MOVE, |c| Box::pin(moves::carry_out(c))),
        door("POST", g!("/exportTemplate"), export::BODY, EXPORT, |c| Box::pin(export::export(c))),
        door("POST", g!("/validateMoveResources"), moves::BODY, VALIDATE, |c| Box::pin(moves::validate(c))),
    ],
};

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(GROUPS), read: READ, whole: true }).await
}

async fn put(call: &Call) -> Answer {
    let done = call.manager().put_group(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(written(call, &done))
}

async fn patch(call: &Call) -> Answer {
    let group = call.manager().patch_group(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &group))
}

async fn delete(call: &Call) -> Answer {
    call.manager().delete_group(&call.op, call.allowed()?, &call.id()?).await?;
    call.refresh().await?;
    Ok(bare(StatusCode::OK))
}
