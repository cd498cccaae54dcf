//! Deleted secrets: kept for as long as their vault says, taken back or purged.

use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, DeletedSecret};

use crate::{
    OpenVault, VaultError, Vaults,
    secret::{Secret, whole_seconds},
};

/// A secret in its deleted state.
pub type Deleted = DeletedSecret;

impl Vaults {
    /// # Errors
    /// [`VaultError`].
    pub async fn delete(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<Deleted, VaultError> {
        let now = whole_seconds(self.parts.clock.now());
        let purge = now.plus_seconds(vault.retention_days * 86_400);
        let audit = AuditRecord::done(op, allowed);
        let deleted = self
            .parts
            .secrets
            .delete_secret(allowed, vault.place.clone(), name.to_owned(), now, purge, audit)
            .await?;
        deleted.ok_or_else(|| VaultError::NoSuchSecret(name.to_owned()))
    }

    /// # Errors
    /// [`VaultError`].
    pub async fn deleted(
        &self,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<Deleted, VaultError> {
        let found = self.parts.secrets.deleted_secret(allowed, vault.place.clone(), name.to_owned()).await?;
        found.ok_or_else(|| VaultError::NoSuchDeletedSecret(name.to_owned()))
    }

    /// # Errors
    /// [`VaultError::Store`].
    pub async fn list_deleted(
        &self,
        allowed: &Allowed,
        vault: &OpenVault,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Deleted>, VaultError> {
        Ok(self.parts.secrets.deleted_secrets(allowed, vault.place.clone(), after.to_owned(), limit).await?)
    }

    /// # Errors
    /// [`VaultError`].
    pub async fn recover(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<Secret, VaultError> {
        let audit = AuditRecord::done(op, allowed);
        let back =
            self.parts.secrets.recover_secret(allowed, vault.place.clone(), name.to_owned(), audit).await?;
        back.map(|row| Secret { row, value: None })
            .ok_or_else(|| VaultError::NoSuchDeletedSecret(name.to_owned()))
    }

    /// # Errors
    /// [`VaultError`].
    pub async fn purge(
        &self,
        op: &Operation,
        allowed: &Allowed,
        vault: &OpenVault,
        name: &str,
    ) -> Result<(), VaultError> {
        if vault.purge_protection {
            return Err(VaultError::PurgeProtected);
        }
        let audit = AuditRecord::done(op, allowed);
        match self.parts.secrets.purge_secret(allowed, vault.place.clone(), name.to_owned(), audit).await? {
            true => Ok(()),
            false => Err(VaultError::NoSuchDeletedSecret(name.to_owned())),
        }
    }

    /// Removes what has been deleted for longer than its vault keeps it.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn purge_due(&self) -> Result<u64, VaultError> {
        Ok(self.parts.secrets.purge_due_secrets(self.parts.clock.now()).await?)
    }
}
