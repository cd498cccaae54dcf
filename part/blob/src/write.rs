//! Putting and removing blobs, and their metadata and properties.

use bytes::{Bytes, BytesMut};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, BlobExpect, BlobNote, BlobProperties, BlobRow, Expected, Segment, StoreError};
use futures_util::{Stream, StreamExt};

use crate::{Account, BlobError, Blobs, Checks, Conditions, INLINE_MAX_BYTES, checks::Running};

/// A blob put whole may hold this much: 5000 MiB (blob.md 6).
pub const BLOB_MAX_BYTES: u64 = 5000 << 20;
/// The MD5 of content up to this size is computed and stored; beyond it only a given one is checked: hashing would cost
/// more than everything else about a large upload.
const HASHED_MAX_BYTES: u64 = 4 << 20;
/// A writer that loses against others tries again at most this often.
pub(crate) const ATTEMPTS: u32 = 16;

/// Content as it arrives.
pub struct Incoming<S> {
    pub chunks: S,
    /// As announced, where it was.
    pub length: Option<u64>,
    /// MD5 of the whole, as announced: base64.
    pub md5: Option<String>,
    /// CRC-64 of the whole, as announced: base64.
    pub crc64: Option<String>,
}

/// A blob to be put.
pub struct NewBlob {
    pub container: String,
    pub name: String,
    pub properties: BlobProperties,
    pub metadata: Vec<(String, String)>,
    pub conditions: Conditions,
    /// The caller may add blobs, but not write over one.
    pub only_new: bool,
}

/// Content that has been kept.
pub(crate) struct Kept {
    pub inline: Option<Vec<u8>>,
    pub segments: Vec<Segment>,
    pub length: u64,
    pub checks: Checks,
}

