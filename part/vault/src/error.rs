//! What goes wrong in a vault, in its own words; the surface has the wire's (keyvault.md 9).

use cs_store::StoreError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("no secret {0}")]
    NoSuchSecret(String),
    #[error("no deleted secret {0}")]
    NoSuchDeletedSecret(String),
    #[error("secret {0} is in its deleted state")]
    Deleted(String),
    #[error("secret {0} exists already")]
    Exists(String),
    #[error("secret {0} is disabled")]
    Disabled(String),
    #[error("the vault is protected from purging")]
    PurgeProtected,
    /// A rule a parameter breaks, in a sentence.
    #[error("{0}")]
    Invalid(String),
    /// A stored value does not open: it was moved or changed.
    #[error("a stored value cannot be opened")]
    Sealed,
    #[error(transparent)]
    Store(#[from] StoreError),
}
