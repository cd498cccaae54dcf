//! Rows of blob storage: what a container, a blob, a block is to the store.

use cs_ids::TenantId;
use cs_time::Timestamp;

use crate::{Lease, LeaseKey};

/// Which account: the tenant and the folded resource id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountPlace {
    pub tenant: TenantId,
    pub account: String,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRow {
    pub name: String,
    pub etag: String,
    pub modified: Timestamp,
    pub metadata: Vec<(String, String)>,
    pub lease: Option<Lease>,
}

/// One piece of a blob's content, kept as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Block id as sent; empty for a blob put whole.
    pub id: String,
    /// Key of the object.
    pub key: String,
    pub length: u64,
    /// CRC-64/NVME of the object's bytes.
    pub crc: u64,
}

/// Standard properties a client sets (blob.md 5, Put Blob).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobProperties {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_disposition: Option<String>,
    pub cache_control: Option<String>,
    /// Base64, as stored and answered.
    pub content_md5: Option<String>,
    /// As set; absent it follows from the account.
    pub access_tier: Option<String>,
    pub tags: Vec<(String, String)>,
}

/// What is noted beside a blob without changing it; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobNote {
    pub tier: Option<String>,
    pub tags: Option<Vec<(String, String)>>,
}

impl BlobProperties {
    /// Takes over what is given; what is not stays.
    pub fn overlay(&mut self, given: Self) {
        let members = [
            (&mut self.content_type, given.content_type),
            (&mut self.content_encoding, given.content_encoding),
            (&mut self.content_language, given.content_language),
            (&mut self.content_disposition, given.content_disposition),
            (&mut self.cache_control, given.cache_control),
            (&mut self.content_md5, given.content_md5),
            (&mut self.access_tier, given.access_tier),
        ];
        for (member, given) in members {
            if given.is_some() {
                *member = given;
            }
        }
    }
}

/// A committed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    pub container: String,
    pub name: String,
    pub etag: String,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub length: u64,
    pub properties: BlobProperties,
    pub metadata: Vec<(String, String)>,
    /// Small content; then there are no segments.
    pub inline: Option<Vec<u8>>,
    pub segments: Vec<Segment>,
    /// As it is when the row is read. Writing a row never changes it, but takes away one that has ended.
    pub lease: Option<Lease>,
}

/// What a write expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobExpect {
    Any,
    Absent,
    Etag(String),
}

/// What a write expects of the blob and of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub blob: BlobExpect,
    pub lease: LeaseKey,
}

/// A lease before and after an operation on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseChange {
    pub was: Option<Lease>,
    pub becomes: Option<Lease>,
}

/// An uncommitted block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRow {
    pub id: String,
    pub key: String,
    pub length: u64,
    /// CRC-64/NVME of the object's bytes.
    pub crc: u64,
}
