//! Finding a vault by the label of its host, and what its resource says of it.

use std::sync::Arc;

use cs_ids::{ResourceId, Scope, TenantId};
use cs_rbac::PolicyEntry;
use cs_seal::Key;
use cs_store::{Fresh, HostKind, Resource, VaultPlace};
use serde_json::Value;

use crate::{VaultError, Vaults, data_key_place};

/// A vault as its resource describes it now.
pub struct OpenVault {
    pub tenant: TenantId,
    pub id: ResourceId,
    pub location: String,
    /// Roles decide over data; otherwise the access policies do.
    pub rbac: bool,
    pub policies: Vec<PolicyEntry>,
    /// Days a deleted secret can be recovered, 7 to 90.
    pub retention_days: i64,
    pub purge_protection: bool,
    pub(crate) place: VaultPlace,
    /// Folded id under which the vault was made: secrets are bound to it.
    pub(crate) sealed_as: String,
    pub(crate) key: Key,
    generation: i64,
}

impl OpenVault {
    pub fn scope(&self) -> &Scope {
        self.id.scope()
    }

    /// The scope of one secret (never of a version, rbac.md 4).
    pub fn secret_scope(&self, name: &str) -> Scope {
        self.id.scope().child("secrets", name)
    }

    /// `recoveryLevel` of attributes (keyvault.md 4, soft delete).
    pub fn recovery_level(&self) -> &'static str {
        match (self.retention_days >= 90, self.purge_protection) {
            (true, false) => "Recoverable+Purgeable",
            (true, true) => "Recoverable",
            (false, false) => "CustomizedRecoverable+Purgeable",
            (false, true) => "CustomizedRecoverable",
        }
    }
}

impl Vaults {
    /// The vault whose host begins with this folded label; `None` where there is none (or it is soft-deleted).
    ///
    /// # Errors
    /// [`VaultError::Store`], and [`VaultError::Sealed`] when its key does not open.
    pub async fn open(&self, label: &str) -> Result<Option<Arc<OpenVault>>, VaultError> {
        let (changes, now) = (self.parts.resources.changes(), self.parts.clock.now());
        let known = self.opened.get(label);
        if let Some(known) = known.as_ref().filter(|known| known.is_good(changes, now)) {
            return Ok(Some(Arc::clone(&known.value)));
        }
        let opened = self.look_up(label, known.map(|known| known.value)).await?;
        if let Some(vault) = &opened {
            self.opened.insert(label.to_owned(), Fresh::new(Arc::clone(vault), changes, now));
        }
        Ok(opened)
    }

    /// What is known stays when its generation does: its key need not be unwrapped again.
    async fn look_up(
        &self,
        label: &str,
        known: Option<Arc<OpenVault>>,
    ) -> Result<Option<Arc<OpenVault>>, VaultError> {
        let Some(owner) = self.parts.resources.host_owner(HostKind::Vault, label.to_owned()).await? else {
            return Ok(None);
        };
        let fresh = |v: &Arc<OpenVault>| {
            v.generation == owner.generation && v.tenant == owner.tenant && v.id == owner.id
        };
        if let Some(known) = known.filter(fresh) {
            return Ok(Some(known));
        }
        let Some(resource) = self.parts.resources.resource(owner.tenant, owner.id.clone()).await? else {
            return Ok(None);
        };
        let tenant_key = self.parts.tenant_keys.get(&owner.tenant).ok_or(VaultError::Sealed)?;
        let key = tenant_key
            .unwrap(&data_key_place(owner.tenant), &owner.wrapped_key)
            .map_err(|_| VaultError::Sealed)?;
        Ok(Some(Arc::new(describe(resource, owner.sealed_as, key))))
    }
}

fn describe(resource: Resource, sealed_as: String, key: Key) -> OpenVault {
    let of = |name: &str| resource.properties.get(name);
    let flag = |name: &str| of(name).and_then(Value::as_bool).unwrap_or(false);
    let policies =
        of("accessPolicies").and_then(Value::as_array).map(|all| all.iter().filter_map(policy).collect());
    OpenVault {
        tenant: resource.tenant,
        rbac: flag("enableRbacAuthorization"),
        policies: policies.unwrap_or_default(),
        retention_days: of("softDeleteRetentionInDays").and_then(Value::as_i64).unwrap_or(90).clamp(7, 90),
        purge_protection: flag("enablePurgeProtection"),
        place: VaultPlace { tenant: resource.tenant, vault: resource.id.key().to_owned() },
        location: resource.location,
        id: resource.id,
        sealed_as,
        key,
        generation: resource.generation,
    }
}

/// An entry that cannot be read grants nothing.
fn policy(entry: &Value) -> Option<PolicyEntry> {
    let id = |name: &str| entry.get(name)?.as_str();
    let words = |kind: &str| -> Vec<String> {
        let all = entry.get("permissions").and_then(|p| p.get(kind)).and_then(Value::as_array);
        all.map(|w| w.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default()
    };
    // An application id that cannot be read must not make the entry hold for every application.
    let application = match id("applicationId") {
        None => None,
        Some(text) => Some(text.parse().ok()?),
    };
    Some(PolicyEntry {
        tenant: id("tenantId")?.parse().ok()?,
        object: id("objectId")?.parse().ok()?,
        application,
        keys: words("keys"),
        secrets: words("secrets"),
        certificates: words("certificates"),
        storage: words("storage"),
    })
}
