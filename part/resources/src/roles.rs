//! Custom roles (rbac.md 2).

use std::sync::Arc;

use cs_ids::{ObjectId, Scope};
use cs_rbac::{
    Allowed, Operation, PermissionText, RoleDefinition, RoleId, builtin_role, builtin_role_named,
    builtin_roles,
};
use cs_store::{AuditRecord, RoleRow, StoreError};
use cs_time::Timestamp;
use serde_json::json;

use crate::{Manager, ResourceError};

/// Custom roles of one tenant at most (rbac.md 10).
const PER_TENANT_MAX: u32 = 5000;
const NAME_MAX_CHARS: usize = 512;
const DESCRIPTION_MAX_CHARS: usize = 2048;
/// Patterns of one role at most, of all four lists together.
const PATTERNS_MAX: usize = 2048;
const SCOPES_MAX: usize = 500;

/// A role as a caller defines it.
#[derive(Debug, Clone, Default)]
pub struct RoleInput {
    pub name: String,
    pub description: String,
    pub permissions: Vec<PermissionText>,
    pub assignable: Vec<String>,
}

/// A role of the product or of the tenant.
#[derive(Debug, Clone)]
pub struct KnownRole {
    pub definition: Arc<RoleDefinition>,
    /// Of custom roles: when and by whom.
    pub made: Option<Made>,
}

#[derive(Debug, Clone)]
pub struct Made {
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
}

impl KnownRole {
    fn of(row: &RoleRow) -> Option<Self> {
        let blocks: Vec<PermissionText> = serde_json::from_value(row.permissions.clone()).ok()?;
        let id = row.id.parse().ok()?;
        let definition =
            RoleDefinition::custom(id, &row.name, &row.description, &row.assignable, blocks).ok()?;
        let made = Made {
            created: row.created,
            updated: row.updated,
            created_by: row.created_by,
            updated_by: row.updated_by,
        };
        Some(Self { definition: Arc::new(definition), made: Some(made) })
    }

    fn builtin(role: &Arc<RoleDefinition>) -> Self {
        Self { definition: Arc::clone(role), made: None }
    }
}

impl Manager {
    /// A role by its GUID.
    pub async fn role(&self, op: &Operation, id: &RoleId) -> Result<Option<KnownRole>, ResourceError> {
        if let Some(role) = builtin_role(id) {
            return Ok(Some(KnownRole::builtin(role)));
        }
        let row = self.at.rules.role(op.caller.tenant, id.to_string()).await?;
        Ok(row.as_ref().and_then(KnownRole::of))
    }

    /// Roles that may be assigned at a scope: built-in ones and the tenant's own.
    pub async fn roles_at(&self, op: &Operation, scope: &Scope) -> Result<Vec<KnownRole>, ResourceError> {
        let custom = self.at.rules.roles(op.caller.tenant).await?;
        let all = builtin_roles().map(KnownRole::builtin).chain(custom.iter().filter_map(KnownRole::of));
        Ok(all.filter(|r| self.is_assignable(op, &r.definition, scope)).collect())
    }

    /// Whether a role may be assigned there; the tenant's root management group is above every subscription.
    pub(crate) fn is_assignable(&self, op: &Operation, role: &RoleDefinition, scope: &Scope) -> bool {
        let root = Scope::management_root(op.caller.tenant);
        role.assignable_at(scope) || role.assignable.contains(&root) && !scope.contains(&Scope::root())
    }

