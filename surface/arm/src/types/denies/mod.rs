//! Deny assignments (rbac.md 5) and what the caller itself may do (rbac.md 9).

use cs_resources::DenyRow;
use cs_serve::json;
use cs_wire_arm::{Filter, List};
use http::StatusCode;
use serde_json::{Map, Value, json as value};

use super::definitions::permission;
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
    failure::{Failure, shown},
    paging,
};

const READ: &str = "Microsoft.Authorization/denyAssignments/read";
const WRITE: &str = "Microsoft.Authorization/denyAssignments/write";
const DELETE: &str = "Microsoft.Authorization/denyAssignments/delete";
const OWN: &str = at!("/providers/Microsoft.Authorization/permissions");
const KIND: &str = "Microsoft.Authorization/denyAssignments";
const LIST: &str = at!("/providers/Microsoft.Authorization/denyAssignments");
const ONE: &str = at!("/providers/Microsoft.Authorization/denyAssignments/{deny}");

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Deny assignments: they win over roles.",
    versions: &["2024-07-01-preview", "2022-04-01"],
    rows: &[
        door("GET", LIST, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
    ],
};

pub(crate) static PERMISSIONS: Type = Type {
    name: "Microsoft.Authorization/permissions",
    about: "What the caller itself may do at a scope.",
    versions: &["2022-04-01", "2018-07-01", "2015-07-01"],
    rows: &[open_door("GET", OWN, Body::Nothing, "shows what the caller itself may do", |c| {
        Box::pin(permissions(c))
    })],
};

async fn list(call: &Call) -> Answer {
    let (below, wanted) = filter(call)?;
    let page = call.manager().denies(&call.op, &call.scope, below, paging::part(call)?).await?;
    Ok(paging::answer(call, &page, |deny| wanted.fits(deny).then(|| reply(deny))))
}

/// The filters of rbac.md 5; any other is refused.
#[derive(Default)]
struct Wanted {
    principal: Option<String>,
    name: Option<String>,
}

impl Wanted {
    fn fits(&self, deny: &DenyRow) -> bool {
        let principals = deny.body.get("principals").and_then(Value::as_array);
        let names = |id: &String| {
            principals.is_some_and(|all| all.iter().any(|p| p.get("id").and_then(Value::as_str) == Some(id)))
        };
        let name = deny.body.get("denyAssignmentName").and_then(Value::as_str).unwrap_or_default();
        self.principal.as_ref().is_none_or(names)
            && self.name.as_ref().is_none_or(|n| name.to_lowercase() == n.to_lowercase())
    }
}

fn filter(call: &Call) -> Result<(bool, Wanted), Failure> {
    let (mut below, mut wanted) = (true, Wanted::default());
    let Some(text) = call.query.get("$filter").filter(|t| !t.trim().is_empty()) else {
        return Ok((below, wanted));
    };
    let refused = || {
        let message = format!("The filter '{}' is not supported.", shown(text));
        Failure::new(StatusCode::BAD_REQUEST, "UnsupportedQuery", message)
    };
    for term in Filter::parse(text).map_err(|_| refused())?.terms() {
        match (term.as_equal(), term) {
            (Some(("principalid" | "gdprexportprincipalid", id)), _) => {
                wanted.principal = Some(id.to_lowercase())
            }
            (Some(("denyassignmentname", name)), _) => wanted.name = Some(name.to_owned()),
            (_, Filter::Call { name, .. }) if name == "atscope" => below = false,
            _ => return Err(refused()),
        }
    }
    Ok((below, wanted))
}

async fn show(call: &Call) -> Answer {
    let name = call.params.get("deny");
    match call.manager().deny(&call.op, &call.scope, name).await? {
        Some(found) => Ok(json(StatusCode::OK, &reply(&found))),
        None => {
            let message = format!("The deny assignment '{}' is not found.", shown(name));
            Err(Failure::new(StatusCode::NOT_FOUND, "DenyAssignmentNotFound", message))
        }
    }
}

async fn put(call: &Call) -> Answer {
    let at = (&call.scope, call.params.get("deny"));
    let given = call.input()?.properties;
    let (stored, new) = call.manager().put_deny(&call.op, call.allowed()?, at, given).await?;
    call.refresh().await?;
    Ok(json(if new { StatusCode::CREATED } else { StatusCode::OK }, &reply(&stored)))
}

async fn delete(call: &Call) -> Answer {
    let name = call.params.get("deny");
    let there = call.manager().delete_deny(&call.op, call.allowed()?, &call.scope, name).await?;
    if there {
        call.refresh().await?;
    }
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn reply(deny: &DenyRow) -> Value {
    let mut properties: Map<String, Value> = deny.body.as_object().cloned().unwrap_or_default();
    properties.entry("doNotApplyToChildScopes").or_insert(value!(false));
    for (name, said) in [
        ("scope", value!(deny.scope.as_str())),
        ("isSystemProtected", value!(false)),
        ("createdOn", value!(deny.created.iso7())),
        ("updatedOn", value!(deny.updated.iso7())),
        ("createdBy", value!(deny.created_by.map(|o| o.to_string()))),
        ("updatedBy", value!(deny.updated_by.map(|o| o.to_string()))),
    ] {
        properties.insert(name.to_owned(), said);
    }
    value!({
        "properties": properties,
        "id": format!("{}/providers/{KIND}/{}", deny.scope, deny.id),
        "type": KIND,
        "name": deny.id,
    })
}

async fn permissions(call: &Call) -> Answer {
    call.manager().scope_exists(&call.op, &call.scope).await?;
    let held = call.parts.access.permissions(&call.op, &call.scope).map_err(|_| Failure::busy())?;
    let rows: Vec<_> = held
        .into_iter()
        .map(|(text, condition)| {
            let mut block = permission(text);
            block.condition_version =
                condition.as_ref().map(|_| "2.0".to_owned()).or(block.condition_version);
            block.condition = condition.or(block.condition);
            block
        })
        .collect();
    Ok(json(StatusCode::OK, &List::from(rows)))
}
