//! Documents that the site signs: who a machine is, for this host and for those that ask by their key.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use cs_broker::{AttestError, Attester, MachineFacts};
use cs_ids::CorrelationId;
use cs_pki::Leaves;
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

/// Says of this host what the site signs for other machines.
pub struct Attesting {
    pub facts: Arc<dyn MachineFacts>,
    pub notary: Arc<SiteNotary>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Attester for Attesting {
    async fn attest(&self, nonce: Option<&str>, _: CorrelationId) -> Result<Vec<u8>, AttestError> {
        let facts = self.facts.facts().await.ok_or(AttestError::Nobody)?;
        let document = attested_document(nonce, &facts.subscription_id, &facts.vm_id, self.clock.now());
        let signed = document.map_err(|e| e.to_string()).and_then(|text| self.notary.sign(&text));
        signed.map_err(AttestError::Failed)
    }
}
