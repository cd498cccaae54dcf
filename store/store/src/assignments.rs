//! Role assignments.

use async_trait::async_trait;
use cs_ids::{ObjectId, Scope, TenantId};
use cs_time::Timestamp;

use crate::{AuditRecord, Part, Place, Revision, StoreError};

/// A role assignment (rbac.md 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub tenant: TenantId,
    /// The GUID in its name, as written.
    pub name: String,
    pub scope: Scope,
    /// GUID of the role definition, lower case.
    pub role: String,
    pub principal: ObjectId,
    pub principal_type: String,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub description: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
    pub deleted: bool,
    pub revision: Revision,
}

impl Assignment {
    /// Where lists hold it.
    pub fn place(&self) -> Place {
        Place { scope: self.scope.key().to_owned(), name: self.name.to_ascii_lowercase() }
    }
}

/// Which assignments to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentFilter {
    pub scope: Scope,
    /// Also those whose scope lies below `scope` (those at and above it are always listed).
    pub below: bool,
    pub principals: Option<Vec<ObjectId>>,
    pub part: Part,
}

#[async_trait]
pub trait Assignments: Send + Sync {
    /// By scope and name.
    async fn assignment(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
    ) -> Result<Option<Assignment>, StoreError>;

    /// In the order of [`Part`].
    async fn assignments(
        &self,
        tenant: TenantId,
        filter: AssignmentFilter,
    ) -> Result<Vec<Assignment>, StoreError>;

    /// How many there are at and below a scope.
    async fn count_assignments(&self, tenant: TenantId, scope: Scope) -> Result<u64, StoreError>;

    /// Everything changed after `revision`, tombstones too, with the revision this answer is complete up to.
    async fn assignments_since(
        &self,
        tenant: TenantId,
        revision: Revision,
    ) -> Result<(Vec<Assignment>, Revision), StoreError>;

    /// Inserts, or updates condition and description where name, scope, role and principal are the same.
    /// Answers the stored row (with its revision) and whether it is new.
    ///
    /// # Errors
    /// `Exists(name)` when another name holds the same scope, role and principal; `Conflict` when the name is
    /// taken in the tenant for another scope, role or principal; `Missing` when the principal is not in the directory.
    async fn put_assignment(
        &self,
        assignment: Assignment,
        audit: AuditRecord,
    ) -> Result<(Assignment, bool), StoreError>;

    /// The removed row (a tombstone with its revision), or `None` when it was not there.
    async fn remove_assignment(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
        audit: AuditRecord,
    ) -> Result<Option<Assignment>, StoreError>;
}
