//! Locks (arm.md 4.10): they bind owners too, and are asked after authorisation.

use cs_ids::Scope;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Lock, LockLevel, Part, Place};

use crate::{
    Manager, ResourceError,
    listing::{Page, part_of},
};

const NAME_MAX_CHARS: usize = 90;
const NOTES_MAX_CHARS: usize = 512;

/// What a call is about to do to its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Write,
    /// Removes something of the scope, or (`whole`) the scope with all below it.
    Delete {
        whole: bool,
    },
}

impl Manager {
    /// Whether locks let it happen.
    ///
    /// # Errors
    /// [`ResourceError::Locked`].
    pub async fn check_locks(&self, op: &Operation, scope: &Scope, deed: Deed) -> Result<(), ResourceError> {
        let below = deed == Deed::Delete { whole: true };
        let all = self.at.locks.locks(op.caller.tenant, scope.clone(), below, Part::WHOLE).await?;
        let forbids = |lock: &&Lock| lock.level == LockLevel::ReadOnly || deed != Deed::Write;
        let holding: Vec<String> = all.iter().filter(forbids).map(|l| l.scope.to_string()).collect();
        if holding.is_empty() {
            return Ok(());
        }
        let what = if deed == Deed::Write { "write" } else { "delete" };
        Err(ResourceError::Locked { scope: Box::new(scope.clone()), what, by: holding.join(",") })
    }

    /// A page of the locks at a scope, above it and, where asked for, below.
    ///
    /// # Errors
    /// [`ResourceError::NoScope`] and its kin.
    pub async fn locks(
        &self,
        op: &Operation,
        scope: &Scope,
        below: bool,
        part: Part,
    ) -> Result<Page<Lock, Place>, ResourceError> {
        self.scope_exists(op, scope).await?;
        let (part, size) = part_of(part);
        let rows = self.at.locks.locks(op.caller.tenant, scope.clone(), below, part).await?;
        Ok(Page::of(rows, size, Lock::place))
    }

    /// One lock, at exactly this scope.
    pub async fn lock(
        &self,
        op: &Operation,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Lock>, ResourceError> {
        let all = self.at.locks.locks(op.caller.tenant, scope.clone(), false, Part::WHOLE).await?;
        Ok(all.into_iter().find(|l| l.scope == *scope && l.name.to_lowercase() == name.to_lowercase()))
    }

    /// Creates or changes a lock. `true` when it is new.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`], [`ResourceError::NoScope`] and its kin.
    pub async fn put_lock(
        &self,
        op: &Operation,
        allowed: &Allowed,
        lock: Lock,
    ) -> Result<bool, ResourceError> {
        let odd = |c: char| c.is_control() || "<>%&\\?/".contains(c);
        let name = &lock.name;
        if name.is_empty() || name.chars().count() > NAME_MAX_CHARS || name.chars().any(odd) {
            return Err(ResourceError::invalid(
                "name",
                "must have 1 to 90 characters without < > % & \\ ? /",
            ));
        }
        if lock.notes.as_ref().is_some_and(|n| n.chars().count() > NOTES_MAX_CHARS) {
            return Err(ResourceError::invalid("notes", "may have at most 512 characters"));
        }
        self.scope_exists(op, &lock.scope).await?;
        Ok(self.at.locks.put_lock(lock, AuditRecord::done(op, allowed)).await?)
    }

    /// Takes a lock away. `false` when it was not there.
    pub async fn delete_lock(
        &self,
        op: &Operation,
        allowed: &Allowed,
        scope: &Scope,
        name: &str,
    ) -> Result<bool, ResourceError> {
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.locks.remove_lock(op.caller.tenant, scope.clone(), name.to_owned(), record).await?)
    }
}
