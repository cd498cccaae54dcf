//! Moving resources to another group (arm.md 4.4).
//!
//! What moves takes along what is its own: children, content, its host name, its identity. User-assigned identities stay
//! where they were made, as in the original: machines name them by their ids.

use cs_ids::ResourceId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, StoreError};

use crate::{ACCOUNTS, Deed, MACHINES, Manager, ResourceError, SERVERS, VAULTS};

/// Resources one call may name.
const MOVED_MAX: usize = 800;
/// Types whose resources move; children go with what they are children of.
const MOVABLE: &[&str] = &[MACHINES, VAULTS, ACCOUNTS, SERVERS];

impl Manager {
    /// What would move where.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`], [`ResourceError::NoResource`], [`ResourceError::NotMovable`],
    /// [`ResourceError::Locked`], [`ResourceError::Invalid`].
    pub async fn plan_move(
        &self,
        op: &Operation,
        from: &ResourceId,
        resources: &[ResourceId],
        target: &ResourceId,
    ) -> Result<Vec<(ResourceId, ResourceId)>, ResourceError> {
        let bad = |why: &str| ResourceError::invalid("resources", why.to_owned());
        if resources.is_empty() || resources.len() > MOVED_MAX {
            return Err(bad("must name 1 to 800 resources"));
        }
        if target.group().is_none() || target.kind().is_some() {
            return Err(ResourceError::invalid("targetResourceGroup", "must be the id of a resource group"));
        }
        if target == from {
            return Err(ResourceError::invalid("targetResourceGroup", "must be another resource group"));
        }
        let target = self.existing(op, target).await?.id;
        let mut moves: Vec<(ResourceId, ResourceId)> = Vec::new();
        for id in resources {
            if !from.scope().contains(id.scope()) || id == from {
                return Err(bad("must lie in the resource group of the request"));
            }
            let resource = self.existing(op, id).await?;
            let Some(kind) = MOVABLE.iter().find(|kind| kind.eq_ignore_ascii_case(&resource.kind)) else {
                return Err(ResourceError::NotMovable(Box::new(resource.id)));
            };
            self.check_locks(op, id.scope(), Deed::Delete { whole: true }).await?;
            let to = self.id_in_group(op, &target, kind, resource.id.name()).await?;
            if moves.iter().any(|(known, _)| *known == resource.id) {
                return Err(bad("names a resource twice"));
            }
            if self.is_there(op, &to).await? {
                return Err(ResourceError::MoveTargetTaken(Box::new(to)));
            }
            moves.push((resource.id, to));
        }
        Ok(moves)
    }

    /// Moves them, all or none.
    ///
    /// # Errors
    /// As [`Manager::plan_move`].
    pub async fn move_resources(
        &self,
        op: &Operation,
        allowed: &Allowed,
        moves: Vec<(ResourceId, ResourceId)>,
    ) -> Result<(), ResourceError> {
        let first = moves.first().map(|(_, to)| to.clone());
        match self.at.resources.move_resources(op.caller.tenant, moves, AuditRecord::done(op, allowed)).await
        {
            Err(StoreError::Exists(_) | StoreError::Missing(_)) => match first {
                // Somebody changed what was planned with.
                Some(to) => Err(ResourceError::Busy(Box::new(to))),
                None => Ok(()),
            },
            other => Ok(other?),
        }
    }
}
