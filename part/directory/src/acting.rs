//! Service principals: what acts for an application, and managed identities as the directory sees them.

use cs_ids::{ClientId, ObjectId};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, Details, Principal, PrincipalChange, PrincipalKind, StoreError};
use serde_json::{Map, Value};

use crate::{
    DirectoryError, Principals, Target,
    applications::{Turns, bounded, laid_over},
};

/// A service principal to create for an application of the tenant.
#[derive(Debug, Clone)]
pub struct NewServicePrincipal {
    pub client: ClientId,
    pub enabled: bool,
    pub details: Map<String, Value>,
}

impl Principals {
    /// # Errors
    /// [`DirectoryError::Invalid`] when the tenant has no such application, [`DirectoryError::Taken`] when it has its
    /// service principal already.
    pub async fn create_service_principal(
        &self,
        op: &Operation,
        allowed: &Allowed,
        new: NewServicePrincipal,
    ) -> Result<Principal, DirectoryError> {
        let application = self.application_of_client(op, new.client).await?;
        // Azure's own words would make az try again for three minutes (arm.md 5.4).
        let missing = || {
            DirectoryError::invalid(format!("No application with appId '{}' is registered here.", new.client))
        };
        let application = application.ok_or_else(missing)?;
        let principal = Principal {
            tenant: op.caller.tenant,
            object: ObjectId::new(self.chance.uuid()),
            kind: PrincipalKind::Application,
            client: Some(application.client),
            display_name: application.display_name,
            enabled: new.enabled,
            resource: None,
            directory_admin: false,
            created: op.started,
            deleted: false,
            revision: 0,
        };
        let details = Details { handle: None, value: Value::Object(bounded(new.details)?) };
        let (owner, record) = (Some(op.caller.object), AuditRecord::done(op, allowed));
        match self.objects.add_described(principal.clone(), details, owner, record).await {
            Ok(()) => Ok(principal),
            Err(StoreError::Exists(_)) => Err(DirectoryError::Taken("appId")),
            Err(other) => Err(other.into()),
        }
    }

    /// Switches one on or off (its tokens are refused from then on), or changes what is kept of it.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`], [`DirectoryError::Managed`].
    pub async fn change_service_principal(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
        (enabled, details): (Option<bool>, Map<String, Value>),
    ) -> Result<(), DirectoryError> {
        let principal = self.acting(op, object).await?;
        if principal.resource.is_some() && !details.is_empty() {
            return Err(DirectoryError::Managed);
        }
        let mut turns = Turns::default();
        loop {
            let known = self.kept(op, object).await?;
            let changed = match details.is_empty() {
                true => None,
                false => {
                    let value = bounded(laid_over(known.clone(), details.clone()))?;
                    Some(Details { handle: None, value: Value::Object(value) })
                }
            };
            let change = PrincipalChange { display_name: None, enabled, details: changed, known };
            let record = AuditRecord::done(op, allowed);
            let outcome = self.objects.change_principal(op.caller.tenant, object, change, record).await;
            let outcome = outcome.map_err(DirectoryError::from);
            if !turns.again(&outcome) {
                return outcome;
            }
        }
    }

    /// Removes a service principal with what was assigned to it; its application and credentials stay.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`], [`DirectoryError::Managed`] for the identity of a resource.
    pub async fn remove_service_principal(
        &self,
        op: &Operation,
        allowed: &Allowed,
        object: ObjectId,
    ) -> Result<(), DirectoryError> {
        if self.acting(op, object).await?.resource.is_some() {
            return Err(DirectoryError::Managed);
        }
        let record = AuditRecord::done(op, allowed);
        self.rows.remove_principal(op.caller.tenant, object, record).await?;
        Ok(())
    }

    /// A service principal or managed identity.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`].
    pub async fn acting(&self, op: &Operation, object: ObjectId) -> Result<Principal, DirectoryError> {
        let found = self.by_object(op.caller.tenant, object).await?;
        let acts = |p: &Principal| !matches!(p.kind, PrincipalKind::User | PrincipalKind::Group);
        found.filter(acts).ok_or_else(|| DirectoryError::NoObject(object.to_string()))
    }

    /// Where a permission to change a service principal is asked for.
    ///
    /// # Errors
    /// [`DirectoryError::NoObject`], [`DirectoryError::Denied`].
    pub async fn permit_acting(
        &self,
        op: &Operation,
        action: &'static str,
        object: ObjectId,
    ) -> Result<(Principal, Allowed), DirectoryError> {
        let principal = self.acting(op, object).await?;
        let objects = self.owned_through(op, principal.client, object).await?;
        let target = Target { collection: "servicePrincipals", objects: &objects };
        Ok((principal, self.permit(op, action, target).await?))
    }

    /// What is kept of a principal beside its row.
    pub async fn kept(&self, op: &Operation, object: ObjectId) -> Result<Map<String, Value>, DirectoryError> {
        let found = self.objects.details(op.caller.tenant, vec![object]).await?;
        Ok(found.into_iter().find_map(|(_, value)| value.as_object().cloned()).unwrap_or_default())
    }
}
