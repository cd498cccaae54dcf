//! Role definitions and assignments (rbac.md 2, 3).

use cs_ids::{ObjectId, ResourceId, Scope};
use cs_rbac::{RoleDefinition as Role, RoleId};
use cs_resources::{Assignment, AssignmentInput, Existing, KnownRole, ListWhich, ResourceError, RoleInput};
use cs_serve::{Door, json};
use cs_wire_arm::{
    Filter, List, RoleAssignment, RoleAssignmentBody, RoleAssignmentProperties, RoleDefinition,
    RoleDefinitionBody, RoleDefinitionProperties, RolePermission,
};
use http::StatusCode;

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Also, Op, also, door},
    failure::{Failure, shown},
};

const ASSIGN_READ: &str = "Microsoft.Authorization/roleAssignments/read";
const ASSIGN_WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const ASSIGN_DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";
const ROLE_READ: &str = "Microsoft.Authorization/roleDefinitions/read";
const ROLE_WRITE: &str = "Microsoft.Authorization/roleDefinitions/write";
const ROLE_DELETE: &str = "Microsoft.Authorization/roleDefinitions/delete";

macro_rules! at_any_scope {
    ($rest:literal) => {
        concat!("/{scope*}/providers/Microsoft.Authorization/", $rest)
    };
}
macro_rules! at_the_root {
    ($rest:literal) => {
        concat!("/providers/Microsoft.Authorization/", $rest)
    };
}

pub(crate) const DOORS: &[Door<Op>] = &[
    door("GET", at_any_scope!("roleAssignments"), ASSIGN_READ, |c| Box::pin(list(c))),
    door("GET", at_any_scope!("roleAssignments/{assignment}"), ASSIGN_READ, |c| Box::pin(show(c))),
    also(
        door("PUT", at_any_scope!("roleAssignments/{assignment}"), ASSIGN_WRITE, |c| Box::pin(put(c))),
        Also::AssignsRole,
    ),
    also(
        door("DELETE", at_any_scope!("roleAssignments/{assignment}"), ASSIGN_DELETE, |c| Box::pin(delete(c))),
        Also::UnassignsRole,
    ),
    door("GET", at_any_scope!("roleDefinitions"), ROLE_READ, |c| Box::pin(roles(c))),
    door("GET", at_any_scope!("roleDefinitions/{role}"), ROLE_READ, |c| Box::pin(role(c))),
    door("PUT", at_any_scope!("roleDefinitions/{role}"), ROLE_WRITE, |c| Box::pin(put_role(c))),
    door("DELETE", at_any_scope!("roleDefinitions/{role}"), ROLE_DELETE, |c| Box::pin(delete_role(c))),
    door("GET", at_the_root!("roleAssignments"), ASSIGN_READ, |c| Box::pin(list(c))),
    door("GET", at_the_root!("roleAssignments/{assignment}"), ASSIGN_READ, |c| Box::pin(show(c))),
    also(
        door("PUT", at_the_root!("roleAssignments/{assignment}"), ASSIGN_WRITE, |c| Box::pin(put(c))),
        Also::AssignsRole,
    ),
    also(
        door("DELETE", at_the_root!("roleAssignments/{assignment}"), ASSIGN_DELETE, |c| Box::pin(delete(c))),
        Also::UnassignsRole,
    ),
    door("GET", at_the_root!("roleDefinitions"), ROLE_READ, |c| Box::pin(roles(c))),
    door("GET", at_the_root!("roleDefinitions/{role}"), ROLE_READ, |c| Box::pin(role(c))),
    door("PUT", at_the_root!("roleDefinitions/{role}"), ROLE_WRITE, |c| Box::pin(put_role(c))),
    door("DELETE", at_the_root!("roleDefinitions/{role}"), ROLE_DELETE, |c| Box::pin(delete_role(c))),
];

async fn list(call: &Call) -> Answer {
    let which = which(call)?;
    let all = call.manager().list_assignments(&call.op, &call.scope, which).await?;
    let value: Vec<RoleAssignment> = all.iter().map(|a| assignment(a, true)).collect();
    Ok(json(StatusCode::OK, &List::from(value)))
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
        kind: "Microsoft.Authorization/roleAssignments",
        name: a.name.clone(),
    }
}

/// The id of a role as seen from a scope. az compares it letter for letter between roles and assignments.
fn role_id(scope: &Scope, role: &str) -> String {
    let subscription =
        ResourceId::parse(scope.as_str()).map(|id| format!("/subscriptions/{}", id.subscription()));
    format!("{}/providers/Microsoft.Authorization/roleDefinitions/{role}", subscription.unwrap_or_default())
}

async fn roles(call: &Call) -> Answer {
    let wanted = RoleFilter::parse(call.query.get("$filter"))?;
    let found = call.manager().roles_at(&call.op, &call.scope).await?;
    let found = found.iter().filter(|r| wanted.fits(&r.definition));
    let value: Vec<RoleDefinition> = found.map(|r| definition(r, &call.scope)).collect();
    Ok(json(StatusCode::OK, &List::from(value)))
}

fn role_in_path(call: &Call) -> Result<RoleId, Failure> {
    let text = call.params.get("role");
    Ok(text.parse().map_err(|_| ResourceError::NoRole(text.replace('-', "")))?)
}

