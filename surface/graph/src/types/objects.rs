//! Objects of any kind.

use cs_directory::DirectoryError;
use cs_ids::ObjectId;
use cs_serve::Door;
use cs_wire_arm::graph::GetByIds;
use http::StatusCode;
use serde_json::Value;

use super::groups;
use crate::{
    answer::{one, whole_list},
    call::{Answer, Call},
    doors::{Op, read},
    failure::Failure,
    objects,
};

/// Ids one getByIds may name (arm.md 5.1).
const IDS_MAX: usize = 1000;

pub(crate) const DOORS: &[Door<Op>] = &[
    read("POST", "/v1.0/directoryObjects/getByIds", |c| Box::pin(by_ids(c))),
    read("GET", "/v1.0/directoryObjects/{id}", |c| Box::pin(show(c))),
    read("POST", "/v1.0/directoryObjects/{id}/checkMemberGroups", |c| Box::pin(groups::check_groups(c))),
    read("POST", "/v1.0/directoryObjects/{id}/checkMemberObjects", |c| Box::pin(groups::check_groups(c))),
    read("POST", "/v1.0/directoryObjects/{id}/getMemberGroups", |c| Box::pin(groups::member_groups(c))),
    read("POST", "/v1.0/directoryObjects/{id}/getMemberObjects", |c| Box::pin(groups::member_groups(c))),
];

async fn show(call: &Call) -> Answer {
    let object = call.object("id")?;
    let found = call.directory().by_object(call.op.caller.tenant, object).await?;
    let found = found.ok_or_else(|| DirectoryError::NoObject(object.to_string()))?;
    one(call, StatusCode::OK, "directoryObjects", &objects::principal(call, &found, true).await?)
}

/// Ids that are none, or of nobody, are left out.
async fn by_ids(call: &Call) -> Answer {
    let asked: GetByIds =
        serde_json::from_slice(&call.body).map_err(|_| Failure::bad("The request body cannot be read."))?;
    if asked.ids.len() > IDS_MAX {
        return Err(Failure::bad("Too many ids: at most 1000 may be named."));
    }
    let ids: Vec<ObjectId> = asked.ids.iter().filter_map(|id| id.parse().ok()).collect();
    let mut rows = Vec::new();
    for principal in call.directory().by_objects(call.op.caller.tenant, &ids).await? {
        rows.push(objects::principal(call, &principal, true).await?);
    }
    let kind = |row: &Value| {
        let kind = row.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
        kind.rsplit('.').next().unwrap_or_default().to_owned()
    };
    let wanted = |row: &Value| asked.types.iter().any(|t| t.eq_ignore_ascii_case(&kind(row)));
    rows.retain(|row| {
        asked.types.is_empty() || wanted(row) || asked.types.iter().any(|t| t == "directoryObject")
    });
    whole_list(call, "directoryObjects", rows)
}
