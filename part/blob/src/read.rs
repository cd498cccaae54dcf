//! Reading blobs.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use cs_bytes::{BlobBytes, BytesError};
use cs_rbac::Allowed;
use cs_store::{BlobRow, Segment};
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};

use crate::{Account, BlobError, Blobs};

/// A blob and the part of its content that was asked for.
pub struct Content {
    pub blob: BlobRow,
    /// Bytes of the blob that are streamed.
    pub range: Range<u64>,
    pub chunks: BoxStream<'static, Result<Bytes, BytesError>>,
}

impl Blobs {
    /// A blob's row, without content.
    ///
    /// # Errors
    /// [`BlobError::NoSuchContainer`], [`BlobError::NoSuchBlob`].
    pub async fn head(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
    ) -> Result<BlobRow, BlobError> {
        match self.find(allowed, account, container, name).await? {
            Some(blob) => Ok(blob),
            None => {
                self.container(account, container).await?;
                Err(BlobError::NoSuchBlob)
            }
        }
    }

    /// A blob with its content, ready to be streamed: `range` picks from the length, or fails the read.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn open(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        name: &str,
        range: impl FnOnce(&BlobRow) -> Result<Range<u64>, BlobError>,
    ) -> Result<Content, BlobError> {
        let place = account.place.clone();
        let found = self.parts.blobs.blob(allowed, place, container.to_owned(), name.to_owned()).await?;
        let Some(mut blob) = found else {
            self.container(account, container).await?;
            return Err(BlobError::NoSuchBlob);
        };
        let range = range(&blob)?;
        let chunks = match blob.inline.take() {
            Some(content) => {
                let content = Bytes::from(content);
                let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let part =
                    bounds.filter(|(a, b)| a <= b && *b <= content.len()).map(|(a, b)| content.slice(a..b));
                let part = part.ok_or(BlobError::InvalidRange { length: blob.length })?;
                stream::iter((!part.is_empty()).then_some(Ok(part))).boxed()
            }
            None => self.stream(&blob.segments, range.clone()).await?,
        };
        Ok(Content { blob, range, chunks })
    }

    /// The objects of a blob one after the other. The first is opened now, so that a blob whose bytes are gone is an
    /// error and not a broken answer.
    async fn stream(
        &self,
        segments: &[Segment],
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BytesError>>, BlobError> {
        let mut parts = Vec::new();
        let mut at = 0;
        for segment in segments {
            let (from, to) = (range.start.max(at), range.end.min(at + segment.length));
            if from < to {
                parts.push((segment.key.clone(), from - at..to - at));
            }
            at += segment.length;
        }
        let mut parts = parts.into_iter();
        let Some((key, part)) = parts.next() else { return Ok(stream::empty().boxed()) };
        let first = self.parts.bytes.read(&key, part).await?;
        let bytes: Arc<dyn BlobBytes> = Arc::clone(&self.parts.bytes);
        let rest = stream::iter(parts.map(Ok::<_, BytesError>)).and_then(move |(key, part)| {
            let bytes = Arc::clone(&bytes);
            async move { bytes.read(&key, part).await }
        });
        Ok(first.chain(rest.try_flatten()).boxed())
    }
}