async fn role(call: &Call) -> Answer {
    let id = role_in_path(call)?;
    let found = call.manager().role(&call.op, &id).await?;
    let found = found.ok_or_else(|| ResourceError::NoRole(cs_resources::simple(id.uuid())))?;
    Ok(json(StatusCode::OK, &definition(&found, &call.scope)))
}

/// 201 also for one that was there: clients take nothing else.
async fn put_role(call: &Call) -> Answer {
    let name = call.params.get("role");
    let id = name.parse().map_err(|_| {
        let message = format!(
            "The role definition ID '{}' is not valid. The role definition ID must be a GUID.",
            shown(name)
        );
        Failure::new(StatusCode::BAD_REQUEST, "InvalidRoleDefinitionId", message)
    })?;
    let body: RoleDefinitionBody = call.json()?;
    let p = body.properties;
    let known = call.manager().role(&call.op, &id).await?;
    let mut scopes = call.manager().assignable_scopes(&call.op, &p.assignable_scopes).await?;
    // Also where it could be assigned until now: a role is not taken away from under others.
    scopes.extend(known.iter().filter(|k| k.made.is_some()).flat_map(|k| k.definition.assignable.clone()));
    for scope in &scopes {
        if call.may(ROLE_WRITE, scope)?.is_none() {
            return Err(Failure::denied(&call.op.caller, ROLE_WRITE, scope));
        }
    }
    let new = RoleInput {
        name: p.role_name,
        description: p.description.unwrap_or_default(),
        permissions: p.permissions.into_iter().map(permission_text).collect(),
        assignable: p.assignable_scopes,
    };
    let stored = call.manager().put_role(&call.op, call.allowed()?, &id, new).await?;
    call.refresh().await?;
    Ok(json(StatusCode::CREATED, &definition(&stored, &call.scope)))
}

async fn delete_role(call: &Call) -> Answer {
    let id = role_in_path(call)?;
    let Some(known) = call.manager().role(&call.op, &id).await? else {
        return Ok(bare(StatusCode::NO_CONTENT));
    };
    for scope in known.definition.assignable.iter().filter(|_| known.made.is_some()) {
        if call.may(ROLE_DELETE, scope)?.is_none() {
            return Err(Failure::denied(&call.op.caller, ROLE_DELETE, scope));
        }
    }
    call.manager().delete_role(&call.op, call.allowed()?, &id).await?;
    call.refresh().await?;
    Ok(json(StatusCode::OK, &definition(&known, &call.scope)))
}

/// `roleName eq`, `type eq` and `atScopeAndBelow()`, joined by `and`.
#[derive(Default)]
struct RoleFilter {
    name: Option<String>,
    kind: Option<String>,
}

impl RoleFilter {
    fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Ok(Self::default()) };
        let refused = || {
            let message = format!("The filter '{}' is not supported.", shown(text));
            Failure::new(StatusCode::BAD_REQUEST, "UnsupportedQuery", message)
        };
        let filter = Filter::parse(text).map_err(|_| refused())?;
        let mut all = Self::default();
        for term in filter.terms() {
            match (term.as_equal(), term) {
                (Some(("rolename", name)), _) => all.name = Some(name.to_lowercase()),
                (Some(("type", kind)), _) => all.kind = Some(kind.to_lowercase()),
                (_, Filter::Call { name, .. }) if name == "atscopeandbelow" || name == "atscope" => {}
                _ => return Err(refused()),
            }
        }
        Ok(all)
    }

    fn fits(&self, role: &Role) -> bool {
        let name = self.name.as_ref().is_none_or(|n| role.name.to_lowercase() == *n);
        name && self.kind.as_ref().is_none_or(|k| role.kind.as_str().to_lowercase() == *k)
    }
}

/// Times of built-in roles: the day the model began; clients print them and no more.
const BUILT_IN_SINCE: &str = "2015-02-02T21:55:09.8806423Z";

fn definition(known: &KnownRole, scope: &Scope) -> RoleDefinition {
    let role = &known.definition;
    let made = known.made.as_ref();
    RoleDefinition {
        properties: RoleDefinitionProperties {
            role_name: role.name.to_string(),
            kind: role.kind.as_str(),
            description: role.description.clone(),
            assignable_scopes: role.assignable.iter().map(ToString::to_string).collect(),
            permissions: role.permissions.iter().map(|p| permission(p.text().clone())).collect(),
            created_on: made.map_or_else(|| BUILT_IN_SINCE.to_owned(), |m| m.created.iso7()),
            updated_on: made.map_or_else(|| BUILT_IN_SINCE.to_owned(), |m| m.updated.iso7()),
            created_by: made.and_then(|m| m.created_by).map(|o| o.to_string()),
            updated_by: made.and_then(|m| m.updated_by).map(|o| o.to_string()),
        },
        id: role_id(scope, &role.id.to_string()),
        kind: "Microsoft.Authorization/roleDefinitions",
        name: role.id.to_string(),
    }
}

pub(crate) fn permission(text: cs_rbac::PermissionText) -> RolePermission {
    RolePermission {
        actions: text.actions,
        not_actions: text.not_actions,
        data_actions: text.data_actions,
        not_data_actions: text.not_data_actions,
        condition: text.condition,
        condition_version: text.condition_version,
    }
}

fn permission_text(p: RolePermission) -> cs_rbac::PermissionText {
    cs_rbac::PermissionText {
        actions: p.actions,
        not_actions: p.not_actions,
        data_actions: p.data_actions,
        not_data_actions: p.not_data_actions,
        condition: p.condition,
        condition_version: p.condition_version,
    }
}
