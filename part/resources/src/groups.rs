//! Resource groups.

use cs_ids::{GroupName, ResourceId};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, DeletedFilter, Resource, ResourceFilter};

use crate::{
    Input, Manager, Patch, ResourceError, VAULTS, input,
    kinds::{Members, Rules},
    vaults::is_purge_protected,
    write::Companions,
};

/// The type of groups.
pub const GROUPS: &str = "Microsoft.Resources/resourceGroups";

struct GroupRules;

impl Rules for GroupRules {
    const KIND: &'static str = GROUPS;

    /// A group has no properties that mean anything here; what is sent goes round.
    fn members(&self, _: Option<&Resource>, _: &str, given: Members) -> Result<Members, ResourceError> {
        let properties = input::without_read_only(given.properties, &["provisioningState"]);
        Ok(Members { properties, ..given })
    }
}

impl Manager {
    /// Creates or updates a group. Answers it and whether it is new.
    ///
    /// # Errors
    /// [`ResourceError::BadName`], [`ResourceError::LocationRequired`], [`ResourceError::LocationFixed`],
    /// [`ResourceError::BadTags`].
    pub async fn put_group(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        let name: GroupName = id.name().parse()?;
        let id = ResourceId::of_group(id.subscription(), name.as_str());
        self.put(op, allowed, &id, new, Companions::default(), &GroupRules).await
    }

    /// Replaces a group's tags, where given.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`], [`ResourceError::BadTags`].
    pub async fn patch_group(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
    ) -> Result<Resource, ResourceError> {
        self.patch(op, allowed, id, patch, &GroupRules).await
    }

    /// Removes a group with everything in it and the role assignments at and below it. A vault that is protected
    /// against purging keeps its group alive.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`], [`ResourceError::PurgeProtected`].
    pub async fn delete_group(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<(), ResourceError> {
        let tenant = op.caller.tenant;
        let filter = ResourceFilter {
            subscription: Some(id.subscription()),
            group: Some(id.name().to_ascii_lowercase()),
            kind: Some(VAULTS.to_lowercase()),
            limit: u32::MAX,
            ..ResourceFilter::default()
        };
        let live = self.at.resources.resources(tenant, filter).await?;
        let below =
            DeletedFilter { below: Some(id.key().to_owned()), limit: u32::MAX, ..DeletedFilter::default() };
        let deleted = self.at.resources.deleted_resources(tenant, id.subscription(), below).await?;
        if let Some(vault) = deleted.iter().chain(&live).find(|r| is_purge_protected(r)) {
            return Err(ResourceError::PurgeProtected(vault.id.name().to_owned()));
        }
        let record = AuditRecord::done(op, allowed);
        if self.at.resources.remove_resource(tenant, id.clone(), record).await? {
            return Ok(());
        }
        Err(ResourceError::NoGroup(id.name().to_owned()))
    }
}
