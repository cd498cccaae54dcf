//! Vaults: the resource. What is inside is another part's.

mod policies;
mod rules;

use cs_ids::{ResourceId, SubscriptionId, TenantId, VaultName};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, DeletedFilter, HostKind, Resource};
use serde_json::{Value, json};

use crate::{
    Input, Manager, Page, Patch, ResourceError, When, input,
    kinds::{Members, Rules},
    listing::page_size,
    write::{Companions, Shape},
};

pub use policies::PolicyChange;

/// The type of vaults.
pub const VAULTS: &str = "Microsoft.KeyVault/vaults";

/// What a write of a vault depends on beside its body.
#[derive(Debug, Default)]
pub struct VaultOptions {
    /// What a new vault gets that does not say whether roles decide (api-version 2026-02-01 and later: yes).
    pub roles_by_default: bool,
    /// Proof that the caller may assign roles at the vault, needed to switch between policies and roles.
    pub may_assign_roles: Option<Allowed>,
}

/// Whether a name may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameVerdict {
    Free,
    Invalid(String),
    Taken,
}

struct VaultRules<'o> {
    tenant: TenantId,
    options: &'o VaultOptions,
}

impl Rules for VaultRules<'_> {
    const KIND: &'static str = VAULTS;

    fn members(&self, known: Option<&Resource>, _: &str, given: Members) -> Result<Members, ResourceError> {
        let old = known.and_then(|k| k.properties.as_object());
        let properties = rules::properties(old, given.properties, self.tenant, self.options)?;
        Ok(Members { properties, ..given })
    }
}

impl Manager {
    /// Creates or replaces a vault.
    ///
    /// # Errors
    /// [`ResourceError::VaultNameTaken`], [`ResourceError::VaultNameDeleted`], [`ResourceError::Invalid`],
    /// [`ResourceError::SwitchNeedsRoleWrite`].
    pub async fn put_vault(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        new: Input,
        options: VaultOptions,
    ) -> Result<(Resource, bool), ResourceError> {
        let name: VaultName = id.name().parse()?;
        let recover =
            input::text(&new.properties, "createMode")?.is_some_and(|m| m.eq_ignore_ascii_case("recover"));
        if recover && self.recover_vault(op, allowed, id).await? {
            return Ok((self.existing(op, id).await?, false));
        }
        let id = &self.id_in_group(op, id, VAULTS, id.name()).await?;
        let companions = match self.is_there(op, id).await? {
            true => Companions::default(),
            false => self.vault_host(op, id, &name, new.when).await?,
        };
        let rules = VaultRules { tenant: op.caller.tenant, options: &options };
        let taken = || ResourceError::VaultNameTaken(name.as_str().to_owned());
        self.put(op, allowed, id, new, companions, &rules).await.map_err(|e| e.or_taken(taken))
    }

    /// Changes members of a vault; policies and network rules are replaced when present.
    ///
    /// # Errors
    /// As [`Manager::put_vault`].
    pub async fn patch_vault(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        patch: Patch,
        options: VaultOptions,
    ) -> Result<Resource, ResourceError> {
        let rules = VaultRules { tenant: op.caller.tenant, options: &options };
        self.patch(op, allowed, id, patch, &rules).await
    }

    /// Changes the access policies of a vault; answers the vault afterwards.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`], [`ResourceError::NoResource`].
    pub async fn change_policies(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        change: PolicyChange,
        given: &Value,
    ) -> Result<Resource, ResourceError> {
        self.existing(op, id).await?;
        let written = self.write(op, allowed, (id, VAULTS), Companions::default(), |known| {
            let mut shape = Shape::of(known.ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?);
            let old = shape.properties.get("accessPolicies").cloned().unwrap_or_else(|| json!([]));
            let new = policies::changed(&old, change, given, op.caller.tenant)?;
            shape.properties.insert("accessPolicies".to_owned(), new);
            Ok(shape)
        });
        Ok(written.await?.0)
    }

