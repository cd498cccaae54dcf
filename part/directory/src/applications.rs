//! Applications and their secrets.

use cs_ids::{ClientId, ObjectId, TenantId};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Principal, PrincipalKind};

use crate::{
    DirectoryError, NewSecret, Principals,
    secret::{self, SECRET_DAYS_MAX},
};

/// Longer names are refused, as Azure does.
const DISPLAY_NAME_MAX_CHARS: usize = 120;

/// An application to create.
#[derive(Debug, Clone)]
pub struct NewApplication {
    pub display_name: String,
    /// May write to the directory.
    pub directory_admin: bool,
    /// Life of its first secret in days.
    pub secret_days: u32,
}

impl Principals {
    /// Creates an application of the operation's tenant with its service principal and a first secret.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] for an empty or long name or a secret that lives too long.
    pub async fn create_application(
        &self,
        op: &Operation,
        allowed: &Allowed,
        new: NewApplication,
    ) -> Result<(Principal, NewSecret), DirectoryError> {
        let name = new.display_name.trim();
        if name.is_empty() || name.chars().count() > DISPLAY_NAME_MAX_CHARS {
            return Err(DirectoryError::Invalid("a display name has 1 to 120 characters"));
        }
        check_days(new.secret_days)?;
        let client = ClientId::new(self.chance.uuid());
        let principal = Principal {
            tenant: op.caller.tenant,
            object: ObjectId::new(self.chance.uuid()),
            kind: PrincipalKind::Application,
            client: Some(client),
            display_name: name.to_owned(),
            enabled: true,
            resource: None,
            directory_admin: new.directory_admin,
            created: op.started,
            deleted: false,
            revision: 0,
        };
        let owner = (op.caller.tenant, client);
        let (secret, row) = secret::issue(&*self.chance, owner, op.started, new.secret_days);
        self.rows.add_principal(principal.clone(), vec![row], AuditRecord::done(op, allowed)).await?;
        Ok((principal, secret))
    }

    /// Adds a secret to an application.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchPrincipal`], [`DirectoryError::NoSecrets`] for a managed identity (it has no
    /// password, that is its point), [`DirectoryError::Invalid`] for a secret that lives too long.
    pub async fn add_secret(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        days: u32,
    ) -> Result<NewSecret, DirectoryError> {
        check_days(days)?;
        let found = self.by_object(op.caller.tenant, object).await?.ok_or(DirectoryError::NoSuchPrincipal)?;
        let client = match (found.kind, found.client) {
            (PrincipalKind::Application, Some(client)) => client,
            _ => return Err(DirectoryError::NoSecrets),
        };
        let (secret, row) = secret::issue(&*self.chance, (found.tenant, client), op.started, days);
        self.rows.add_credential(row, AuditRecord::done(op, allowed)).await?;
        Ok(secret)
    }

    /// Switches a principal off or on; tokens it has are refused from then on.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchPrincipal`].
    pub async fn set_enabled(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        enabled: bool,
    ) -> Result<(), DirectoryError> {
        let tenant = op.caller.tenant;
        self.by_object(tenant, object).await?.ok_or(DirectoryError::NoSuchPrincipal)?;
        Ok(self.rows.set_enabled(tenant, object, enabled, AuditRecord::done(op, allowed)).await?)
    }

    /// Removes a principal with its credentials and role assignments. `false` when it was not there.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] for a machine's identity, which goes with its machine.
    pub async fn remove(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
    ) -> Result<bool, DirectoryError> {
        let tenant: TenantId = op.caller.tenant;
        match self.by_object(tenant, object).await? {
            None => Ok(false),
            Some(p) if p.resource.is_some() => {
                Err(DirectoryError::Invalid("a managed identity goes with its resource"))
            }
            Some(_) => Ok(self.rows.remove_principal(tenant, object, AuditRecord::done(op, allowed)).await?),
        }
    }
}

fn check_days(days: u32) -> Result<(), DirectoryError> {
    if (1..=SECRET_DAYS_MAX).contains(&days) {
        return Ok(());
    }
    Err(DirectoryError::Invalid("a secret lives 1 to 730 days"))
}
