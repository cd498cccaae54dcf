//! Backups of secrets: opaque to whoever keeps them, good for every vault of the tenant (keyvault.md 4).
//!
//! All versions with their values, sealed as one under the tenant's key: only this site opens it again, only as a secret
//! and only for this tenant. The name lies inside and so cannot be changed.

use cs_rbac::{Allowed, Operation};
use cs_seal::Aad;
use cs_store::{AuditRecord, SecretRow, StoreError};
use cs_time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{OpenVault, Secret, VaultError, Vaults, secret::place_of};

/// A secret of more versions is not backed up, as in the original.
const VERSIONS_MAX: u32 = 500;
/// A larger backup is neither made nor taken.
pub const BACKUP_MAX_BYTES: usize = 10 << 20;

#[derive(Serialize, Deserialize)]
struct Backup {
    name: String,
    /// Oldest first.
    versions: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
struct Version {
    version: String,
    value: Zeroizing<String>,
    content_type: Option<String>,
    tags: Vec<(String, String)>,
    enabled: bool,
    not_before: Option<i64>,
    expires: Option<i64>,
    created: i64,
    updated: i64,
}

fn sealed_for(vault: &OpenVault) -> Aad {
    Aad::of("secret backup").field(vault.tenant)
}

impl Vaults {
    /// A secret with all its versions, sealed; answered only after its audit record is durable.
    ///
    /// # Errors
    /// [`VaultError::NoSuchSecret`], [`VaultError::Invalid`] when it is too large for a backup.
    pub async fn backup(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<Vec<u8>, VaultError> {
        let place = vault.place.clone();
        let rows = self.parts.secrets.whole_secret(allowed, place, name.to_owned(), VERSIONS_MAX + 1).await?;
        let Some(first) = rows.first() else { return Err(VaultError::NoSuchSecret(name.to_owned())) };
        if rows.len() > VERSIONS_MAX as usize {
            return Err(VaultError::Invalid(format!(
                "The secret has more than {VERSIONS_MAX} versions and cannot be backed up."
            )));
        }
        let versions = rows.iter().map(|row| opened(vault, row)).collect::<Result<_, _>>()?;
        let backup = Backup { name: first.name.clone(), versions };
        let text = Zeroizing::new(serde_json::to_vec(&backup).map_err(|_| VaultError::Sealed)?);
        if text.len() > BACKUP_MAX_BYTES {
            return Err(VaultError::Invalid("The secret is too large to be backed up.".to_owned()));
        }
        self.parts.audit.append(vec![AuditRecord::done(op, allowed)]).await?;
        let key = self.parts.tenant_keys.get(&vault.tenant).ok_or(VaultError::Sealed)?;
        Ok(key.seal(&sealed_for(vault), &text, &*self.parts.chance))
    }

    /// Brings a secret back from its backup, here or in another vault of the tenant.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] for what is no backup of this tenant, [`VaultError::Exists`] and [`VaultError::Deleted`]
    /// when the name is taken.
    pub async fn restore(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        backup: &[u8],
    ) -> Result<Secret, VaultError> {
        let invalid =
            || VaultError::Invalid("The value is not a backup of a secret of this tenant.".to_owned());
        let key = self.parts.tenant_keys.get(&vault.tenant).ok_or(VaultError::Sealed)?;
        let text = key.open(&sealed_for(vault), backup).map_err(|_| invalid())?;
        let backup: Backup = serde_json::from_slice(&text).map_err(|_| invalid())?;
        let rows: Vec<SecretRow> =
            backup.versions.into_iter().map(|v| self.sealed(vault, &backup.name, v)).collect();
        let newest = rows.last().cloned().ok_or_else(invalid)?;
        let mut audit = AuditRecord::done(op, allowed);
        // The path of a restore names no secret: what came back is told here.
        audit.scope = vault.secret_scope(&backup.name).as_str().to_owned();
        match self.parts.secrets.restore_secret(allowed, vault.place.clone(), rows, audit).await {
            Ok(()) => Ok(Secret { row: newest, value: None }),
            Err(StoreError::Exists(_)) => Err(VaultError::Exists(backup.name)),
            Err(StoreError::Conflict(_)) => Err(VaultError::Deleted(backup.name)),
            Err(error) => Err(error.into()),
        }
    }

    fn sealed(&self, vault: &OpenVault, name: &str, v: Version) -> SecretRow {
        let place = place_of(vault, name, &v.version);
        SecretRow {
            name: name.to_owned(),
            sealed: vault.key.seal(&place, v.value.as_bytes(), &*self.parts.chance),
            version: v.version,
            content_type: v.content_type,
            tags: v.tags,
            enabled: v.enabled,
            not_before: v.not_before,
            expires: v.expires,
            created: Timestamp::from_seconds(v.created),
            updated: Timestamp::from_seconds(v.updated),
        }
    }
}

fn opened(vault: &OpenVault, row: &SecretRow) -> Result<Version, VaultError> {
    let place = place_of(vault, &row.name, &row.version);
    let mut plain = vault.key.open(&place, &row.sealed).map_err(|_| VaultError::Sealed)?;
    let value = String::from_utf8(std::mem::take(&mut *plain)).map_err(|e| {
        e.into_bytes().zeroize();
        VaultError::Sealed
    })?;
    Ok(Version {
        version: row.version.clone(),
        value: Zeroizing::new(value),
        content_type: row.content_type.clone(),
        tags: row.tags.clone(),
        enabled: row.enabled,
        not_before: row.not_before,
        expires: row.expires,
        created: row.created.seconds(),
        updated: row.updated.seconds(),
    })
}