    /// Where the caller must be allowed to write roles, for a role with these assignable scopes.
    ///
    /// # Errors
    /// [`ResourceError::BadAssignableScope`] for what is no management group, subscription or resource group of ours.
    pub async fn assignable_scopes(
        &self,
        op: &Operation,
        assignable: &[String],
    ) -> Result<Vec<Scope>, ResourceError> {
        let bad = |text: &str| ResourceError::BadAssignableScope(text.chars().take(200).collect());
        if assignable.is_empty() || assignable.len() > SCOPES_MAX {
            return Err(bad(assignable.first().map_or("", String::as_str)));
        }
        let mut all = Vec::new();
        for text in assignable {
            let scope = Scope::parse(text).map_err(|_| bad(text))?;
            if scope != Scope::management_root(op.caller.tenant) {
                let id = cs_ids::ResourceId::parse(scope.as_str()).map_err(|_| bad(text))?;
                if id.kind().is_some() {
                    return Err(bad(text));
                }
                self.subscription(op, id.subscription()).await.map_err(|_| bad(text))?;
            }
            all.push(scope);
        }
        Ok(all)
    }

    /// Defines a role, or defines it anew. That the caller may do so at every assignable scope was asked before.
    ///
    /// # Errors
    /// [`ResourceError::BadRole`], [`ResourceError::RoleNameTaken`], [`ResourceError::BuiltInRole`],
    /// [`ResourceError::TooManyRoles`].
    pub async fn put_role(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &RoleId,
        new: RoleInput,
    ) -> Result<KnownRole, ResourceError> {
        if builtin_role(id).is_some() {
            return Err(ResourceError::BuiltInRole);
        }
        check(&new)?;
        RoleDefinition::custom(*id, &new.name, &new.description, &new.assignable, new.permissions.clone())
            .map_err(|e| ResourceError::BadRole(e.to_string()))?;
        if builtin_role_named(&new.name).is_some() {
            return Err(ResourceError::RoleNameTaken(new.name));
        }
        let now = self.at.clock.now();
        let row = RoleRow {
            tenant: op.caller.tenant,
            id: id.to_string(),
            name: new.name.trim().to_owned(),
            description: new.description,
            permissions: json!(new.permissions),
            assignable: new.assignable,
            created: now,
            updated: now,
            created_by: Some(op.caller.object),
            updated_by: Some(op.caller.object),
            deleted: false,
        };
        let name = row.name.clone();
        match self.at.rules.put_role(row, PER_TENANT_MAX, AuditRecord::done(op, allowed)).await {
            Ok(stored) => {
                KnownRole::of(&stored).ok_or(ResourceError::BadRole("it cannot be read".to_owned()))
            }
            Err(StoreError::Exists(_)) => Err(ResourceError::RoleNameTaken(name)),
            Err(StoreError::Conflict(_)) => Err(ResourceError::TooManyRoles),
            Err(other) => Err(other.into()),
        }
    }

    /// Forgets a role; answers it, or `None` when it was not there.
    ///
    /// # Errors
    /// [`ResourceError::RoleIsAssigned`], [`ResourceError::BuiltInRole`].
    pub async fn delete_role(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &RoleId,
    ) -> Result<Option<KnownRole>, ResourceError> {
        if builtin_role(id).is_some() {
            return Err(ResourceError::BuiltInRole);
        }
        let record = AuditRecord::done(op, allowed);
        match self.at.rules.remove_role(op.caller.tenant, id.to_string(), record).await {
            Ok(gone) => Ok(gone.as_ref().and_then(KnownRole::of)),
            Err(StoreError::Conflict(_)) => Err(ResourceError::RoleIsAssigned),
            Err(other) => Err(other.into()),
        }
    }
}

fn check(new: &RoleInput) -> Result<(), ResourceError> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
        return Err(ResourceError::invalid("roleName", "must have 1 to 512 characters"));
    }
    if new.description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(ResourceError::invalid("description", "may have at most 2048 characters"));
    }
    let [block] = new.permissions.as_slice() else {
        return Err(ResourceError::invalid("permissions", "must hold exactly one permission"));
    };
    let lists = [&block.actions, &block.not_actions, &block.data_actions, &block.not_data_actions];
    if lists.iter().map(|l| l.len()).sum::<usize>() > PATTERNS_MAX {
        return Err(ResourceError::invalid("permissions", "may hold at most 2048 operations"));
    }
    if block.condition.is_some() {
        return Err(ResourceError::invalid("permissions", "may have no condition in a custom role"));
    }
    Ok(())
}