    /// Deletes a vault so that it can be recovered for as long as it says. `false` when it was not there.
    pub async fn delete_vault(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<bool, ResourceError> {
        let (tenant, record) = (op.caller.tenant, AuditRecord::done(op, allowed));
        let now = self.at.clock.now();
        Ok(self.at.resources.soft_delete_resource(tenant, id.clone(), now, record).await?)
    }

    /// A page of the deleted vaults of a subscription that can be recovered: those after an id's key.
    pub async fn deleted_vaults(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
        (after, asked): (String, u32),
    ) -> Result<Page, ResourceError> {
        let (tenant, size) = (op.caller.tenant, page_size(asked));
        // Nothing but vaults is deleted softly.
        let filter = DeletedFilter { after, limit: size + 1, ..DeletedFilter::default() };
        let rows = self.at.resources.deleted_resources(tenant, subscription, filter).await?;
        Ok(Page::of(rows, size, |r| r.id.key().to_owned()))
    }

    /// One of them, by its name and location.
    ///
    /// # Errors
    /// [`ResourceError::NoDeletedVault`].
    pub async fn deleted_vault(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
        location: &str,
        name: &str,
    ) -> Result<Resource, ResourceError> {
        let location = input::location(Some(location))?.unwrap_or_default();
        let all = self.deleted_named(op, subscription, name).await?;
        all.into_iter()
            .find(|r| r.location == location)
            .ok_or_else(|| ResourceError::NoDeletedVault(name.to_owned()))
    }

    /// Removes a deleted vault for good.
    ///
    /// # Errors
    /// [`ResourceError::NoDeletedVault`], [`ResourceError::PurgeProtected`].
    pub async fn purge_vault(
        &self,
        op: &Operation,
        allowed: &Allowed,
        subscription: SubscriptionId,
        location: &str,
        name: &str,
    ) -> Result<(), ResourceError> {
        let vault = self.deleted_vault(op, subscription, location, name).await?;
        if is_purge_protected(&vault) {
            return Err(ResourceError::PurgeProtected(vault.id.name().to_owned()));
        }
        let record = AuditRecord::done(op, allowed);
        self.at.resources.remove_resource(op.caller.tenant, vault.id, record).await?;
        Ok(())
    }

    /// Whether a vault of this name could be created now.
    pub async fn vault_name(&self, name: &str) -> Result<NameVerdict, ResourceError> {
        let name: VaultName = match name.parse() {
            Ok(name) => name,
            Err(bad) => return Ok(NameVerdict::Invalid(bad.to_string())),
        };
        let taken = self.at.resources.host_taken(HostKind::Vault, name.key()).await?;
        Ok(if taken { NameVerdict::Taken } else { NameVerdict::Free })
    }

    async fn recover_vault(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<bool, ResourceError> {
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.resources.recover_resource(op.caller.tenant, id.clone(), record).await?)
    }

    /// The deleted vault of a name: there is one at most, since the name stays taken.
    async fn deleted_named(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Vec<Resource>, ResourceError> {
        let filter =
            DeletedFilter { name: Some(name.to_ascii_lowercase()), limit: 1, ..DeletedFilter::default() };
        Ok(self.at.resources.deleted_resources(op.caller.tenant, subscription, filter).await?)
    }

    /// The host name of a new vault with its data key, or why it cannot be had.
    async fn vault_host(
        &self,
        op: &Operation,
        id: &ResourceId,
        name: &VaultName,
        when: When,
    ) -> Result<Companions, ResourceError> {
        when.check(false)?;
        if self.at.resources.host_taken(HostKind::Vault, name.key()).await? {
            let deleted = self.deleted_named(op, id.subscription(), name.as_str()).await?;
            let as_written = name.as_str().to_owned();
            return Err(match deleted.is_empty() {
                false => ResourceError::VaultNameDeleted(as_written),
                true => ResourceError::VaultNameTaken(as_written),
            });
        }
        self.new_host(op, HostKind::Vault, name.key()).await
    }
}

pub(crate) fn is_purge_protected(vault: &Resource) -> bool {
    vault.properties.get("enablePurgeProtection") == Some(&Value::Bool(true))
}

/// When a deleted vault goes for good, by its own rules.
pub fn scheduled_purge(vault: &Resource) -> Option<cs_time::Timestamp> {
    let days = vault.properties.get("softDeleteRetentionInDays").and_then(Value::as_i64).unwrap_or(90);
    Some(vault.deleted?.plus_seconds(days * 86_400))
}
