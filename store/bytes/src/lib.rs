//! Bytes of blobs: immutable objects under random names, on local disk or in an S3 bucket.
//!
//! An [`Upload`] that is finished is durable; one that is dropped leaves nothing. Which objects are in use is the
//! database's knowledge: what no row refers to is swept.

mod local;
mod s3;

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use cs_time::Timestamp;
use futures_util::stream::BoxStream;

pub use local::LocalBytes;
pub use s3::S3Bytes;

/// Why bytes could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BytesError {
    #[error("{attempt}")]
    Io { attempt: &'static str, source: std::io::Error },
    #[error("{attempt}")]
    Store { attempt: &'static str, source: object_store::Error },
    #[error("{attempt}: no answer")]
    Silent { attempt: &'static str },
    /// The disk is full: nothing was kept.
    #[error("no space left for {attempt}")]
    Full { attempt: &'static str },
    #[error("the object is not there")]
    Missing,
    #[error("{0}")]
    Address(String),
}

/// What is read, in order; ends early with an error where the object is damaged.
pub type ByteStream = BoxStream<'static, Result<Bytes, BytesError>>;

/// Keeps objects.
#[async_trait]
pub trait BlobBytes: Send + Sync {
    /// Begins an object.
    async fn begin(&self) -> Result<Box<dyn Upload>, BytesError>;

    /// Streams a range of an object; the range lies within it.
    async fn read(&self, key: &str, range: Range<u64>) -> Result<ByteStream, BytesError>;

    /// Removes an object; one that is gone already is fine.
    async fn remove(&self, key: &str) -> Result<(), BytesError>;

    /// Keys behind `after` of objects older than `before`, in order, at most `limit`: for the sweep of what no row
    /// refers to.
    async fn older_than(
        &self,
        before: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, BytesError>;
}

/// An object being written.
#[async_trait]
pub trait Upload: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BytesError>;

    /// Makes it durable and answers its key.
    async fn finish(self: Box<Self>) -> Result<String, BytesError>;
}

/// 128 random bits in hexadecimal: the name of an object. Nothing of a blob's name is in it (F08).
fn new_key() -> String {
    use cs_time::Chance;
    cs_time::MachineChance.uuid().simple().to_string()
}
