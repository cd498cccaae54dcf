//! Deny assignments (rbac.md 5).

use cs_ids::{ObjectId, Scope};
use cs_rbac::{Allowed, AssignmentId, Condition, Operation, Permission, PermissionText};
use cs_store::{AuditRecord, DenyRow, Part, Place, StoreError};
use serde_json::{Map, Value, json};

use crate::{
    Manager, ResourceError, input,
    listing::{Page, part_of},
};

/// Said by the product, ignored when sent back.
const READ_ONLY: &[&str] =
    &["scope", "isSystemProtected", "createdOn", "updatedOn", "createdBy", "updatedBy"];
const PRINCIPALS_MAX: usize = 500;

impl Manager {
    /// Creates or changes a deny assignment; answers it and whether it is new.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`], [`ResourceError::AssignmentFixed`] when the name is that of one elsewhere.
    pub async fn put_deny(
        &self,
        op: &Operation,
        allowed: &Allowed,
        (scope, name): (&Scope, &str),
        given: Map<String, Value>,
    ) -> Result<(DenyRow, bool), ResourceError> {
        let id: AssignmentId = name.parse().map_err(|_| ResourceError::BadAssignmentName(name.to_owned()))?;
        if scope.key() == "/" {
            // It would bind everybody who could ever take it away.
            return Err(ResourceError::invalid("scope", "may not be the root"));
        }
        self.scope_exists(op, scope).await?;
        let now = self.at.clock.now();
        let row = DenyRow {
            tenant: op.caller.tenant,
            id: id.to_string(),
            scope: scope.clone(),
            body: Value::Object(body(given)?),
            created: now,
            updated: now,
            created_by: Some(op.caller.object),
            updated_by: Some(op.caller.object),
            deleted: false,
        };
        match self.at.rules.put_deny(row, AuditRecord::done(op, allowed)).await {
            Err(StoreError::Conflict(_)) => Err(ResourceError::AssignmentFixed),
            other => Ok(other?),
        }
    }

    pub async fn deny(
        &self,
        op: &Operation,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<DenyRow>, ResourceError> {
        Ok(self.at.rules.deny(op.caller.tenant, scope.clone(), name.to_ascii_lowercase()).await?)
    }

    /// A page of those at a scope, above it and, where asked for, below.
    pub async fn denies(
        &self,
        op: &Operation,
        scope: &Scope,
        below: bool,
        part: Part,
    ) -> Result<Page<DenyRow, Place>, ResourceError> {
        let (part, size) = part_of(part);
        let rows = self.at.rules.denies(op.caller.tenant, scope.clone(), below, part).await?;
        Ok(Page::of(rows, size, DenyRow::place))
    }

    /// Takes one away. `false` when it was not there.
    pub async fn delete_deny(
        &self,
        op: &Operation,
        allowed: &Allowed,
        scope: &Scope,
        name: &str,
    ) -> Result<bool, ResourceError> {
        let (name, record) = (name.to_ascii_lowercase(), AuditRecord::done(op, allowed));
        Ok(self.at.rules.remove_deny(op.caller.tenant, scope.clone(), name, record).await?.is_some())
    }
}

/// Everything that decides is read once here, so that nothing is stored that could only be guessed at later.
fn body(given: Map<String, Value>) -> Result<Map<String, Value>, ResourceError> {
    let mut all = input::without_read_only(given, READ_ONLY);
    let name = input::text(&all, "denyAssignmentName")?.unwrap_or_default();
    if name.trim().is_empty() || name.chars().count() > 512 {
        return Err(ResourceError::invalid("denyAssignmentName", "must have 1 to 512 characters"));
    }
    input::flag(&all, "doNotApplyToChildScopes")?;
    for (list, needed) in [("principals", true), ("excludePrincipals", false)] {
        principals(&mut all, list, needed)?;
    }
    let blocks = all.get("permissions").cloned().unwrap_or_default();
    let blocks: Vec<PermissionText> = serde_json::from_value(blocks)
        .map_err(|_| ResourceError::invalid("permissions", "must be a list of permissions"))?;
    if blocks.is_empty() {
        return Err(ResourceError::invalid("permissions", "must hold at least one permission"));
    }
    for block in &blocks {
        Permission::parse(block.clone()).map_err(|e| ResourceError::BadRole(e.to_string()))?;
        block.condition.as_deref().map(Condition::parse).transpose()?;
    }
    all.insert("permissions".to_owned(), json!(blocks));
    input::text(&all, "condition")?.map(Condition::parse).transpose()?;
    if let Some(effect) = input::text(&all, "denyAssignmentEffect")? {
        if !["enforced", "audit"].iter().any(|e| e.eq_ignore_ascii_case(effect)) {
            return Err(ResourceError::invalid("denyAssignmentEffect", "must be enforced or audit"));
        }
    }
    Ok(all)
}

fn principals(all: &mut Map<String, Value>, name: &'static str, needed: bool) -> Result<(), ResourceError> {
    let bad = || ResourceError::invalid(name, "must be a list of objects with the 'id' of a principal");
    let list = match all.get(name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(_) => return Err(bad()),
    };
    if needed && list.is_empty() || list.len() > PRINCIPALS_MAX {
        return Err(ResourceError::invalid(name, "must name 1 to 500 principals"));
    }
    let mut tidy = Vec::new();
    for entry in &list {
        let id = entry.get("id").and_then(Value::as_str).ok_or_else(bad)?;
        let id: ObjectId = id.parse().map_err(|_| bad())?;
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or("SystemDefined");
        tidy.push(json!({"id": id.to_string(), "type": kind}));
    }
    all.insert(name.to_owned(), Value::Array(tidy));
    Ok(())
}
