//! Containers and blobs. Content lies in the row when it is small, else in objects of `cs-bytes`, which the rows name.

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_rbac::Allowed;
use cs_time::Timestamp;

use crate::{AuditLog, AuditRecord, StoreError};

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
}

/// What a write expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobExpect {
    Any,
    Absent,
    Etag(String),
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

/// Uncommitted blocks a blob holds at most, as far as it is checked: about one put in 256 looks.
pub const UNCOMMITTED_MAX: u32 = 100_000;

/// The first text behind every text with this prefix, for ranges of names that sort by their bytes.
pub fn after_prefix(prefix: &str) -> String {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters: the one behind U+D7FF is U+E000.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return text;
        }
    }
    // Nothing sorts behind all of them: longer than any name of the largest character does.
    char::MAX.to_string().repeat(1025)
}

#[async_trait]
pub trait Blobs: AuditLog {
    /// `Exists` when there is one of this name.
    async fn create_container(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: ContainerRow,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    async fn container(&self, place: AccountPlace, name: String) -> Result<Option<ContainerRow>, StoreError>;

    /// Containers in the order of their names, from `from` on (inclusive), with a prefix.
    async fn containers(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        prefix: String,
        from: String,
        limit: u32,
    ) -> Result<Vec<ContainerRow>, StoreError>;

    /// Replaces metadata; `false` when it is not there.
    async fn set_container_metadata(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: ContainerRow,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Removes a container with its blobs; `false` when it is not there.
    async fn remove_container(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        name: String,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// A blob without its inline content.
    async fn blob_head(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
    ) -> Result<Option<BlobRow>, StoreError>;

    /// Replaces properties and metadata, ETag and time of change; content and uncommitted blocks stay.
    ///
    /// # Errors
    /// `Conflict` when the blob does not carry the ETag `expect` (any more).
    async fn describe_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: String,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Notes tier or tags; ETag and time of change stay. `false` when the blob is not there.
    async fn note_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        note: BlobNote,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// A blob with its inline content.
    async fn blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
    ) -> Result<Option<BlobRow>, StoreError>;

    /// Writes a blob: what it replaced and blocks it does not use are given up to the sweep.
    ///
    /// # Errors
    /// `Missing` when the container is gone, `Conflict` when what is there is not what was expected.
    async fn put_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: BlobExpect,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// `false` when it is not there.
    ///
    /// # Errors
    /// `Conflict` when what is there is not what was expected.
    async fn remove_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        expect: BlobExpect,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

    /// Blobs in the order of their names' bytes, from `from` on (inclusive), with a prefix; without inline content
    /// and segments.
    async fn blobs(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        prefix: String,
        from: String,
        limit: u32,
    ) -> Result<Vec<BlobRow>, StoreError>;

    /// Keeps an uncommitted block; one of the same id is replaced.
    ///
    /// # Errors
    /// `Missing` when the container is gone, `Conflict` with [`UNCOMMITTED_MAX`] blocks there.
    async fn put_block(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        block: BlockRow,
        at: Timestamp,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Uncommitted blocks of a blob, by their ids, at most `limit`.
    async fn blocks(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        limit: u32,
    ) -> Result<Vec<BlockRow>, StoreError>;

    /// Gives up the uncommitted blocks of blobs that got none since `before`; answers how many.
    async fn drop_stale_blocks(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError>;

    /// Objects given up before `before`, at most `limit`.
    async fn given_up(&self, before: Timestamp, limit: u32) -> Result<Vec<String>, StoreError>;

    /// Of these keys, those no row knows (neither in use nor given up).
    async fn unknown_objects(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError>;

    /// Forgets objects that have been removed.
    async fn forget_objects(&self, keys: Vec<String>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix() {
        assert_eq!(after_prefix("a/"), "a0");
        assert_eq!(after_prefix("a\u{d7ff}"), "a\u{e000}");
        assert_eq!(after_prefix("a\u{10ffff}"), "b");
        for prefix in ["", "\u{10ffff}"] {
            assert!(after_prefix(prefix) > "\u{10ffff}".repeat(1024), "{prefix:?}");
        }
    }
}
