//! Objects in an S3 bucket, through the `object_store` crate. Settings beside the address come from the usual
//! environment variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`).

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cs_time::Timestamp;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart,
    aws::AmazonS3Builder, path::Path,
};

use crate::{BlobBytes, ByteStream, BytesError, Upload, new_key};

/// A part of a multipart upload: S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts on their way at once.
const PARTS_IN_FLIGHT: usize = 2;

/// A request that fails for want of a bucket that answers is repeated this long: whoever waits for it is a client with a
/// timeout of its own, and asks again.
const RETRY_FOR: Duration = Duration::from_secs(20);
/// A bucket must answer within this time when it is opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Objects below a prefix of a bucket.
pub struct S3Bytes {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

fn fails(attempt: &'static str) -> impl Fn(object_store::Error) -> BytesError {
    move |source| match source {
        object_store::Error::NotFound { .. } => BytesError::Missing,
        source => BytesError::Store { attempt, source },
    }
}

impl S3Bytes {
    /// Opens `s3://bucket[/prefix]` and asks it for something, so that a wrong address is found now.
    ///
    /// # Errors
    /// [`BytesError::Address`], [`BytesError::Store`].
    pub async fn open(url: &str) -> Result<Self, BytesError> {
        Self::open_with(AmazonS3Builder::from_env(), url).await
    }

    /// The same at an address of one's own (MinIO, Ceph); without TLS where the address says `http://`.
    ///
    /// # Errors
    /// As [`S3Bytes::open`].
    pub async fn open_at(endpoint: &str, url: &str) -> Result<Self, BytesError> {
        let plain = endpoint.starts_with("http://");
        let builder = AmazonS3Builder::from_env().with_endpoint(endpoint).with_allow_http(plain);
        Self::open_with(builder, url).await
    }

    async fn open_with(builder: AmazonS3Builder, url: &str) -> Result<Self, BytesError> {
        let rest = url
            .strip_prefix("s3://")
            .ok_or_else(|| BytesError::Address(format!("'{url}' does not start with s3://")))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let retries = RetryConfig { max_retries: 3, retry_timeout: RETRY_FOR, ..RetryConfig::default() };
        let store = builder
            .with_bucket_name(bucket)
            .with_retry(retries)
            .build()
            .map_err(fails("reading the bucket's settings"))?;
        let this = Self { store: Arc::new(store), prefix: prefix.trim_matches('/').to_owned() };
        let mut listing = this.list("");
        let looked = tokio::time::timeout(OPEN_TIMEOUT, listing.next()).await;
        let looked = looked.map_err(|_| BytesError::Silent { attempt: "looking into the bucket" })?;
        looked.transpose().map_err(fails("looking into the bucket"))?;
        Ok(this)
    }

    /// Objects behind a key, in the order of keys.
    fn list(&self, after: &str) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        match after {
            "" => self.store.list(prefix.as_ref()),
            after => self.store.list_with_offset(prefix.as_ref(), &self.place(after)),
        }
    }

    fn place(&self, key: &str) -> Path {
        Path::from(format!("{}/{}/{key}", self.prefix, key.get(..2).unwrap_or_default()))
    }
}

#[async_trait]
impl BlobBytes for S3Bytes {
    async fn begin(&self) -> Result<Box<dyn Upload>, BytesError> {
        let key = new_key();
        let place = self.place(&key);
        Ok(Box::new(S3Upload {
            store: Arc::clone(&self.store),
            place,
            key,
            first: Vec::new(),
            first_bytes: 0,
            parts: None,
        }))
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<ByteStream, BytesError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&self.place(key), options).await.map_err(fails("reading a blob"))?;
        Ok(found.into_stream().map_err(fails("reading a blob")).boxed())
    }

    async fn remove(&self, key: &str) -> Result<(), BytesError> {
        match self.store.delete(&self.place(key)).await.map_err(fails("removing a blob")) {
            Err(BytesError::Missing) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn older_than(
        &self,
        before: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, BytesError> {
        let old = |object: &ObjectMeta| {
            let modified = Timestamp::from_micros(object.last_modified.timestamp_micros());
            let name = object.location.filename().filter(|_| modified < before).map(str::to_owned);
            std::future::ready(Ok(name))
        };
        let found = self.list(after).try_filter_map(|object| old(&object)).take(limit).try_collect();
        found.await.map_err(fails("listing blobs"))
    }
}

struct S3Upload {
    store: Arc<dyn ObjectStore>,
    place: Path,
    key: String,
    /// Until there is more than one part's worth, so that small objects are one request.
    first: Vec<Bytes>,
    first_bytes: usize,
    parts: Option<WriteMultipart>,
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BytesError> {
        if let Some(parts) = &mut self.parts {
            parts.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(fails("writing a blob"))?;
            parts.put(bytes);
            return Ok(());
        }
        self.first_bytes += bytes.len();
        self.first.push(bytes);
        if self.first_bytes > PART_BYTES {
            let upload = self.store.put_multipart(&self.place).await.map_err(fails("writing a blob"))?;
            let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            for bytes in self.first.drain(..) {
                parts.put(bytes);
            }
            self.parts = Some(parts);
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<String, BytesError> {
        match self.parts.take() {
            Some(parts) => drop(parts.finish().await.map_err(fails("keeping a blob"))?),
            None => {
                let payload = PutPayload::from_iter(self.first.drain(..));
                self.store.put(&self.place, payload).await.map_err(fails("keeping a blob"))?;
            }
        }
        Ok(std::mem::take(&mut self.key))
    }
}

impl Drop for S3Upload {
    /// What was begun and not finished is given up, so that the bucket does not keep its parts.
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.parts.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { drop(parts.abort().await) });
        }
    }
}
