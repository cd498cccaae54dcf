//! What the machine says of itself to its site, signed by its key, each for an address of its own: heartbeats, the next
//! key, and whom the site shall attest it to be.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use cs_broker::AttestError;
use cs_ids::CorrelationId;
use cs_jose::{MachineKey, Signer};
use cs_serve::CORRELATION;
use cs_time::{Clock, MachineClock};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    failure::chain,
    issuer::{DISABLED, Proof, SiteIssuer, UNKNOWN, UNKNOWN_KEY, error_code, seconds_ahead},
    rotation::{Hearer, Refused},
    site,
};

impl SiteIssuer {
    /// The attested document over a nonce, or over the time, as the site signs it for this machine: DER.
    ///
    /// # Errors
    /// [`AttestError`].
    pub async fn attested(
        &self,
        nonce: Option<&str>,
        correlation: CorrelationId,
    ) -> Result<Vec<u8>, AttestError> {
        let proof = self.proof.read().await;
        let Proof::Key(signer) = &*proof else { return Err(AttestError::Nobody) };
        let more = nonce.map_or_else(|| json!({}), |nonce| json!({"nonce": nonce}));
        let reply =
            self.state("attested", signer, &more, Some(correlation)).await.map_err(
                |refused| match refused {
                    Refused::Deaf => AttestError::Nobody,
                    Refused::UnknownKey(said) | Refused::Revoked(said) => AttestError::Refused(said),
                    Refused::Later(why) => AttestError::Unreachable(why),
                },
            )?;
        let signed = reply.get("signature").and_then(Value::as_str).and_then(cs_jose::decode_any);
        signed.ok_or_else(|| AttestError::Unreachable("the site's reply cannot be read".to_owned()))
    }

    /// Sends a statement, and once more with the site's time where the machine's own is wrong.
    async fn state(
        &self,
        path: &str,
        signer: &Signer,
        more: &Value,
        correlation: Option<CorrelationId>,
    ) -> Result<Value, Refused> {
        let before = self.ahead.load(Ordering::Relaxed);
        let said = self.state_once(path, signer, more, correlation).await;
        match said {
            Err(Refused::Later(_)) if self.ahead.load(Ordering::Relaxed) != before => {
                self.state_once(path, signer, more, correlation).await
            }
            other => other,
        }
    }

    async fn state_once(
        &self,
        path: &str,
        signer: &Signer,
        more: &Value,
        correlation: Option<CorrelationId>,
    ) -> Result<Value, Refused> {
        let url = format!("{}/{path}", self.statements);
        let mut claims = self.claims(&url);
        if let (Some(all), Some(more)) = (claims.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        let later = |e: &dyn std::fmt::Display| Refused::Later(e.to_string());
        let statement = signer.sign(&claims).map_err(|e| later(&e))?;
        let form = [("statement", statement)];
        let mut request = self.client.post(&url).form(&form);
        if let Some(id) = correlation {
            request = request.header(CORRELATION, id.to_string());
        }
        let sent = request.send().await;
        let response = sent.map_err(|e| Refused::Later(chain(&e)))?;
        if let Some(ahead) = seconds_ahead(response.headers(), MachineClock.now()) {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        let read = site::read("telling the site of this machine", response).await;
        let (status, reply) = read.map_err(|f| Refused::Later(f.message))?;
        if status.is_success() && reply.is_object() { Ok(reply) } else { Err(read_refusal(status, &reply)) }
    }
}

/// A signer with a copy of a key.
fn signer(key: &MachineKey) -> Result<Signer, Refused> {
    let copy = MachineKey::from_pkcs8(key.pkcs8());
    copy.map(Signer::machine).map_err(|e| Refused::Later(e.to_string()))
}

#[async_trait]
impl Hearer for SiteIssuer {
    async fn beat(&self, key: &MachineKey, counter: i64, nonce: &str) -> Result<i64, Refused> {
        let more = json!({"counter": counter, "nonce": nonce});
        let reply = self.state("heartbeat", &signer(key)?, &more, None).await?;
        let generation = reply.get("generation").and_then(Value::as_i64);
        generation.ok_or_else(|| Refused::Later("the site's reply cannot be read".to_owned()))
    }

    async fn offer(&self, key: &MachineKey, next: &MachineKey) -> Result<(), Refused> {
        let proof = signer(next)?.sign(&self.claims(&format!("{}/key", self.statements)));
        let proof = proof.map_err(|e| Refused::Later(e.to_string()))?;
        let more = json!({"key": next.public(), "proof": proof});
        self.state("key", &signer(key)?, &more, None).await.map(drop)
    }

    async fn adopt(&self, key: MachineKey) {
        self.use_key(key).await;
    }
}

fn read_refusal(status: StatusCode, reply: &Value) -> Refused {
    let said = reply.get("error_description").and_then(Value::as_str).map(str::to_owned);
    match (status.as_u16(), error_code(reply), said) {
        (_, UNKNOWN | DISABLED, Some(said)) => Refused::Revoked(said),
        (_, UNKNOWN_KEY, Some(said)) => Refused::UnknownKey(said),
        (404 | 405, ..) => Refused::Deaf,
        (status, _, said) => Refused::Later(said.unwrap_or_else(|| format!("status {status}"))),
    }
}
