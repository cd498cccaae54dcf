//! Containers.

use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, ContainerRow, StoreError};

use crate::{Account, BlobError, Blobs, Conditions, Verdict};

impl Blobs {
    /// # Errors
    /// [`BlobError::ContainerExists`].
    pub async fn create_container(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        name: &str,
        metadata: Vec<(String, String)>,
    ) -> Result<ContainerRow, BlobError> {
        let row = ContainerRow {
            name: name.to_owned(),
            etag: self.etag(),
            modified: self.now(),
            metadata,
            lease: None,
        };
        let audit = AuditRecord::done(op, allowed);
        match self.parts.blobs.create_container(allowed, account.place.clone(), row.clone(), audit).await {
            Ok(()) => Ok(row),
            Err(StoreError::Exists(_)) => Err(BlobError::ContainerExists),
            Err(error) => Err(error.into()),
        }
    }

    /// A container for a request that may show a lease.
    ///
    /// # Errors
    /// [`BlobError::NoSuchContainer`], [`BlobError::ConditionNotMet`], [`BlobError::Leased`].
    pub async fn readable(
        &self,
        account: &Account,
        name: &str,
        conditions: &Conditions,
    ) -> Result<ContainerRow, BlobError> {
        let row = self.container(account, name).await?;
        if conditions.on_read(&row.etag, row.modified) != Verdict::Go {
            return Err(BlobError::ConditionNotMet);
        }
        self.key(conditions.lease.as_ref()).fits(row.lease.as_ref()).map_err(BlobError::Leased)?;
        Ok(row)
    }

    /// # Errors
    /// [`BlobError::NoSuchContainer`].
    pub async fn container(&self, account: &Account, name: &str) -> Result<ContainerRow, BlobError> {
        let found = self.parts.blobs.container(account.place.clone(), name.to_owned()).await?;
        found.ok_or(BlobError::NoSuchContainer)
    }

    /// Replaces the metadata.
    ///
    /// # Errors
    /// [`BlobError::NoSuchContainer`].
    pub async fn set_container_metadata(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        name: &str,
        metadata: Vec<(String, String)>,
        conditions: &Conditions,
    ) -> Result<ContainerRow, BlobError> {
        let there = self.readable(account, name, conditions).await?;
        let row = ContainerRow { etag: self.etag(), modified: self.now(), metadata, ..there };
        let audit = AuditRecord::done(op, allowed);
        match self
            .parts
            .blobs
            .set_container_metadata(allowed, account.place.clone(), row.clone(), audit)
            .await?
        {
            true => Ok(row),
            false => Err(BlobError::NoSuchContainer),
        }
    }

    /// # Errors
    /// [`BlobError::NoSuchContainer`], [`BlobError::ConditionNotMet`], [`BlobError::Leased`].
    pub async fn remove_container(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        name: &str,
        conditions: &Conditions,
    ) -> Result<(), BlobError> {
        let lease = self.key(conditions.lease.as_ref());
        self.readable(account, name, conditions).await?;
        let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
        match self.parts.blobs.remove_container(allowed, place, name.to_owned(), lease, audit).await? {
            true => Ok(()),
            false => Err(BlobError::NoSuchContainer),
        }
    }

    /// Containers with a prefix from a name on; one more than wanted tells that there are more.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn containers(
        &self,
        allowed: &Allowed,
        account: &Account,
        prefix: &str,
        from: &str,
        limit: u32,
    ) -> Result<Vec<ContainerRow>, BlobError> {
        let place = account.place.clone();
        Ok(self.parts.blobs.containers(allowed, place, prefix.to_owned(), from.to_owned(), limit).await?)
    }
}
