//! Role assignments (rbac.md 3).

use cs_ids::ObjectId;
use cs_resources::{Assignment, AssignmentInput, Existing, ListWhich};
use cs_serve::json;
use cs_wire_arm::{Filter, RoleAssignment, RoleAssignmentBody, RoleAssignmentProperties};
use http::StatusCode;

use super::definitions::role_id;
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Also, Body, Type, also, door},
    failure::{Failure, shown},
    paging,
};

const KIND: &str = "Microsoft.Authorization/roleAssignments";
const READ: &str = "Microsoft.Authorization/roleAssignments/read";
const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";
const ALL: &str = at!("/providers/Microsoft.Authorization/roleAssignments");
const ONE: &str = at!("/providers/Microsoft.Authorization/roleAssignments/{assignment}");
const AT_ROOT: &str = "/providers/Microsoft.Authorization/roleAssignments";
const ONE_AT_ROOT: &str = "/providers/Microsoft.Authorization/roleAssignments/{assignment}";
const BODY: Body =
    Body::Json("properties: roleDefinitionId, principalId, principalType, condition, description");

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Role assignments, at any scope.",
    versions: &["2022-04-01", "2020-10-01-preview", "2020-04-01-preview", "2018-01-01-preview", "2015-07-01"],
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        also(door("PUT", ONE, BODY, WRITE, |c| Box::pin(put(c))), Also::AssignsRole),
        also(door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))), Also::UnassignsRole),
        door("GET", AT_ROOT, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE_AT_ROOT, Body::Nothing, READ, |c| Box::pin(show(c))),
        also(door("PUT", ONE_AT_ROOT, BODY, WRITE, |c| Box::pin(put(c))), Also::AssignsRole),
        also(
            door("DELETE", ONE_AT_ROOT, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
            Also::UnassignsRole,
        ),
    ],
};

async fn list(call: &Call) -> Answer {
    let which = which(call)?;
    let part = paging::part(call)?;
    let page = call.manager().list_assignments(&call.op, &call.scope, which, part).await?;
    Ok(paging::answer(call, &page, |a| Some(assignment(a, true))))
}

/// The filters of rbac.md 3; any other is refused.
fn which(call: &Call) -> Result<ListWhich, Failure> {
    let Some(text) = call.query.get("$filter").filter(|t| !t.trim().is_empty()) else {
        return Ok(ListWhich::default());
    };
    let refused = || {
        Failure::new(
            StatusCode::BAD_REQUEST,
            "UnsupportedQuery",
            format!(
                "The filter '{}' is not supported. Supported filters are either 'atScope()' or 'principalId eq '{{value}}' or assignedTo('{{value}}')'.",
                shown(text)
            ),
        )
    };
    let filter = Filter::parse(text).map_err(|_| refused())?;
    let id = |text: &str| text.parse::<ObjectId>().map(|o| Some(vec![o])).map_err(|_| refused());
    let is_at_scope = |f: &Filter| matches!(f, Filter::Call { name, arguments } if name == "atscope" && arguments.is_empty());
    let assigned = |f: &Filter| match f {
        Filter::Call { name, arguments } if name == "assignedto" => arguments.first().cloned(),
        _ => None,
    };
    match filter.terms() {
        [one] if is_at_scope(one) => Ok(ListWhich { not_below: true, principals: None }),
        [Filter::Call { name, arguments }] if name == "astarget" && arguments.is_empty() => {
            let principals = with_groups(call, Some(vec![call.op.caller.object]))?;
            Ok(ListWhich { not_below: false, principals })
        }
        [one] => match (one.as_equal(), assigned(one)) {
            (Some(("principalid", who)), _) => Ok(ListWhich { not_below: false, principals: id(who)? }),
            (_, Some(who)) => Ok(ListWhich { not_below: false, principals: with_groups(call, id(&who)?)? }),
            _ => Err(refused()),
        },
        [one, other] => {
            let who = if is_at_scope(one) {
                assigned(other)
            } else if is_at_scope(other) {
                assigned(one)
            } else {
                None
            };
            let principals = with_groups(call, id(&who.ok_or_else(refused)?)?)?;
            Ok(ListWhich { not_below: true, principals })
        }
        _ => Err(refused()),
    }
}

/// Whoever is meant, and the groups they are in.
fn with_groups(call: &Call, who: Option<Vec<ObjectId>>) -> Result<Option<Vec<ObjectId>>, Failure> {
    let Some(mut all) = who else { return Ok(None) };
    for one in all.clone() {
        let groups = call.parts.access.groups_of(call.op.caller.tenant, one);
        all.extend(groups.map_err(|_| Failure::busy())?);
    }
    Ok(Some(all))
}

async fn show(call: &Call) -> Answer {
    let name = call.params.get("assignment");
    match call.manager().assignment(&call.op, &call.scope, name).await? {
        Some(found) => Ok(json(StatusCode::OK, &assignment(&found, true))),
        None => {
            let message = format!("The role assignment '{}' is not found.", shown(name));
            Err(Failure::new(StatusCode::NOT_FOUND, "RoleAssignmentNotFound", message))
        }
    }
}

async fn put(call: &Call) -> Answer {
    let body: RoleAssignmentBody = call.json()?;
    let p = body.properties;
    let principal = p.principal_id.parse().map_err(|_| {
        Failure::bad_body(format!("The principal id '{}' is no GUID.", shown(&p.principal_id)))
    })?;
    let new = AssignmentInput {
        role: p.role_definition_id,
        principal,
        principal_type: p.principal_type,
        condition: p.condition,
        condition_version: p.condition_version,
        description: p.description,
    };
    let name = call.params.get("assignment");
    let (stored, existing) =
        call.manager().put_assignment(&call.op, call.allowed()?, &call.scope, name, new).await?;
    call.refresh().await?;
    let status = if existing == Existing::New { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &assignment(&stored, false)))
}

async fn delete(call: &Call) -> Answer {
    let name = call.params.get("assignment");
    match call.manager().delete_assignment(&call.op, call.allowed()?, &call.scope, name).await? {
        Some(gone) => {
            call.refresh().await?;
            Ok(json(StatusCode::OK, &assignment(&gone, true)))
        }
        None => Ok(bare(StatusCode::NO_CONTENT)),
    }
}

fn assignment(a: &Assignment, with_creator: bool) -> RoleAssignment {
    let base = if a.scope.key() == "/" { "" } else { a.scope.as_str() };
    RoleAssignment {
        properties: RoleAssignmentProperties {
            role_definition_id: role_id(&a.scope, &a.role),
            principal_id: a.principal.to_string(),
            principal_type: a.principal_type.clone(),
            scope: a.scope.to_string(),
            condition: a.condition.clone(),
            condition_version: a.condition_version.clone(),
            created_on: a.created.iso7(),
            updated_on: a.updated.iso7(),
            created_by: a.created_by.filter(|_| with_creator).map(|o| o.to_string()),
            updated_by: a.updated_by.map(|o| o.to_string()),
            delegated_managed_identity_resource_id: None,
            description: a.description.clone(),
        },
        id: format!("{base}/providers/Microsoft.Authorization/roleAssignments/{}", a.name),
        kind: KIND,
        name: a.name.clone(),
    }
}
