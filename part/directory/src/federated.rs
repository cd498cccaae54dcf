//! Federated credentials of applications. Those of user-assigned identities are children of their resource
//! (`cs_resources`); both are one kind of row.

use cs_ids::ClientId;
use cs_jose::Federation;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, FederatedCredential, StoreError};

use crate::{DirectoryError, Principals};

/// One application has at most so many (rbac.md 10).
const PER_CLIENT_MAX: u32 = 20;

/// What makes one.
#[derive(Debug, Clone)]
pub struct NewFederated {
    pub name: String,
    pub trust: Federation,
    pub description: Option<String>,
}

impl Principals {
    /// All of a client, by name.
    pub async fn federated_of(
        &self,
        op: &Operation,
        client: ClientId,
    ) -> Result<Vec<FederatedCredential>, DirectoryError> {
        Ok(self.federated.federated(op.caller.tenant, client).await?)
    }

    /// One, by its id or name.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn federated_named(
        &self,
        op: &Operation,
        client: ClientId,
        which: &str,
    ) -> Result<FederatedCredential, DirectoryError> {
        let all = self.federated_of(op, client).await?;
        let fits =
            |f: &FederatedCredential| f.id.eq_ignore_ascii_case(which) || f.name.eq_ignore_ascii_case(which);
        all.into_iter().find(fits).ok_or_else(|| DirectoryError::NoObject(which.chars().take(128).collect()))
    }

    /// Creates or changes one; answers it and whether it is new.
    ///
    /// # Errors
    /// [`DirectoryError::Taken`] when another has the same issuer and subject, [`DirectoryError::TooMany`].
    pub async fn put_federated(
        &self,
        op: &Operation,
        allowed: &Allowed,
        client: ClientId,
        new: NewFederated,
    ) -> Result<(FederatedCredential, bool), DirectoryError> {
        Federation::check_name(&new.name).map_err(|e| DirectoryError::invalid(e.to_string()))?;
        let (issuer, subject, audiences) = new.trust.into_parts();
        let row = FederatedCredential {
            tenant: op.caller.tenant,
            client,
            id: self.chance.uuid().to_string(),
            name: new.name,
            issuer,
            subject,
            audiences,
            description: new.description.filter(|d| !d.is_empty()),
            created: op.started,
        };
        match self.federated.put_federated(row, PER_CLIENT_MAX, AuditRecord::done(op, allowed)).await {
            Ok(outcome) => Ok(outcome),
            Err(StoreError::Exists(_)) => Err(DirectoryError::Taken("issuer and subject")),
            Err(StoreError::Conflict(_)) => Err(DirectoryError::TooMany("federated identity credentials")),
            Err(other) => Err(other.into()),
        }
    }

    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn remove_federated(
        &self,
        op: &Operation,
        allowed: &Allowed,
        client: ClientId,
        which: &str,
    ) -> Result<(), DirectoryError> {
        let known = self.federated_named(op, client, which).await?;
        let record = AuditRecord::done(op, allowed);
        self.federated.remove_federated(op.caller.tenant, client, known.name, record).await?;
        Ok(())
    }
}
