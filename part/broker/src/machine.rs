//! What the machine knows of itself: the material of the instance document.

use std::sync::Arc;

use async_trait::async_trait;

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
}

/// A network interface of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Twelve hexadecimal digits, upper case.
    pub mac: String,
    pub ipv4: Vec<String>,
    pub ipv6: Vec<String>,
}

/// Signs what is said of this machine, in the name of its site.
pub trait Attester: Send + Sync {
    /// A PKCS#7 SignedData with the document and the signer's certificate inside.
    ///
    /// # Errors
    /// Why it could not be signed.
    fn sign(&self, document: &[u8]) -> Result<Vec<u8>, String>;
}

/// Where the facts come from. The same `Arc` comes back for as long as nothing has changed, so that what is made of it
/// can be kept.
#[async_trait]
pub trait MachineFacts: Send + Sync {
    /// `None` while the machine is not connected.
    async fn facts(&self) -> Option<Arc<Facts>>;

    /// The identities of the machine; the system-assigned one first, if it has one.
    async fn identities(&self) -> Vec<Identity>;
}
