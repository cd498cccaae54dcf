//! Members of groups, owners of objects.

use std::collections::{HashSet, VecDeque};

use cs_ids::ObjectId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, LinkKind, Principal, PrincipalKind, StoreError};

use crate::{DirectoryError, Principals};

/// Groups within groups are followed to this many groups in all; cycles end by themselves.
const GROUPS_MAX: usize = 10_000;
/// Members read at a time.
const PAGE: u32 = 1000;

impl Principals {
    /// Adds a member or owner.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`], [`DirectoryError::LinkExists`], [`DirectoryError::Invalid`] for a group in itself.
    pub async fn link(
        &self,
        op: &Operation,
        allowed: &Allowed,
        (holder, kind): (ObjectId, LinkKind),
        who: ObjectId,
    ) -> Result<(), DirectoryError> {
        let found = self.by_object(op.caller.tenant, who).await?;
        let found = found.ok_or_else(|| DirectoryError::NoObject(who.to_string()))?;
        if kind == LinkKind::Owner && found.kind == PrincipalKind::Group || holder == who {
            return Err(DirectoryError::invalid("this object cannot be a member or owner of that one"));
        }
        let record = AuditRecord::done(op, allowed);
        match self.objects.link(op.caller.tenant, holder, kind, who, record).await {
            Err(StoreError::Exists(_)) => Err(DirectoryError::LinkExists),
            other => Ok(other?),
        }
    }

    /// # Errors
    /// [`DirectoryError::NoLink`].
    pub async fn unlink(
        &self,
        op: &Operation,
        allowed: &Allowed,
        (holder, kind): (ObjectId, LinkKind),
        who: ObjectId,
    ) -> Result<(), DirectoryError> {
        let record = AuditRecord::done(op, allowed);
        match self.objects.unlink(op.caller.tenant, holder, kind, who, record).await? {
            true => Ok(()),
            false => Err(DirectoryError::NoLink),
        }
    }

    /// A page of members or owners, in the order of their ids.
    pub async fn linked(
        &self,
        op: &Operation,
        (holder, kind): (ObjectId, LinkKind),
        after: Option<ObjectId>,
        limit: u32,
    ) -> Result<Vec<Principal>, DirectoryError> {
        let ids = self.objects.linked(op.caller.tenant, holder, kind, after, limit).await?;
        self.by_objects(op.caller.tenant, &ids).await
    }

    /// Whoever is in a group, also through groups in it.
    pub async fn transitive_members(
        &self,
        op: &Operation,
        group: ObjectId,
        limit: usize,
    ) -> Result<Vec<Principal>, DirectoryError> {
        let (mut seen, mut waiting) = (HashSet::from([group]), VecDeque::from([group]));
        let mut found = Vec::new();
        while let Some(next) = waiting.pop_front() {
            let mut after = None;
            loop {
                let page = self.linked(op, (next, LinkKind::Member), after, PAGE).await?;
                let Some(last) = page.last().map(|p| p.object) else { break };
                after = Some(last);
                for member in page {
                    if found.len() >= limit {
                        return Ok(found);
                    }
                    if seen.insert(member.object) {
                        if member.kind == PrincipalKind::Group {
                            waiting.push_back(member.object);
                        }
                        found.push(member);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The groups somebody is in directly.
    pub async fn direct_groups_of(
        &self,
        op: &Operation,
        who: ObjectId,
    ) -> Result<Vec<ObjectId>, DirectoryError> {
        Ok(self.objects.holders(op.caller.tenant, who, LinkKind::Member).await?)
    }

    /// The groups somebody is in, also through groups.
    pub async fn groups_of(&self, op: &Operation, who: ObjectId) -> Result<Vec<ObjectId>, DirectoryError> {
        let (mut found, mut waiting) = (Vec::new(), VecDeque::from([who]));
        while let Some(next) = waiting.pop_front() {
            for group in self.objects.holders(op.caller.tenant, next, LinkKind::Member).await? {
                if !found.contains(&group) && found.len() < GROUPS_MAX {
                    found.push(group);
                    waiting.push_back(group);
                }
            }
        }
        Ok(found)
    }
}
