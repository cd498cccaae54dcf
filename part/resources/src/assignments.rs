//! Role assignments (rbac.md 3).

use std::sync::Arc;

use cs_ids::{ObjectId, Scope};
use cs_rbac::{Allowed, AssignmentId, Condition, Operation, RoleDefinition, RoleId};
use cs_store::{Assignment, AssignmentFilter, AuditRecord, Part, Place, Principal, StoreError};
use uuid::Uuid;

use crate::{
    Manager, ResourceError,
    listing::{Page, part_of},
};

/// Role assignments of a subscription at most, its groups and resources included.
const PER_SUBSCRIPTION_MAX: u64 = 4000;
const DESCRIPTION_MAX_CHARS: usize = 2048;

/// An assignment to make.
#[derive(Debug, Clone)]
pub struct AssignmentInput {
    /// A full id with any scope before it, or the GUID alone: only the GUID counts.
    pub role: String,
    pub principal: ObjectId,
    pub principal_type: Option<String>,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub description: Option<String>,
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    New,
    Updated,
}

/// What of a principal conditions on assignments look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrincipalHint(pub Option<&'static str>);

/// Which assignments a list shows.
#[derive(Debug, Clone, Default)]
pub struct ListWhich {
    /// Nothing below the scope (`atScope()`).
    pub not_below: bool,
    /// Only of these principals.
    pub principals: Option<Vec<ObjectId>>,
}

