//! Storage accounts: the resource. What is inside is another part's.

mod keys;
mod rules;

use cs_ids::{AccountName, ResourceId};
use cs_rbac::{Allowed, Operation};
use cs_store::{HostKind, Resource, StoreError};

use crate::{
    Input, Manager, NameVerdict, Patch, ResourceError, When, input, tags,
    write::{Companions, Shape, location_of},
};

pub use keys::AccountKey;

/// The type of storage accounts.
pub const ACCOUNTS: &str = "Microsoft.Storage/storageAccounts";

impl Manager {
    /// Creates or updates an account.
    ///
    /// # Errors
    /// [`ResourceError::AccountNameTaken`], [`ResourceError::Invalid`], [`ResourceError::BadName`].
    pub async fn put_account(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
    ) -> Result<(Resource, bool), ResourceError> {
        // Whatever the case in the path, the account has one name, as its host has.
        let name: AccountName = id.name().to_ascii_lowercase().parse()?;
        let group = self.group_of(op, id).await?;
        let id = ResourceId::of_resource(
            id.subscription(),
            group.id.name(),
            "Microsoft.Storage",
            "storageAccounts",
            name.as_str(),
        );
        let wanted = input::location(new.location.as_deref())?;
        let new_tags = new.tags.unwrap_or_default();
        tags::check(&new_tags, tags::ACCOUNT_NAME_MAX_CHARS)?;
        let companions = match self.is_there(op, &id).await? {
            true => Companions::none(new.when),
            false => self.account_host(op, &name, new.when).await?,
        };
        let now = self.at.clock.now();
        let written = self.write(op, allowed, (&id, ACCOUNTS), companions, |known| {
            let location = location_of(&id, known, wanted.as_deref())?;
            let old = known.and_then(|k| k.properties.as_object());
            let created = known.map_or(now, |k| k.created);
            Ok(Shape {
                properties: rules::properties(old, new.properties.clone(), created, &location)?,
                extra: rules::extra(known.and_then(|k| k.extra.as_object()), new.extra.clone())?,
                tags: new_tags.clone(),
                location,
            })
        });
        match written.await {
            Err(ResourceError::Store(StoreError::Exists(_))) => {
                Err(ResourceError::AccountNameTaken { name: name.as_str().to_owned(), ours: false })
            }
            other => other,
        }
    }

    /// Changes members of an account.
    ///
    /// # Errors
    /// As [`Manager::put_account`].
    pub async fn patch_account(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
    ) -> Result<Resource, ResourceError> {
        self.existing(op, id).await?;
        if let Some(new) = &patch.tags {
            tags::check(new, tags::ACCOUNT_NAME_MAX_CHARS)?;
        }
        let written = self.write(op, allowed, (id, ACCOUNTS), Companions::none(patch.when), |known| {
            let known = known.ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?;
            let mut shape = Shape::of(known);
            let given = input::merged(&shape.properties, &patch.properties);
            shape.properties =
                rules::properties(Some(&shape.properties), given, known.created, &shape.location)?;
            shape.extra = rules::extra(Some(&shape.extra), patch.extra.clone())?;
            shape.tags = patch.tags.clone().unwrap_or(shape.tags);
            Ok(shape)
        });
        Ok(written.await?.0)
    }

    /// Whether an account of this name could be created now.
    pub async fn account_name(&self, name: &str) -> Result<NameVerdict, ResourceError> {
        let name: AccountName = match name.parse() {
            Ok(name) => name,
            Err(bad) => return Ok(NameVerdict::Invalid(bad.to_string())),
        };
        let taken = self.at.resources.host_taken(HostKind::Account, name.key()).await?;
        Ok(if taken { NameVerdict::Taken } else { NameVerdict::Free })
    }

    async fn account_host(
        &self,
        op: &Operation,
        name: &AccountName,
        when: When,
    ) -> Result<Companions, ResourceError> {
        when.check(false)?;
        if let Some(owner) = self.at.resources.host_owner(HostKind::Account, name.key()).await? {
            let ours = owner.tenant == op.caller.tenant;
            return Err(ResourceError::AccountNameTaken { name: name.as_str().to_owned(), ours });
        }
        let key = self.at.keys.new_wrapped_key(op.caller.tenant).await?;
        Ok(Companions { host: Some((HostKind::Account, name.key(), key)), principal: None, when })
    }
}
