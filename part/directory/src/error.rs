//! What can go wrong with the directory.

use cs_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("no such principal")]
    NoSuchPrincipal,
    #[error("principals of this kind have no secrets")]
    NoSecrets,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the directory cannot be read or written")]
    Store(#[from] StoreError),
}
