//! A machine acting as a user-assigned identity that is attached to it.

use cs_ids::{ClientId, CorrelationId};
use cs_names::Address;
use cs_store::{Principal, PrincipalKind};

use crate::{Authority, AuthorityError, IssuedToken};

impl Authority {
    /// The identity a machine names by client id, object id or resource id, if it is attached to the machine now.
    pub(crate) async fn attached(
        &self,
        machine: &Principal,
        named: &str,
    ) -> Result<Principal, AuthorityError> {
        let missing = || AuthorityError::NotAttached(named.chars().take(128).collect());
        let id = machine.resource.as_deref().and_then(|r| cs_ids::ResourceId::parse(r).ok());
        let id = id.filter(|_| machine.kind == PrincipalKind::MachineIdentity).ok_or_else(missing)?;
        let resource = self.parts.resources.resource(machine.tenant, id).await?.ok_or_else(missing)?;
        let all = cs_store::attached_identities(&resource);
        let is = |text: &str| text.eq_ignore_ascii_case(named);
        let found = all.iter().find(|a| is(&a.resource) || is(&a.client) || is(&a.object));
        let client = found.and_then(|a| a.client.parse::<ClientId>().ok()).ok_or_else(missing)?;
        // One that has been deleted since is attached to nothing.
        match self.principal(machine.tenant, client).await {
            Err(AuthorityError::UnknownClient(_)) => Err(missing()),
            other => other,
        }
    }

    /// A token for an identity attached to a machine that this process vouches for itself.
    ///
    /// # Errors
    /// [`AuthorityError::NotAttached`] and as for any token.
    pub async fn token_for_attached(
        &self,
        (tenant, machine): (cs_ids::TenantId, ClientId),
        named: &str,
        (audience, address, correlation): (&str, &Address, CorrelationId),
    ) -> Result<IssuedToken, AuthorityError> {
        let machine = self.principal(tenant, machine).await?;
        let identity = self.attached(&machine, named).await?;
        let at = machine.resource.as_deref();
        self.issue_on_record((&identity, at), "2", audience, address, correlation).await
    }
}