impl Manager {
    /// Makes an assignment, or updates description and condition of one.
    ///
    /// # Errors
    /// The many of rbac.md 3: see [`ResourceError`].
    pub async fn put_assignment(
        &self,
        op: &Operation,
        allowed: &Allowed,
        scope: &Scope,
        name: &str,
        new: AssignmentInput,
    ) -> Result<(Assignment, Existing), ResourceError> {
        let id: AssignmentId = name.parse().map_err(|_| ResourceError::BadAssignmentName(name.to_owned()))?;
        let role = self.assignable_role(op, &new.role, scope).await?;
        let condition = readable_condition(&new)?;
        if new.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_MAX_CHARS) {
            return Err(ResourceError::invalid("description", "may have at most 2048 characters"));
        }
        self.scope_exists(op, scope).await?;
        let principal = self.assignee(op, &new).await?;
        self.check_room(op, scope).await?;
        let now = self.at.clock.now();
        let row = Assignment {
            tenant: op.caller.tenant,
            name: id.to_string(),
            scope: scope.clone(),
            role: role.id.to_string(),
            principal: principal.object,
            principal_type: principal.kind.principal_type().to_owned(),
            condition_version: condition.as_ref().map(|_| "2.0".to_owned()),
            condition,
            description: new.description,
            created: now,
            updated: now,
            created_by: Some(op.caller.object),
            updated_by: Some(op.caller.object),
            deleted: false,
            revision: 0,
        };
        let missing = ResourceError::NoPrincipal { object: new.principal, tenant: op.caller.tenant };
        match self.at.assignments.put_assignment(row, AuditRecord::done(op, allowed)).await {
            Ok((stored, true)) => Ok((stored, Existing::New)),
            Ok((stored, false)) => Ok((stored, Existing::Updated)),
            Err(StoreError::Exists(other)) => Err(ResourceError::AssignmentExists(other)),
            Err(StoreError::Conflict(_)) => Err(ResourceError::AssignmentFixed),
            Err(StoreError::Missing(_)) => Err(missing),
            Err(other) => Err(other.into()),
        }
    }

    /// One assignment.
    ///
    /// # Errors
    /// [`ResourceError::BadAssignmentName`].
    pub async fn assignment(
        &self,
        op: &Operation,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Assignment>, ResourceError> {
        let id: AssignmentId = name.parse().map_err(|_| ResourceError::BadAssignmentName(name.to_owned()))?;
        Ok(self.at.assignments.assignment(op.caller.tenant, scope.clone(), id.to_string()).await?)
    }

    /// Takes an assignment away; answers it, or `None` when it was not there.
    ///
    /// # Errors
    /// [`ResourceError::BadAssignmentName`].
    pub async fn delete_assignment(
        &self,
        op: &Operation,
        allowed: &Allowed,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Assignment>, ResourceError> {
        let id: AssignmentId = name.parse().map_err(|_| ResourceError::BadAssignmentName(name.to_owned()))?;
        let (tenant, record) = (op.caller.tenant, AuditRecord::done(op, allowed));
        Ok(self.at.assignments.remove_assignment(tenant, scope.clone(), id.to_string(), record).await?)
    }

    /// A page of the assignments at a scope, above it and (unless told otherwise) below it.
    pub async fn list_assignments(
        &self,
        op: &Operation,
        scope: &Scope,
        which: ListWhich,
        part: Part,
    ) -> Result<Page<Assignment, Place>, ResourceError> {
        let (part, size) = part_of(part);
        let ListWhich { not_below, principals } = which;
        let filter = AssignmentFilter { scope: scope.clone(), below: !not_below, principals, part };
        let rows = self.at.assignments.assignments(op.caller.tenant, filter).await?;
        Ok(Page::of(rows, size, Assignment::place))
    }

    /// `principalType` of a principal as the directory knows it; what conditions on `roleAssignments/write` see,
    /// since the type a request names is only a claim.
    pub async fn principal_type(
        &self,
        op: &Operation,
        principal: ObjectId,
    ) -> Result<PrincipalHint, ResourceError> {
        let found = self.at.directory.principal(op.caller.tenant, principal).await?;
        Ok(PrincipalHint(found.map(|p| p.kind.principal_type())))
    }

    async fn assignable_role(
        &self,
        op: &Operation,
        text: &str,
        scope: &Scope,
    ) -> Result<Arc<RoleDefinition>, ResourceError> {
        let id = role_guid(text).ok_or_else(|| ResourceError::NoRole(text.chars().take(200).collect()))?;
        let role = self.role(op, &id).await?.ok_or_else(|| ResourceError::NoRole(simple(id.uuid())))?;
        match self.is_assignable(op, &role.definition, scope) {
            true => Ok(role.definition),
            false => Err(ResourceError::RoleNotAssignable(id)),
        }
    }

    async fn assignee(&self, op: &Operation, new: &AssignmentInput) -> Result<Principal, ResourceError> {
        let found = self.at.directory.principal(op.caller.tenant, new.principal).await?;
        let missing = ResourceError::NoPrincipal { object: new.principal, tenant: op.caller.tenant };
        let principal = found.ok_or(missing)?;
        let is = principal.kind.principal_type();
        // `User` is what the model fills in where a client says nothing; older clients say `MSI` or `Application`.
        let fits = |given: &str| {
            given.eq_ignore_ascii_case(is)
                || is == "ServicePrincipal"
                    && (given.eq_ignore_ascii_case("MSI") || given.eq_ignore_ascii_case("Application"))
        };
        match &new.principal_type {
            Some(given) if !fits(given) => Err(ResourceError::OtherPrincipalType {
                principal: new.principal,
                found: is,
                given: given.chars().filter(|c| !c.is_control()).take(40).collect(),
            }),
            _ => Ok(principal),
        }
    }

    async fn check_room(&self, op: &Operation, scope: &Scope) -> Result<(), ResourceError> {
        let Ok(id) = cs_ids::ResourceId::parse(scope.as_str()) else { return Ok(()) };
        let whole = cs_ids::ResourceId::of_subscription(id.subscription()).scope().clone();
        let inside = self.at.assignments.count_assignments(op.caller.tenant, whole).await?;
        if inside >= PER_SUBSCRIPTION_MAX { Err(ResourceError::TooManyAssignments) } else { Ok(()) }
    }
}

/// The GUID of a role id, with or without a scope before it.
pub fn role_guid(text: &str) -> Option<RoleId> {
    text.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}

/// 32 hexadecimal digits, as messages print ids.
pub fn simple(id: Uuid) -> String {
    id.as_simple().to_string()
}

/// The condition of an assignment, if it has one. What does not parse is refused here, so that nothing is stored
/// that would silently never grant.
fn readable_condition(new: &AssignmentInput) -> Result<Option<String>, ResourceError> {
    let Some(text) = new.condition.as_deref().filter(|c| !c.trim().is_empty()) else { return Ok(None) };
    if new.condition_version.as_deref().is_some_and(|v| v != "2.0") {
        return Err(ResourceError::invalid("conditionVersion", "must be 2.0"));
    }
    Condition::parse(text)?;
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_guid_of_a_role_id_counts() {
        let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
        for text in [
            reader.to_owned(),
            format!("/providers/Microsoft.Authorization/roleDefinitions/{}", reader.to_uppercase()),
            format!("/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{reader}/"),
        ] {
            assert_eq!(role_guid(&text).unwrap().to_string(), reader, "{text}");
        }
        assert_eq!(role_guid("Reader"), None);
    }
}
