//! What the machine knows of itself: the material of the instance document.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::CorrelationId;

use crate::Identity;

/// Facts of a connected machine (metadata.md 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    pub name: String,
    pub location: String,
    pub resource_group: String,
    pub subscription_id: String,
    pub resource_id: String,
    pub tenant_id: String,
    /// The machine's own id, made when it was connected.
    pub vm_id: String,
    /// In the order of the resource.
    pub tags: Vec<(String, String)>,
    /// OS name and version, for people.
    pub os_name: String,
    pub os_version: String,
    pub interfaces: Vec<Interface>,
    /// What programs are told of the cloud they are in; empty: as the public one.
    pub environment: String,
}

/// A network interface of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Twelve hexadecimal digits, upper case.
    pub mac: String,
    pub ipv4: Vec<String>,
    /// The networks of these, each with the bits of its prefix.
    pub subnets: Vec<(String, u32)>,
    pub ipv6: Vec<String>,
}

/// Has it said who this machine is, in the name of its site.
#[async_trait]
pub trait Attester: Send + Sync {
    /// The attested document over a nonce, or over the time: a PKCS#7 SignedData, DER, with the document and the signer's
    /// certificate inside. `correlation` goes on to the site's audit log.
    ///
    /// # Errors
    /// [`AttestError`].
    async fn attest(&self, nonce: Option<&str>, correlation: CorrelationId) -> Result<Vec<u8>, AttestError>;
}

/// Why there is no attested document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestError {
    /// Nobody signs for this machine: its site is of another kind, or too old.
    #[error("nobody attests who this machine is")]
    Nobody,
    /// The site refuses.
    #[error("{0}")]
    Refused(String),
    /// So many are being asked for that this one is not.
    #[error("too many attested documents are asked for at once")]
    Busy,
    #[error("the site cannot be reached: {0}")]
    Unreachable(String),
    /// Something is wrong here.
    #[error("the document could not be signed: {0}")]
    Failed(String),
}

/// Where the facts come from. The same `Arc` comes back for as long as nothing has changed, so that what is made of it
/// can be kept.
#[async_trait]
pub trait MachineFacts: Send + Sync {
    /// `None` while the machine is not connected.
    async fn facts(&self) -> Option<Arc<Facts>>;

    /// The identities of the machine; the system-assigned one first, if it has one.
    async fn identities(&self) -> Arc<[Identity]>;
}
