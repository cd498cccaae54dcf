//! The caller itself, and the tenant. Applications are no users, so `/me` is nobody (arm.md 5.1).

use cs_serve::Door;
use serde_json::json;

use crate::{
    answer::whole_list,
    call::{Answer, Call},
    doors::{Op, read},
    failure::Failure,
};

pub(crate) const DOORS: &[Door<Op>] = &[
    read("GET", "/v1.0/me", |_| Box::pin(async { Err(nobody()) })),
    read("GET", "/v1.0/me/ownedObjects", |_| Box::pin(async { Err(nobody()) })),
    read("GET", "/v1.0/me/memberOf", |_| Box::pin(async { Err(nobody()) })),
    read("GET", "/v1.0/organization", |c| Box::pin(organization(c))),
    read("GET", "/v1.0/domains", |c| Box::pin(none(c, "domains"))),
    read("GET", "/v1.0/oauth2PermissionGrants", |c| Box::pin(none(c, "oauth2PermissionGrants"))),
];

fn nobody() -> Failure {
    Failure::NotDelegated
}

async fn organization(call: &Call) -> Answer {
    whole_list(call, "organization", vec![json!({"id": call.op.caller.tenant.to_string()})])
}

async fn none(call: &Call, of: &str) -> Answer {
    whole_list(call, of, Vec::new())
}
