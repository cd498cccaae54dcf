//! What a machine may have said of itself in the site's name: who it is, from the site's own records, never from its words.
//!
//! Its `vmId` came with the request that made it, as clients of the original send it: so it is said of the first machine
//! alone that has it, and whoever makes another with the same is not attested.

use cs_ids::ResourceId;
use cs_store::{AuditOutcome, Resource, Resources};
use serde_json::Value;

use crate::{Authority, AuthorityError, Statement};

/// What follows the tenant in the address.
pub const ATTESTED: &str = "/machine/attested";
const ATTEST: &str = "Microsoft.HybridCompute/machines/attest/action";

/// A machine, and the nonce that it wants to be named with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    pub nonce: Option<String>,
    pub subscription_id: String,
    pub vm_id: String,
}

/// The `vmId` of a machine, where it may be signed that the machine has it.
///
/// # Errors
/// [`AuthorityError::MalformedAssertion`] where it may not, and the store's.
pub async fn attestable(resources: &dyn Resources, machine: &Resource) -> Result<String, AuthorityError> {
    // Letters and digits are found whatever the database makes of a pattern.
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let vm_id = machine.properties.get("vmId").and_then(Value::as_str).filter(is_id);
    let vm_id = vm_id.ok_or(AuthorityError::MalformedAssertion("the vmId of its record is none"))?;
    let called = resources.machines_called(machine.tenant, vm_id.to_owned()).await?;
    if called.iter().any(|other| other.id != machine.id && other.created <= machine.created) {
        return Err(AuthorityError::MalformedAssertion("another machine had its vmId before it"));
    }
    Ok(vm_id.to_owned())
}

impl Authority {
    /// Who made a statement, as the site has it on record. The claim `nonce` may be missing.
    ///
    /// A bearer token of the machine is not enough: this is for what holds its key, which asks on behalf of its programs.
    ///
    /// # Errors
    /// As [`Authority::heartbeat`].
    pub async fn attest(&self, statement: &Statement<'_>) -> Result<Attested, AuthorityError> {
        let proven = self.proven(statement, ATTESTED).await?;
        let nonce = match proven.jws.claims.get("nonce") {
            None => None,
            Some(Value::String(nonce)) => Some(nonce.clone()),
            Some(_) => return Err(AuthorityError::MalformedAssertion("its nonce is no text")),
        };
        let none = || AuthorityError::MalformedAssertion("it is of nobody who is a machine");
        let id = proven.principal.resource.as_deref().and_then(|r| ResourceId::parse(r).ok());
        let id = id.ok_or_else(none)?;
        let subscription_id = id.subscription().to_string();
        let resource = self.parts.resources.resource(statement.tenant.id, id).await?.ok_or_else(none)?;
        let vm_id = attestable(&*self.parts.resources, &resource).await?;
        let because = "who it is was signed for it".to_owned();
        let record =
            self.about(&proven.principal, statement.correlation, ATTEST, AuditOutcome::Done, because);
        self.parts.sign_ins.record(record);
        Ok(Attested { nonce, subscription_id, vm_id })
    }
}
