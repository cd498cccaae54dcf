//! Accounts: found by the label of their host, with the keys that requests may be signed with.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use cs_ids::{ResourceId, Scope, TenantId};
use cs_seal::{Aad, Key, MacKey};
use cs_store::{AccountPlace, Fresh, HostKind, HostOwner, Resource};
use serde_json::Value;

use crate::{BlobError, Blobs};

/// The account of the emulator every storage SDK knows, and its published key (blob.md 8).
pub const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// An account as its resource describes it now.
#[derive(Debug)]
pub struct Account {
    pub tenant: TenantId,
    pub id: ResourceId,
    /// Its shared keys by name; none where they are switched off.
    pub keys: Vec<(&'static str, MacKey)>,
    pub(crate) place: AccountPlace,
    /// What keys for users' own signatures follow from.
    data_key: Option<Key>,
    /// When those keys were last revoked: they follow from it too, so that earlier ones fit nothing.
    revoked: Option<String>,
    generation: i64,
}

/// A key by which a user signs for others what the user may do: it follows from these fields, and is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationKey {
    pub object: String,
    pub tenant: String,
    /// Seconds since 1970.
    pub start: i64,
    pub expiry: i64,
    pub service: String,
    pub version: String,
}

impl Account {
    pub fn scope(&self) -> &Scope {
        self.id.scope()
    }

    /// The scope of a container; there is none per blob (blob.md 4.4).
    pub fn container_scope(&self, container: &str) -> Scope {
        self.id.scope().child("blobServices", "default").child("containers", container)
    }

    /// The 32 bytes of a user's key; `None` where the account has no data key.
    pub fn delegation(&self, of: &DelegationKey) -> Option<Vec<u8>> {
        let place = Aad::of("user delegation key").field(&of.object).field(&of.tenant).field(of.start);
        let place = place.field(of.expiry).field(&of.service).field(&of.version);
        let place = self.revoked.iter().fold(place, |place, time| place.field(time));
        self.data_key.as_ref().map(|key| key.derive(&place)[..32].to_vec())
    }
}

impl Blobs {
    /// The account whose host begins with this folded label; `None` where there is none.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn account(&self, label: &str) -> Result<Option<Arc<Account>>, BlobError> {
        let (changes, now) = (self.parts.resources.changes(), self.parts.clock.now());
        let known = self.opened.get(label);
        if let Some(known) = known.as_ref().filter(|known| known.is_good(changes, now)) {
            return Ok(Some(Arc::clone(&known.value)));
        }
        let opened = self.look_up(label, known.map(|known| known.value)).await?;
        if let Some(account) = &opened {
            self.opened.insert(label.to_owned(), Fresh::new(Arc::clone(account), changes, now));
        }
        Ok(opened)
    }

    /// What is known stays when its generation does: its keys need not be derived again.
    async fn look_up(
        &self,
        label: &str,
        known: Option<Arc<Account>>,
    ) -> Result<Option<Arc<Account>>, BlobError> {
        let Some(owner) = self.parts.resources.host_owner(HostKind::Account, label.to_owned()).await? else {
            return Ok(None);
        };
        let fresh = |a: &Arc<Account>| {
            a.generation == owner.generation && a.tenant == owner.tenant && a.id == owner.id
        };
        if let Some(known) = known.filter(fresh) {
            return Ok(Some(known));
        }
        let Some(resource) = self.parts.resources.resource(owner.tenant, owner.id.clone()).await? else {
            return Ok(None);
        };
        Ok(Some(Arc::new(self.describe_account(label, owner, resource))))
    }

    fn describe_account(&self, label: &str, owner: HostOwner, resource: Resource) -> Account {
        let tenant_key = self.parts.tenant_keys.get(&owner.tenant);
        let data_key =
            tenant_key.and_then(|key| key.unwrap(&Aad::of_data_key(owner.tenant), &owner.wrapped_key).ok());
        if data_key.is_none() {
            // Tokens still open it.
            tracing::error!(
                account = label,
                "the data key of an account cannot be opened: it has no shared keys"
            );
        }
        // Absent means allowed, as in the original.
        let allowed =
            resource.properties.get("allowSharedKeyAccess").and_then(Value::as_bool).unwrap_or(true);
        let keys = match &data_key {
            _ if !allowed => Vec::new(),
            _ if self.parts.development && label == DEVELOPMENT_ACCOUNT => {
                STANDARD.decode(DEVELOPMENT_KEY).map(|key| ("key1", MacKey::new(&key))).into_iter().collect()
            }
            None => Vec::new(),
            Some(key) => shared_keys(key, label, &resource),
        };
        let revoked = resource.properties.get("userDelegationKeysRevokedTime").and_then(Value::as_str);
        Account {
            revoked: revoked.map(str::to_owned),
            tenant: owner.tenant,
            place: AccountPlace { tenant: owner.tenant, account: owner.id.key().to_owned() },
            id: owner.id,
            keys,
            data_key,
            generation: owner.generation,
        }
    }
}

/// Both keys: each follows from the data key and the time it was made, which regenerating it changes.
fn shared_keys(data_key: &Key, label: &str, resource: &Resource) -> Vec<(&'static str, MacKey)> {
    let made = |name: &str| {
        let time =
            resource.properties.get("keyCreationTime").and_then(|t| t.get(name)).and_then(Value::as_str);
        time.map_or_else(|| resource.created.iso7(), str::to_owned)
    };
    ["key1", "key2"]
        .map(|name| {
            let place = Aad::of_shared_key(resource.tenant, label, (name, &made(name)));
            (name, MacKey::new(&data_key.derive(&place)))
        })
        .into()
}
