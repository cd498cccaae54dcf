//! Custom roles and deny assignments, from their rows to what decides.
//!
//! Rows were checked when they were written. One that cannot be read any more grants nothing, and a deny assignment
//! that cannot be read forbids everything at its place: the closed side of each.

use std::sync::Arc;

use cs_ids::ObjectId;
use cs_rbac::{DenyAssignment, Permission, PermissionText, RoleDefinition, Snapshot};
use cs_store::{DenyRow, RoleRow, RuleChanges};
use serde_json::Value;

pub(crate) fn apply(snapshot: &mut Snapshot, changed: RuleChanges) {
    for row in changed.roles {
        let Ok(id) = row.id.parse() else { continue };
        match role(&row).filter(|_| !row.deleted) {
            Some(role) => snapshot.insert_role(Arc::new(role)),
            None => snapshot.remove_role(&id),
        }
    }
    for row in changed.denies {
        let Ok(id) = row.id.parse() else { continue };
        snapshot.remove_deny(id);
        if !row.deleted && !is_audit_only(&row) {
            snapshot.insert_deny(deny(id, &row));
        }
    }
}

/// The definition a row describes; `None` when it cannot be read.
pub(crate) fn role(row: &RoleRow) -> Option<RoleDefinition> {
    let blocks: Vec<PermissionText> = serde_json::from_value(row.permissions.clone()).ok()?;
    RoleDefinition::custom(row.id.parse().ok()?, &row.name, &row.description, &row.assignable, blocks).ok()
}

/// `denyAssignmentEffect` `audit`: written down, never enforced.
fn is_audit_only(row: &DenyRow) -> bool {
    let effect = row.body.get("denyAssignmentEffect").and_then(Value::as_str);
    effect.is_some_and(|e| e.eq_ignore_ascii_case("audit"))
}

fn deny(id: cs_rbac::AssignmentId, row: &DenyRow) -> DenyAssignment {
    let ids = |name: &str| -> Vec<ObjectId> {
        let all = row.body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(|p| p.get("id")?.as_str()?.parse().ok()).collect()
    };
    let blocks = row.body.get("permissions").cloned().unwrap_or_default();
    let blocks: Option<Vec<PermissionText>> = serde_json::from_value(blocks).ok();
    let read = |blocks: Vec<PermissionText>| {
        blocks.into_iter().map(Permission::parse).collect::<Result<Vec<_>, _>>().ok()
    };
    DenyAssignment {
        id,
        scope: row.scope.clone(),
        only_here: row.body.get("doNotApplyToChildScopes") == Some(&Value::Bool(true)),
        principals: ids("principals"),
        excluded: ids("excludePrincipals"),
        permissions: blocks.and_then(read).unwrap_or_else(everything),
        condition: row.body.get("condition").and_then(Value::as_str).map(str::to_owned),
    }
}

fn everything() -> Vec<Permission> {
    let all = || vec!["*".to_owned()];
    let text = PermissionText { actions: all(), data_actions: all(), ..PermissionText::default() };
    Permission::parse(text).into_iter().collect()
}
