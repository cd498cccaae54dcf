//! What decisions look at beside role assignments: custom roles, deny assignments, locks.

use async_trait::async_trait;
use cs_ids::{ObjectId, Scope, TenantId};
use cs_time::Timestamp;
use serde_json::Value;

use crate::{AuditRecord, Part, Place, Revision, StoreError};

/// A role somebody defined (rbac.md 2).
#[derive(Debug, Clone, PartialEq)]
pub struct RoleRow {
    pub tenant: TenantId,
    /// GUID, lower case.
    pub id: String,
    /// Unique in the tenant, without regard to case.
    pub name: String,
    pub description: String,
    /// Permission blocks as written (a JSON array).
    pub permissions: Value,
    pub assignable: Vec<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
    pub deleted: bool,
}

/// A deny assignment (rbac.md 5): everything but its place is in `body`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenyRow {
    pub tenant: TenantId,
    /// GUID, lower case.
    pub id: String,
    pub scope: Scope,
    /// `properties` as written (a JSON object).
    pub body: Value,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub created_by: Option<ObjectId>,
    pub updated_by: Option<ObjectId>,
    pub deleted: bool,
}

impl DenyRow {
    /// Where lists hold it.
    pub fn place(&self) -> Place {
        Place { scope: self.scope.key().to_owned(), name: self.id.clone() }
    }
}

/// What a lock forbids (arm.md 4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockLevel {
    CanNotDelete,
    ReadOnly,
}

impl LockLevel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CanNotDelete => "CanNotDelete",
            Self::ReadOnly => "ReadOnly",
        }
    }

    /// Without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CanNotDelete, Self::ReadOnly].into_iter().find(|l| l.as_str().eq_ignore_ascii_case(text))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    pub tenant: TenantId,
    pub scope: Scope,
    /// Unique at its scope, without regard to case.
    pub name: String,
    pub level: LockLevel,
    pub notes: Option<String>,
    /// As written (a JSON array), kept for clients.
    pub owners: Value,
}

impl Lock {
    /// Where lists hold it.
    pub fn place(&self) -> Place {
        Place { scope: self.scope.key().to_owned(), name: self.name.to_lowercase() }
    }
}

/// What changed of the rules of a tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleChanges {
    pub roles: Vec<RoleRow>,
    pub denies: Vec<DenyRow>,
}

#[async_trait]
pub trait AccessRules: Send + Sync {
    async fn role(&self, tenant: TenantId, id: String) -> Result<Option<RoleRow>, StoreError>;

    /// All of a tenant, by name.
    async fn roles(&self, tenant: TenantId) -> Result<Vec<RoleRow>, StoreError>;

    /// Creates or changes one, with no more than `most` in the tenant. Answers the stored row.
    ///
    /// # Errors
    /// `Exists` when another has the name, `Conflict` when there are `most` already.
    async fn put_role(&self, role: RoleRow, most: u32, audit: AuditRecord) -> Result<RoleRow, StoreError>;

    /// The removed row, or `None` when it was not there.
    ///
    /// # Errors
    /// `Conflict` while it is assigned.
    async fn remove_role(
        &self,
        tenant: TenantId,
        id: String,
        audit: AuditRecord,
    ) -> Result<Option<RoleRow>, StoreError>;

    async fn deny(&self, tenant: TenantId, scope: Scope, id: String) -> Result<Option<DenyRow>, StoreError>;

    /// Those at a scope, above it and, where asked for, below.
    async fn denies(
        &self,
        tenant: TenantId,
        scope: Scope,
        below: bool,
        part: Part,
    ) -> Result<Vec<DenyRow>, StoreError>;

    /// Creates or changes one; `true` when it is new.
    ///
    /// # Errors
    /// `Conflict` when its id is that of one at another scope.
    async fn put_deny(&self, deny: DenyRow, audit: AuditRecord) -> Result<(DenyRow, bool), StoreError>;

    /// The removed row, or `None` when it was not there.
    async fn remove_deny(
        &self,
        tenant: TenantId,
        scope: Scope,
        id: String,
        audit: AuditRecord,
    ) -> Result<Option<DenyRow>, StoreError>;

    /// Everything changed after `revision`, tombstones too, with the revision this answer is complete up to.
    async fn rules_since(
        &self,
        tenant: TenantId,
        revision: Revision,
    ) -> Result<(RuleChanges, Revision), StoreError>;
}

#[async_trait]
pub trait Locks: Send + Sync {
    /// Those at a scope, above it and, where asked for, below.
    async fn locks(
        &self,
        tenant: TenantId,
        scope: Scope,
        below: bool,
        part: Part,
    ) -> Result<Vec<Lock>, StoreError>;

    /// `true` when it is new.
    async fn put_lock(&self, lock: Lock, audit: AuditRecord) -> Result<bool, StoreError>;

    /// `false` when it was not there.
    async fn remove_lock(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;
}
