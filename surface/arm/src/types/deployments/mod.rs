//! Template deployments (arm.md 4.12): not served, and said so in words that az prints.

use cs_serve::{Door, json};
use cs_wire_arm::List;
use http::StatusCode;

use crate::{
    call::{Answer, Call},
    doors::{Op, door},
    failure::Failure,
};

const READ: &str = "Microsoft.Resources/deployments/read";
const WRITE: &str = "Microsoft.Resources/deployments/write";
const VALIDATE: &str = "Microsoft.Resources/deployments/validate/action";
const WHAT_IF: &str = "Microsoft.Resources/deployments/whatIf/action";

macro_rules! of {
    ($at:ident, $rest:literal) => {
        concat!($at!("/providers/Microsoft.Resources/deployments"), $rest)
    };
}

pub(crate) const DOORS: &[Door<Op>] = &[
    door("GET", of!(g, ""), READ, |c| Box::pin(none(c))),
    door("GET", of!(s, ""), READ, |c| Box::pin(none(c))),
    door("PUT", of!(g, "/{deployment}"), WRITE, |c| Box::pin(refused(c))),
    door("PUT", of!(s, "/{deployment}"), WRITE, |c| Box::pin(refused(c))),
    door("POST", of!(g, "/{deployment}/validate"), VALIDATE, |c| Box::pin(refused(c))),
    door("POST", of!(s, "/{deployment}/validate"), VALIDATE, |c| Box::pin(refused(c))),
    door("POST", of!(g, "/{deployment}/whatIf"), WHAT_IF, |c| Box::pin(refused(c))),
    door("POST", of!(s, "/{deployment}/whatIf"), WHAT_IF, |c| Box::pin(refused(c))),
];

/// There are none.
async fn none(call: &Call) -> Answer {
    call.manager().scope_exists(&call.op, &call.scope).await?;
    Ok(json(StatusCode::OK, &List::from(Vec::<()>::new())))
}

/// The body is not even read: from az it is no JSON.
async fn refused(_: &Call) -> Answer {
    Err(Failure::new(
        StatusCode::BAD_REQUEST,
        "InvalidTemplateDeployment",
        "Template deployments are not served by this site. Create the resources one by one, with az or a management SDK.",
    ))
}
