//! Resource groups.

use cs_ids::{GroupName, ResourceId};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Resource, ResourceFilter};
use serde_json::Map;

use crate::{
    Input, Manager, Patch, ResourceError, VAULTS, input, tags,
    vaults::is_purge_protected,
    write::{Companions, Shape, location_of},
};

/// The type of groups.
pub const GROUPS: &str = "Microsoft.Resources/resourceGroups";

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
        let wanted = input::location(new.location.as_deref())?;
        let new_tags = new.tags.unwrap_or_default();
        tags::check(&new_tags, tags::NAME_MAX_CHARS)?;
        self.write(op, allowed, (&id, GROUPS), Companions::none(new.when), |known| {
            Ok(Shape {
                location: location_of(&id, known, wanted.as_deref())?,
                tags: new_tags.clone(),
                extra: input::extra(new.extra.clone()),
                properties: Map::new(),
            })
        })
        .await
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
        self.existing(op, id).await?;
        let missing = || ResourceError::NoGroup(id.name().to_owned());
        if let Some(new) = &patch.tags {
            tags::check(new, tags::NAME_MAX_CHARS)?;
        }
        let written = self.write(op, allowed, (id, GROUPS), Companions::none(patch.when), |known| {
            let mut shape = Shape::of(known.ok_or_else(missing)?);
            shape.tags = patch.tags.clone().unwrap_or(shape.tags);
            Ok(shape)
        });
        Ok(written.await?.0)
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
            group: Some(id.name().to_lowercase()),
            kind: Some(VAULTS.to_lowercase()),
            limit: u32::MAX >> 1,
            ..ResourceFilter::default()
        };
        let live = self.at.resources.resources(tenant, filter).await?;
        let deleted = self.at.resources.deleted_resources(tenant, id.subscription()).await?;
        let inside = deleted.iter().filter(|r| id.scope().contains(r.id.scope())).chain(&live);
        if let Some(vault) = inside.into_iter().find(|r| is_purge_protected(r)) {
            return Err(ResourceError::PurgeProtected(vault.id.name().to_owned()));
        }
        let record = AuditRecord::done(op, allowed);
        if self.at.resources.remove_resource(tenant, id.clone(), record).await? {
            return Ok(());
        }
        Err(ResourceError::NoGroup(id.name().to_owned()))
    }
}
