//! What can go wrong with the directory.

use cs_rbac::Denied;
use cs_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("'{0}' is not there")]
    NoObject(String),
    #[error("principals of this kind have no secrets")]
    NoSecrets,
    /// A managed identity goes with its resource and is changed there.
    #[error("a managed identity is changed through its resource")]
    Managed,
    #[error("{0}")]
    Invalid(String),
    /// Another object has the same value of a property that must be unique.
    #[error("another object has the same {0}")]
    Taken(&'static str),
    #[error("it is a member or owner already")]
    LinkExists,
    #[error("it is no member or owner")]
    NoLink,
    #[error("there are as many {0} as there may be")]
    TooMany(&'static str),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the directory cannot be read or written")]
    Store(#[from] StoreError),
}

impl DirectoryError {
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }
}
