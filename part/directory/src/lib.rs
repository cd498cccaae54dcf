//! The directory: who there is, and what they prove themselves with.
//!
//! One [`Principals`] for all tenants. Applications are created here with a secret that is shown once; machines'
//! identities are created with their resource (`cs_resources`), in one transaction with it, and are found here.
//!
//! Everything that writes takes the proof that it is allowed. Reading needs none: any principal of a tenant may
//! read its directory (arm.md 5.3), and a caller's tenant is the only one it can name.

mod applications;
mod error;
mod find;
mod secret;

use std::sync::Arc;

use cs_time::Chance;

pub use applications::NewApplication;
pub use cs_store::{Principal, PrincipalKind};
pub use error::DirectoryError;
pub use find::Find;
pub use secret::{ClientSecret, NewSecret, SECRET_DAYS_MAX};

/// Reads and changes the directory.
pub struct Principals {
    rows: Arc<dyn cs_store::Directory>,
    chance: Arc<dyn Chance>,
}

impl Principals {
    pub fn new(rows: Arc<dyn cs_store::Directory>, chance: Arc<dyn Chance>) -> Self {
        Self { rows, chance }
    }
}
