//! Role definitions (rbac.md 2).

use cs_ids::{ResourceId, Scope};
use cs_rbac::{RoleDefinition as Role, RoleId};
use cs_resources::{KnownRole, ResourceError, RoleInput};
use cs_serve::json;
use cs_wire_arm::{Filter, RoleDefinition, RoleDefinitionBody, RoleDefinitionProperties, RolePermission};
use http::StatusCode;

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::{Failure, shown},
    paging,
};

const KIND: &str = "Microsoft.Authorization/roleDefinitions";
const READ: &str = "Microsoft.Authorization/roleDefinitions/read";
const WRITE: &str = "Microsoft.Authorization/roleDefinitions/write";
const DELETE: &str = "Microsoft.Authorization/roleDefinitions/delete";
const ALL: &str = at!("/providers/Microsoft.Authorization/roleDefinitions");
const ONE: &str = at!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
const AT_ROOT: &str = "/providers/Microsoft.Authorization/roleDefinitions";
const ONE_AT_ROOT: &str = "/providers/Microsoft.Authorization/roleDefinitions/{role}";
const BODY: Body = Body::Json("properties: roleName, description, permissions, assignableScopes");

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Roles: those that came with the product, and custom ones.",
    versions: &["2022-05-01-preview", "2022-04-01", "2018-01-01-preview", "2015-07-01"],
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(roles(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(role(c))),
        door("PUT", ONE, BODY, WRITE, |c| Box::pin(put_role(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete_role(c))),
        door("GET", AT_ROOT, Body::Nothing, READ, |c| Box::pin(roles(c))),
        door("GET", ONE_AT_ROOT, Body::Nothing, READ, |c| Box::pin(role(c))),
        door("PUT", ONE_AT_ROOT, BODY, WRITE, |c| Box::pin(put_role(c))),
        door("DELETE", ONE_AT_ROOT, Body::Nothing, DELETE, |c| Box::pin(delete_role(c))),
    ],
};

/// The id of a role as seen from a scope. az compares it letter for letter between roles and assignments.
pub(crate) fn role_id(scope: &Scope, role: &str) -> String {
    let subscription =
        ResourceId::parse(scope.as_str()).map(|id| format!("/subscriptions/{}", id.subscription()));
    format!("{}/providers/Microsoft.Authorization/roleDefinitions/{role}", subscription.unwrap_or_default())
}

async fn roles(call: &Call) -> Answer {
    let wanted = RoleFilter::parse(call.query.get("$filter"))?;
    let found = call.manager().roles_at(&call.op, &call.scope).await?;
    let found: Vec<_> = found.into_iter().filter(|r| wanted.fits(&r.definition)).collect();
    paging::cut(call, found, |r| r.definition.id.to_string(), |r| definition(r, &call.scope))
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
        call.demand(WRITE, scope).await?;
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
        call.demand(DELETE, scope).await?;
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
        kind: KIND,
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
