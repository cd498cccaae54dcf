//! Template deployments (arm.md 4.12): not served, and said so in words that az prints.

use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door},
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

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Resources/deployments",
    about: "Template deployments: not served, and said so.",
    versions: &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"],
    rows: &[
        door("GET", of!(g, ""), Body::Nothing, READ, |c| Box::pin(none(c))),
        door("GET", of!(s, ""), Body::Nothing, READ, |c| Box::pin(none(c))),
        door("PUT", of!(g, "/{deployment}"), Body::Nothing, WRITE, |c| Box::pin(refused(c))),
        door("PUT", of!(s, "/{deployment}"), Body::Nothing, WRITE, |c| Box::pin(refused(c))),
        door("POST", of!(g, "/{deployment}/validate"), Body::Nothing, VALIDATE, |c| Box::pin(refused(c))),
        door("POST", of!(s, "/{deployment}/validate"), Body::Nothing, VALIDATE, |c| Box::pin(refused(c))),
        door("POST", of!(g, "/{deployment}/whatIf"), Body::Nothing, WHAT_IF, |c| Box::pin(refused(c))),
        door("POST", of!(s, "/{deployment}/whatIf"), Body::Nothing, WHAT_IF, |c| Box::pin(refused(c))),
    ],
};

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
