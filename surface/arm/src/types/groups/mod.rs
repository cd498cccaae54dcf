//! Resource groups (arm.md 4.3).

use cs_resources::GROUPS;
use cs_serve::{Door, json};
use http::StatusCode;

use super::resources;
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Op, door, open_door},
};

const READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", s!("/resourceGroups"), "shows those the caller may see", |c| Box::pin(list(c))),
    door("GET", g!(""), READ, |c| Box::pin(show(c))),
    door("HEAD", g!(""), READ, |c| Box::pin(exists(c))),
    door("PUT", g!(""), "Microsoft.Resources/subscriptions/resourceGroups/write", |c| Box::pin(put(c))),
    door("PATCH", g!(""), "Microsoft.Resources/subscriptions/resourceGroups/write", |c| Box::pin(patch(c))),
    door("DELETE", g!(""), "Microsoft.Resources/subscriptions/resourceGroups/delete", |c| {
        Box::pin(delete(c))
    }),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(GROUPS), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let group = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&group, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

async fn put(call: &Call) -> Answer {
    let (group, new) =
        call.manager().put_group(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &whole(&group, &call.address)))
}

async fn patch(call: &Call) -> Answer {
    let group = call.manager().patch_group(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(json(StatusCode::OK, &whole(&group, &call.address)))
}

async fn delete(call: &Call) -> Answer {
    call.manager().delete_group(&call.op, call.allowed()?, &call.id()?).await?;
    call.refresh().await?;
    Ok(bare(StatusCode::OK))
}
