//! Containers and blobs. Content lies in the row when it is small, else in objects of `cs-bytes`, which the rows name.

use async_trait::async_trait;
use cs_rbac::Allowed;
use cs_time::Timestamp;

use crate::{
    AccountPlace, AuditLog, AuditRecord, BlobNote, BlobRow, BlockRow, ContainerRow, Expected, LeaseChange,
    LeaseKey, StoreError,
};

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
    ///
    /// # Errors
    /// `Leased` when somebody else holds it.
    async fn remove_container(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        name: String,
        lease: LeaseKey,
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
    /// `Conflict` when the blob is not what was expected (any more), `Leased` when somebody else holds it.
    async fn describe_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: Expected,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Notes tier or tags; ETag and time of change stay. `false` when the blob is not there.
    ///
    /// # Errors
    /// `Leased` when somebody else holds it: tags need its lease.
    async fn note_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        note: BlobNote,
        lease: LeaseKey,
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
    /// `Missing` when the container is gone, `Conflict` when what is there is not what was expected, `Leased` when
    /// somebody else holds it.
    async fn put_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: Expected,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// `false` when it is not there.
    ///
    /// # Errors
    /// `Conflict` when what is there is not what was expected, `Leased` when somebody else holds it.
    async fn remove_blob(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        expect: Expected,
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
    /// `Missing` when the container is gone, `Conflict` with [`UNCOMMITTED_MAX`] blocks there, `Leased` when somebody
    /// else holds the blob.
    async fn put_block(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        block: BlockRow,
        lease: LeaseKey,
        audit: AuditRecord,
    ) -> Result<(), StoreError>;

    /// Changes the lease of a blob, or of the container where no blob is named. `false` when it is not there.
    ///
    /// # Errors
    /// `Conflict` when the lease is not what it was.
    async fn change_lease(
        &self,
        allowed: &Allowed,
        place: AccountPlace,
        container: String,
        blob: Option<String>,
        change: LeaseChange,
        audit: AuditRecord,
    ) -> Result<bool, StoreError>;

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
