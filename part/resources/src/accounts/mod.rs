//! Storage accounts: the resource. What is inside is another part's.

mod keys;
mod rules;

use cs_ids::{AccountName, ResourceId};
use cs_rbac::{Allowed, Operation};
use cs_store::{HostKind, Resource};
use cs_time::Timestamp;

use crate::{
    Input, Manager, NameVerdict, Patch, ResourceError, When,
    kinds::{Members, Rules},
    tags,
    write::Companions,
};

pub use keys::AccountKey;

/// The type of storage accounts.
pub const ACCOUNTS: &str = "Microsoft.Storage/storageAccounts";

struct AccountRules {
    now: Timestamp,
}

impl Rules for AccountRules {
    const KIND: &'static str = ACCOUNTS;
    const TAG_NAME_MAX_CHARS: usize = tags::ACCOUNT_NAME_MAX_CHARS;

    fn members(
        &self,
        known: Option<&Resource>,
        location: &str,
        given: Members,
    ) -> Result<Members, ResourceError> {
        let old = known.and_then(|k| k.properties.as_object());
        let created = known.map_or(self.now, |k| k.created);
        Ok(Members {
            properties: rules::properties(old, given.properties, created, location)?,
            extra: rules::extra(known.and_then(|k| k.extra.as_object()), given.extra)?,
        })
    }
}

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
        let id = self.id_in_group(op, id, ACCOUNTS, name.as_str()).await?;
        let companions = match self.is_there(op, &id).await? {
            true => Companions::default(),
            false => self.account_host(op, &name, new.when).await?,
        };
        let rules = AccountRules { now: self.at.clock.now() };
        let taken = || ResourceError::AccountNameTaken { name: name.as_str().to_owned(), ours: false };
        self.put(op, allowed, &id, new, companions, &rules).await.map_err(|e| e.or_taken(taken))
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
        self.patch(op, allowed, id, patch, &AccountRules { now: self.at.clock.now() }).await
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
        self.new_host(op, HostKind::Account, name.key()).await
    }
}
