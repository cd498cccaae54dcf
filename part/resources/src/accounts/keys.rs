//! The two shared keys of a storage account.
//!
//! A key is kept nowhere: it follows from the account's data key, its name and the time it was made, which the account
//! shows as `keyCreationTime`. Making a key anew is writing another time.

use cs_ids::ResourceId;
use cs_rbac::{Allowed, Operation};
use cs_store::{HostKind, Resource, StoreError};
use cs_time::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    ACCOUNTS, Manager, ResourceError,
    write::{Companions, Shape},
};

/// Both keys of every account, in the order they are listed.
pub(crate) const NAMES: [&str; 2] = ["key1", "key2"];
const MADE: &str = "keyCreationTime";
/// When users' keys were last revoked; absent where they never were.
pub(crate) const DELEGATION_KEYS_REVOKED: &str = "userDelegationKeysRevokedTime";

/// A shared key, shown to whoever may list keys. Its `Debug` keeps the value to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey {
    pub name: &'static str,
    /// Base64 of 64 bytes.
    pub value: String,
    /// When it was made, as the account says it.
    pub made: String,
}

impl std::fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountKey({} of {})", self.name, self.made)
    }
}

impl Manager {
    /// The keys of an account.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn account_keys(
        &self,
        op: &Operation,
        _: &Allowed,
        id: &ResourceId,
    ) -> Result<Vec<AccountKey>, ResourceError> {
        let account = self.existing(op, id).await?;
        self.keys_of(&account).await
    }

    /// Makes one of the keys anew; the old one is good for nothing afterwards. Answers both.
    ///
    /// # Errors
    /// [`ResourceError::Invalid`] for a key that no account has, [`ResourceError::NoResource`].
    pub async fn regenerate_account_key(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
        name: &str,
    ) -> Result<Vec<AccountKey>, ResourceError> {
        let name = NAMES.iter().find(|n| n.eq_ignore_ascii_case(name));
        let name = name.ok_or_else(|| ResourceError::invalid("keyName", "must be key1 or key2"))?;
        self.existing(op, id).await?;
        let now = self.at.clock.now();
        let written = self.write(op, allowed, (id, ACCOUNTS), Companions::default(), |known| {
            let known = known.ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?;
            let mut shape = Shape::of(known);
            let mut times = times(Some(&shape.properties), known.created);
            times.insert((*name).to_owned(), json!(later(times.get(*name), now).iso7()));
            shape.properties.insert(MADE.to_owned(), Value::Object(times));
            Ok(shape)
        });
        let (account, _) = written.await?;
        self.keys_of(&account).await
    }

    /// Ends every key by which a user signs for others: they follow from this time as well.
    ///
    /// # Errors
    /// [`ResourceError::NoResource`].
    pub async fn revoke_delegation_keys(
        &self,
        op: &Operation,
        allowed: &Allowed,
        id: &ResourceId,
    ) -> Result<(), ResourceError> {
        self.existing(op, id).await?;
        let now = self.at.clock.now();
        let written = self.write(op, allowed, (id, ACCOUNTS), Companions::default(), |known| {
            let known = known.ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?;
            let mut shape = Shape::of(known);
            let time = later(shape.properties.get(DELEGATION_KEYS_REVOKED), now).iso7();
            shape.properties.insert(DELEGATION_KEYS_REVOKED.to_owned(), json!(time));
            Ok(shape)
        });
        written.await.map(|_| ())
    }

    async fn keys_of(&self, account: &Resource) -> Result<Vec<AccountKey>, ResourceError> {
        let label = account.id.name().to_ascii_lowercase();
        let owner = self.at.resources.host_owner(HostKind::Account, label.clone()).await?;
        let owner = owner.filter(|o| o.tenant == account.tenant);
        let owner = owner.ok_or_else(|| StoreError::Missing("the account's data key".to_owned()))?;
        let times = times(account.properties.as_object(), account.created);
        NAMES
            .iter()
            .map(|name| {
                let made = times.get(*name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let which = (*name, made.as_str());
                let value = self.at.keys.account_key(account.tenant, &owner.wrapped_key, &label, which)?;
                Ok(AccountKey { name, value, made })
            })
            .collect()
    }
}

/// When the keys were made: with the account, until one is made anew.
pub(crate) fn times(properties: Option<&Map<String, Value>>, created: Timestamp) -> Map<String, Value> {
    let kept = properties.and_then(|p| p.get(MADE));
    NAMES
        .iter()
        .map(|name| {
            let time = kept.and_then(|k| k.get(*name)).and_then(Value::as_str).map(str::to_owned);
            ((*name).to_owned(), json!(time.unwrap_or_else(|| created.iso7())))
        })
        .collect()
}

/// Now, or just after the last time: the same time twice would be the same key.
fn later(last: Option<&Value>, now: Timestamp) -> Timestamp {
    let last = last.and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    last.map_or(now, |last| now.max(Timestamp::from_micros(last.micros() + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_made_anew_in_the_same_instant_has_another_time() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let first = times(None, now);
        let second = later(first.get("key1"), now);
        assert!(second > now);
        assert!(later(Some(&json!(second.iso7())), now) > second);
        assert_eq!(later(None, now), now);
        let kept = json!({"keyCreationTime": {"key1": second.iso7(), "key2": null}});
        let again = times(kept.as_object(), now);
        assert_eq!((&again["key1"], &again["key2"]), (&json!(second.iso7()), &json!(now.iso7())));
    }
}