impl Blobs {
    /// Puts a block blob whole. The container and the conditions are looked at before the content is.
    ///
    /// # Errors
    /// [`BlobError`]; then what was there before is there still.
    pub async fn put<S, E>(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        new: NewBlob,
        incoming: Incoming<S>,
    ) -> Result<(BlobRow, Checks), BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        self.container(account, &new.container).await?;
        // Large content is not taken in for nothing.
        let large = incoming.length.is_none_or(|length| length > INLINE_MAX_BYTES as u64);
        self.expectation(allowed, account, &new, large).await?;
        let kept = self.keep(incoming, BLOB_MAX_BYTES, INLINE_MAX_BYTES).await?;
        let now = self.now();
        let mut properties = new.properties.clone();
        properties.content_md5 = properties.content_md5.or_else(|| kept.checks.md5.clone());
        let row = BlobRow {
            container: new.container.clone(),
            name: new.name.clone(),
            etag: self.etag(),
            created: now,
            modified: now,
            length: kept.length,
            properties,
            metadata: new.metadata.clone(),
            inline: kept.inline,
            segments: kept.segments,
            lease: None,
        };
        let object = row.segments.first().map(|s| s.key.clone());
        match self.commit(op, allowed, account, &new, row).await {
            Ok(row) => Ok((row, kept.checks)),
            Err(error) => Err(self.without(object, error).await),
        }
    }

    /// Removes an object whose row was refused. Where the database did not say how it ended, the sweep decides.
    pub(crate) async fn without(&self, object: Option<String>, error: BlobError) -> BlobError {
        if let (Some(key), false) = (object, matches!(error, BlobError::Store(_))) {
            if let Err(error) = self.parts.bytes.remove(&key).await {
                tracing::warn!(%error, "an object nobody needs is left to the sweep");
            }
        }
        error
    }

    /// Commits a row under the conditions of its request; tries again when others write in between.
    pub(crate) async fn commit(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        new: &NewBlob,
        row: BlobRow,
    ) -> Result<BlobRow, BlobError> {
        for _ in 0..ATTEMPTS {
            let expect = match self.expectation(allowed, account, new, false).await? {
                BlobExpect::Any if new.only_new => BlobExpect::Absent,
                BlobExpect::Etag(_) if new.only_new => return Err(BlobError::OnlyNew),
                expect => expect,
            };
            let expect = Expected { blob: expect, lease: self.key(new.conditions.lease.as_ref()) };
            let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
            match self.parts.blobs.put_blob(allowed, place, row.clone(), expect, audit).await {
                Ok(()) => return Ok(row),
                Err(StoreError::Conflict(_)) if new.only_new => return Err(BlobError::OnlyNew),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Missing(_)) => return Err(BlobError::NoSuchContainer),
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
    }

    /// What a write must find. The store looks again when it writes; `early`: look at the lease before content comes.
    async fn expectation(
        &self,
        allowed: &Allowed,
        account: &Account,
        new: &NewBlob,
        early: bool,
    ) -> Result<BlobExpect, BlobError> {
        if !early && !new.conditions.any() {
            return Ok(BlobExpect::Any);
        }
        let there = self.find(allowed, account, &new.container, &new.name).await?;
        let expect = new.conditions.on_write(there.as_ref())?;
        let lease = there.as_ref().and_then(|blob| blob.lease.as_ref());
        self.key(new.conditions.lease.as_ref()).opens(lease).map_err(BlobError::Leased)?;
        Ok(expect)
    }

    pub(crate) async fn find(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
    ) -> Result<Option<BlobRow>, BlobError> {
        let place = account.place.clone();
        Ok(self.parts.blobs.blob_head(allowed, place, container.to_owned(), name.to_owned()).await?)
    }

    /// Whether a blob is there: a new one needs less of a right (blob.md 4.4).
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn is_new(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
    ) -> Result<bool, BlobError> {
        Ok(self.find(allowed, account, container, name).await?.is_none())
    }

    /// Takes content in: small into memory for the row, larger into the bytes store, durably.
    pub(crate) async fn keep<S, E>(
        &self,
        incoming: Incoming<S>,
        max: u64,
        inline_max: usize,
    ) -> Result<Kept, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        if incoming.length.is_some_and(|l| l > max) {
            return Err(BlobError::TooLarge(max));
        }
        let hashed = incoming.md5.is_some() || incoming.length.is_some_and(|l| l <= HASHED_MAX_BYTES);
        let mut running = Running::new(hashed);
        let (mut chunks, mut small, mut upload, mut length) = (incoming.chunks, BytesMut::new(), None, 0u64);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| BlobError::BrokenOff)?;
            length += chunk.len() as u64;
            if length > max {
                return Err(BlobError::TooLarge(max));
            }
            running.update(&chunk);
            match &mut upload {
                None if small.len() + chunk.len() <= inline_max => small.extend_from_slice(&chunk),
                None => {
                    let mut begun = self.parts.bytes.begin().await?;
                    begun.write(std::mem::take(&mut small).freeze()).await?;
                    begun.write(chunk).await?;
                    upload = Some(begun);
                }
                Some(upload) => upload.write(chunk).await?,
            }
        }
        if incoming.length.is_some_and(|announced| announced != length) {
            return Err(BlobError::BrokenOff);
        }
        let (checks, crc) = running.finish(incoming.md5, incoming.crc64)?;
        let key = match upload {
            Some(upload) => upload.finish().await?,
            None if inline_max == 0 => self.parts.bytes.begin().await?.finish().await?,
            None => {
                return Ok(Kept { inline: Some(small.into()), segments: Vec::new(), length, checks });
            }
        };
        let segments = vec![Segment { id: String::new(), key, length, crc }];
        Ok(Kept { inline: None, segments, length, checks })
    }

    /// Removes a blob.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn remove(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
        conditions: &Conditions,
    ) -> Result<(), BlobError> {
        self.container(account, container).await?;
        for _ in 0..ATTEMPTS {
            let there = self.find(allowed, account, container, name).await?.ok_or(BlobError::NoSuchBlob)?;
            let expect = match conditions.on_write(Some(&there)) {
                Err(BlobError::BlobExists) => return Err(BlobError::ConditionNotMet),
                other => other?,
            };
            let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
            let (container, name) = (container.to_owned(), name.to_owned());
            let expect = Expected { blob: expect, lease: self.key(conditions.lease.as_ref()) };
            match self.parts.blobs.remove_blob(allowed, place, container, name, expect, audit).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(BlobError::NoSuchBlob),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
    }

    /// Notes tier or tags: neither is part of the blob, so its ETag stays.
    ///
    /// # Errors
    /// [`BlobError::NoSuchContainer`], [`BlobError::NoSuchBlob`].
    pub async fn note(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        (container, name): (&str, &str),
        lease: Option<&String>,
        note: BlobNote,
    ) -> Result<(), BlobError> {
        let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
        let (at, named) = (container.to_owned(), name.to_owned());
        if self.parts.blobs.note_blob(allowed, place, at, named, note, self.key(lease), audit).await? {
            return Ok(());
        }
        self.container(account, container).await?;
        Err(BlobError::NoSuchBlob)
    }

    /// Changes what is said about a blob, not its content: `change` gets the row as it is.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn describe(
        &self,
        op: &Operation,
        allowed: &Allowed,
        account: &Account,
        place: (&str, &str),
        conditions: &Conditions,
        change: impl Fn(&mut BlobRow) + Send + Sync,
    ) -> Result<BlobRow, BlobError> {
        let (container, name) = place;
        self.container(account, container).await?;
        for _ in 0..ATTEMPTS {
            let mut row = self.find(allowed, account, container, name).await?.ok_or(BlobError::NoSuchBlob)?;
            conditions.on_write(Some(&row))?;
            let lease = self.key(conditions.lease.as_ref());
            let expect = Expected { blob: BlobExpect::Etag(row.etag.clone()), lease };
            change(&mut row);
            row.etag = self.etag();
            row.modified = self.now();
            let audit = AuditRecord::done(op, allowed);
            let place = account.place.clone();
            match self.parts.blobs.describe_blob(allowed, place, row.clone(), expect, audit).await {
                Ok(()) => return Ok(row),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
    }
}
