//! The directory: who there is, what they belong to, and what they prove themselves with.
//!
//! One [`Principals`] for all tenants. An application is registered ([`applications`]); what acts for it is its service
//! principal ([`acting`]); both share a client id and are proven by the passwords and certificates of either ([`credentials`]) and
//! by federated credentials ([`federated`]). Users and groups are in [`people`], who is a member or owner of what in
//! [`links`]. Machines' and user-assigned identities are created with their resource (`cs_resources`), in one
//! transaction with it, and are found here.
//!
//! Reading needs no proof: any principal of a tenant may read its directory (arm.md 5.3), and a caller's tenant is the
//! only one it can name. Writing asks [`Principals::permit`] first: administrators and owners.

mod acting;
mod applications;
mod credentials;
mod error;
mod federated;
mod find;
mod label;
mod links;
mod people;
mod proof;
mod rights;
mod secret;

use std::sync::Arc;

use cs_store::{Directory, DirectoryObjects, FederatedCredentials};
use cs_time::Chance;

pub use acting::NewServicePrincipal;
pub use applications::{ApplicationChange, NewApplication};
pub use credentials::{Given, KeyRing, NewCertificate, sha1};
pub use cs_store::{
    Application, Credential, CredentialHolder, CredentialKind, FederatedCredential, LinkKind, Principal,
    PrincipalKind,
};
pub use error::DirectoryError;
pub use federated::NewFederated;
pub use find::{Find, Page};
pub use label::Label;
pub use people::{NewGroup, NewUser, PersonChange};
pub use rights::Target;
pub use secret::{ClientSecret, NewSecret, SECRET_DAYS_MAX};

/// What the directory stands on.
pub struct DirectoryParts {
    pub rows: Arc<dyn Directory>,
    pub objects: Arc<dyn DirectoryObjects>,
    pub federated: Arc<dyn FederatedCredentials>,
    pub chance: Arc<dyn Chance>,
}

/// Reads and changes the directory.
pub struct Principals {
    pub(crate) rows: Arc<dyn Directory>,
    pub(crate) objects: Arc<dyn DirectoryObjects>,
    pub(crate) federated: Arc<dyn FederatedCredentials>,
    pub(crate) chance: Arc<dyn Chance>,
}

impl Principals {
    pub fn new(parts: DirectoryParts) -> Self {
        let DirectoryParts { rows, objects, federated, chance } = parts;
        Self { rows, objects, federated, chance }
    }
}
