//! What goes wrong with blobs, in the product's words; the surface has the wire's codes.

use cs_bytes::BytesError;
use cs_store::{LeaseRefusal, StoreError};

use crate::LeaseFault;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the container exists already")]
    ContainerExists,
    #[error("there is no such container")]
    NoSuchContainer,
    #[error("there is no such blob")]
    NoSuchBlob,
    /// `If-None-Match: *` and a blob is there.
    #[error("the blob exists already")]
    BlobExists,
    #[error("a condition does not hold")]
    ConditionNotMet,
    #[error("the range lies outside of the blob")]
    InvalidRange { length: u64 },
    #[error("the content does not have the MD5 that was given")]
    Md5Mismatch { given: String, computed: String },
    #[error("the content does not have the CRC-64 that was given")]
    Crc64Mismatch { given: String, computed: String },
    /// Only new blobs may be written, and one is there.
    #[error("the right to add does not reach to what is there")]
    OnlyNew,
    #[error("a block of the list is not there")]
    InvalidBlockList,
    #[error("block ids of one blob must have one length")]
    BlockIdLength,
    #[error("more blocks than a blob holds")]
    TooManyBlocks,
    #[error("more uncommitted blocks than a blob may have")]
    TooManyUncommitted,
    #[error("the content is larger than {0} bytes")]
    TooLarge(u64),
    /// The caller stopped sending.
    #[error("the request broke off")]
    BrokenOff,
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// Somebody's lease keeps the request out, or the caller's is not the one.
    #[error(transparent)]
    Leased(LeaseRefusal),
    #[error(transparent)]
    Lease(#[from] LeaseFault),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for BlobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Leased(refusal) => Self::Leased(refusal),
            error => Self::Store(error),
        }
    }
}

impl BlobError {
    /// Whether there is no room on the disk or in the database.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Bytes(BytesError::Full { .. }) | Self::Store(StoreError::Full { .. }))
    }

    /// Whether the database or the bucket cannot be reached: it may come back.
    pub fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Bytes(BytesError::Store { .. } | BytesError::Silent { .. })
                | Self::Store(StoreError::Unavailable { .. })
        )
    }
}
