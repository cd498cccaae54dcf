use std::io;

use cs_bytes::BytesError;
use cs_store::StoreError;

/// Why there is no copy, or why one cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{attempt}: {source}")]
    Io { attempt: &'static str, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bytes(#[from] BytesError),
    #[error("this is no backup of a site: {0}")]
    NotOne(&'static str),
    #[error("the root key is not that of this backup, or the backup was changed")]
    WrongKey,
    #[error("the backup is cut short or damaged: what it holds is not what was written")]
    Damaged,
}

pub(crate) fn io_error(attempt: &'static str) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Io { attempt, source }
}
