//! Putting and removing blobs, and their metadata and properties.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, BlobExpect, BlobProperties, BlobRow, Segment, StoreError};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};

use crate::{Account, BlobError, Blobs, Conditions, INLINE_MAX_BYTES};

/// A blob put whole may hold this much: 5000 MiB (blob.md 6).
pub const BLOB_MAX_BYTES: u64 = 5000 << 20;
/// The MD5 of content up to this size is computed and stored; beyond it only a given one is checked: hashing would cost
/// more than everything else about a large upload.
const HASHED_MAX_BYTES: u64 = 4 << 20;
/// A writer that loses against others tries again at most this often.
const ATTEMPTS: u32 = 16;

/// Content as it arrives.
pub struct Incoming<S> {
    pub chunks: S,
    /// As announced, where it was.
    pub length: Option<u64>,
    /// MD5 of the whole, as announced: base64.
    pub md5: Option<String>,
}

/// A blob to be put.
pub struct NewBlob {
    pub container: String,
    pub name: String,
    pub properties: BlobProperties,
    pub metadata: Vec<(String, String)>,
    pub conditions: Conditions,
}

/// Content that has been kept.
pub(crate) struct Kept {
    pub inline: Option<Vec<u8>>,
    pub segments: Vec<Segment>,
    pub length: u64,
    /// Base64, where it was computed.
    pub md5: Option<String>,
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
    ) -> Result<BlobRow, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    {
        self.container(account, &new.container).await?;
        self.expectation(allowed, account, &new).await?;
        let kept = self.keep(incoming, BLOB_MAX_BYTES, INLINE_MAX_BYTES).await?;
        let now = self.now();
        let mut properties = new.properties.clone();
        properties.content_md5 = properties.content_md5.or(kept.md5);
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
        };
        self.commit(op, allowed, account, &new, row).await
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
            let expect = self.expectation(allowed, account, new).await?;
            let (place, audit) = (account.place.clone(), AuditRecord::done(op, allowed));
            match self.parts.blobs.put_blob(allowed, place, row.clone(), expect, audit).await {
                Ok(()) => return Ok(row),
                Err(StoreError::Conflict(_)) => {}
                Err(StoreError::Missing(_)) => return Err(BlobError::NoSuchContainer),
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
    }

    async fn expectation(
        &self,
        allowed: &Allowed,
        account: &Account,
        new: &NewBlob,
    ) -> Result<BlobExpect, BlobError> {
        if new.conditions == Conditions::default() {
            return Ok(BlobExpect::Any);
        }
        let there = self.find(allowed, account, &new.container, &new.name).await?;
        new.conditions.on_write(there.as_ref())
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
        let mut hash = hashed.then(Md5::new);
        let (mut chunks, mut small, mut upload, mut length) = (incoming.chunks, BytesMut::new(), None, 0u64);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| BlobError::BrokenOff)?;
            length += chunk.len() as u64;
            if length > max {
                return Err(BlobError::TooLarge(max));
            }
            if let Some(hash) = &mut hash {
                hash.update(&chunk);
            }
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
        let md5 = hash.map(|hash| STANDARD.encode(hash.finalize()));
        if let (Some(given), Some(computed)) = (&incoming.md5, &md5) {
            if given != computed {
                return Err(BlobError::Md5Mismatch { given: given.clone(), computed: computed.clone() });
            }
        }
        match upload {
            None if inline_max == 0 => {
                let key = self.parts.bytes.begin().await?.finish().await?;
                Ok(Kept {
                    inline: None,
                    segments: vec![Segment { id: String::new(), key, length }],
                    length,
                    md5,
                })
            }
            None => Ok(Kept { inline: Some(small.to_vec()), segments: Vec::new(), length, md5 }),
            Some(upload) => {
                let key = upload.finish().await?;
                Ok(Kept {
                    inline: None,
                    segments: vec![Segment { id: String::new(), key, length }],
                    length,
                    md5,
                })
            }
        }
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
            let (container, name, now) = (container.to_owned(), name.to_owned(), self.parts.clock.now());
            match self.parts.blobs.remove_blob(allowed, place, container, name, expect, now, audit).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(BlobError::NoSuchBlob),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
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
            let found = self
                .parts
                .blobs
                .blob(allowed, account.place.clone(), container.to_owned(), name.to_owned())
                .await?;
            let mut row = found.ok_or(BlobError::NoSuchBlob)?;
            conditions.on_write(Some(&row))?;
            let expect = BlobExpect::Etag(row.etag.clone());
            change(&mut row);
            row.etag = self.etag();
            row.modified = self.now();
            let audit = AuditRecord::done(op, allowed);
            match self.parts.blobs.put_blob(allowed, account.place.clone(), row.clone(), expect, audit).await
            {
                Ok(()) => return Ok(row),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BlobError::ConditionNotMet)
    }
}
