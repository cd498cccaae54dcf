//! Documents that the site signs: who a machine is, for this host and for those that ask by their key.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use cs_authority::{AuthorityError, attestable};
use cs_broker::{AttestError, Attester};
use cs_ids::{CorrelationId, ResourceId, TenantId};
use cs_pki::Leaves;
use cs_store::Resources;
use cs_sts::Notary;
use cs_time::Clock;
use cs_wire_metadata::attested_document;

/// The CA of the site's names, once it is open.
#[derive(Default)]
pub struct SiteNotary(OnceLock<Arc<Leaves>>);

impl SiteNotary {
    pub fn sign_with(&self, leaves: &Arc<Leaves>) {
        drop(self.0.set(Arc::clone(leaves)));
    }
}

impl Notary for SiteNotary {
    fn sign(&self, document: &[u8]) -> Result<Vec<u8>, String> {
        let leaves = self.0.get().ok_or("the site's CA is not open yet")?;
        leaves.sign_document(document).map_err(|error| crate::failure::chain(&error))
    }
}

/// Says of this host what the site signs for other machines, under the same condition: whoever may make machines may have made
/// its resource anew.
pub struct Attesting {
    pub resources: Arc<dyn Resources>,
    pub tenant: TenantId,
    pub id: ResourceId,
    pub notary: Arc<SiteNotary>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Attester for Attesting {
    async fn attest(&self, nonce: Option<&str>, _: CorrelationId) -> Result<Vec<u8>, AttestError> {
        let failed = |error: &dyn std::fmt::Display| AttestError::Failed(error.to_string());
        let found = self.resources.resource(self.tenant, self.id.clone()).await.map_err(|e| failed(&e))?;
        let machine = found.ok_or(AttestError::Nobody)?;
        let vm_id = attestable(&*self.resources, &machine).await.map_err(|error| match error {
            AuthorityError::Store(error) => failed(&error),
            refused => AttestError::Refused(refused.to_string()),
        })?;
        let subscription = machine.id.subscription().to_string();
        let document = attested_document(nonce, &subscription, &vm_id, self.clock.now());
        let signed = document.map_err(|e| e.to_string()).and_then(|text| self.notary.sign(&text));
        signed.map_err(AttestError::Failed)
    }
}
