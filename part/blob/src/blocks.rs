//! Blocks: content put piece by piece, committed by a list.

use std::collections::HashMap;

use bytes::Bytes;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, BlobRow, BlockRow, Segment, StoreError, UNCOMMITTED_MAX};
use futures_util::Stream;

use crate::{Account, BlobError, Blobs, Checks, Incoming, NewBlob};

/// One block may hold this much: 4000 MiB (blob.md 6).
pub const BLOCK_MAX_BYTES: u64 = 4000 << 20;
const COMMITTED_MAX: usize = 50_000;

/// A block to be put. The id is base64 as sent, checked by the surface.
pub struct NewBlock {
    pub container: String,
    pub name: String,
    pub id: String,
    /// The lease the caller holds.
    pub lease: Option<String>,
}

/// One entry of a block list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockUse {
    Committed(String),
    Uncommitted(String),
    /// The uncommitted one, else the committed one.
    Latest(String),
}

/// A block of a committed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedBlock {
    pub id: String,
    pub length: u64,
}

impl Blobs {
    /// Keeps an uncommitted block, durably. Answers what was computed of it.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn put_block<S, E>(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        new: NewBlock,
        incoming: Incoming<S>,
    ) -> Result<Checks, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        self.container(account, &new.container).await?;
        let known = self.uncommitted(allowed, account, &new.container, &new.name, 1).await?;
        if known.first().is_some_and(|b| b.id.len() != new.id.len()) {
            return Err(BlobError::BlockIdLength);
        }
        let kept = self.keep(incoming, BLOCK_MAX_BYTES, 0).await?;
        let (key, crc) = kept.segments.into_iter().next().map(|s| (s.key, s.crc)).unwrap_or_default();
        let object = Some(key.clone());
        let block = BlockRow { id: new.id, key, length: kept.length, crc };
        let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
        let lease = self.key(new.lease.as_ref());
        match self.parts.blobs.put_block(allowed, place, new.container, new.name, block, lease, audit).await {
            Ok(()) => Ok(kept.checks),
            Err(StoreError::Missing(_)) => Err(self.without(object, BlobError::NoSuchContainer).await),
            Err(StoreError::Conflict(_)) => Err(self.without(object, BlobError::TooManyUncommitted).await),
            Err(error) => Err(self.without(object, error.into()).await),
        }
    }

    /// Makes a blob of blocks, in one step: until then readers see the old content, from then on the new.
    ///
    /// # Errors
    /// [`BlobError`]; then nothing has changed.
    pub async fn commit_blocks(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        new: NewBlob,
        list: &[BlockUse],
    ) -> Result<BlobRow, BlobError> {
        if list.len() > COMMITTED_MAX {
            return Err(BlobError::TooManyBlocks);
        }
        self.container(account, &new.container).await?;
        let uncommitted =
            self.uncommitted(allowed, account, &new.container, &new.name, UNCOMMITTED_MAX).await?;
        let there = self.find(allowed, account, &new.container, &new.name).await?;
        let committed = there.as_ref().map(|b| b.segments.as_slice()).unwrap_or_default();
        let segments = pick(list, uncommitted, committed).ok_or(BlobError::InvalidBlockList)?;
        let now = self.now();
        let row = BlobRow {
            container: new.container.clone(),
            name: new.name.clone(),
            etag: self.etag(),
            created: there.as_ref().map_or(now, |b| b.created),
            modified: now,
            length: segments.iter().map(|s| s.length).sum(),
            properties: new.properties.clone(),
            metadata: new.metadata.clone(),
            inline: segments.is_empty().then(Vec::new),
            segments,
            lease: None,
        };
        self.commit(op, allowed, account, &new, row).await
    }

    /// Committed and uncommitted blocks of a blob.
    ///
    /// # Errors
    /// [`BlobError::NoSuchBlob`] when there are neither.
    pub async fn blocks(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
    ) -> Result<(Option<BlobRow>, Vec<CommittedBlock>, Vec<CommittedBlock>), BlobError> {
        self.container(account, container).await?;
        let uncommitted = self.uncommitted(allowed, account, container, name, UNCOMMITTED_MAX).await?;
        let there = self.find(allowed, account, container, name).await?;
        if there.is_none() && uncommitted.is_empty() {
            return Err(BlobError::NoSuchBlob);
        }
        let named =
            there.as_ref().map(|b| b.segments.iter().filter(|s| !s.id.is_empty())).into_iter().flatten();
        let committed = named.map(|s| CommittedBlock { id: s.id.clone(), length: s.length }).collect();
        let uncommitted =
            uncommitted.into_iter().map(|b| CommittedBlock { id: b.id, length: b.length }).collect();
        Ok((there, committed, uncommitted))
    }

    async fn uncommitted(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
        limit: u32,
    ) -> Result<Vec<BlockRow>, BlobError> {
        let place = account.place.clone();
        Ok(self.parts.blobs.blocks(allowed, place, container.to_owned(), name.to_owned(), limit).await?)
    }
}

/// The blocks a list names; `None` when one of them is not there.
fn pick(list: &[BlockUse], uncommitted: Vec<BlockRow>, committed: &[Segment]) -> Option<Vec<Segment>> {
    let fresh: HashMap<String, Segment> = uncommitted
        .into_iter()
        .map(|b| (b.id.clone(), Segment { id: b.id, key: b.key, length: b.length, crc: b.crc }))
        .collect();
    let old: HashMap<&str, &Segment> = committed.iter().map(|s| (s.id.as_str(), s)).collect();
    let picked = list.iter().map(|entry| match entry {
        BlockUse::Committed(id) => old.get(id.as_str()).copied(),
        BlockUse::Uncommitted(id) => fresh.get(id),
        BlockUse::Latest(id) => fresh.get(id).or_else(|| old.get(id.as_str()).copied()),
    });
    picked.map(|segment| segment.cloned()).collect()
}
