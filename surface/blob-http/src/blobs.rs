//! Blobs: put, get, head, delete, metadata and properties.

use bytes::Bytes;
use cs_blob::{BlobError, BlobProperties, BlobRow, Checks, Incoming, NewBlob, Verdict};
use cs_serve::{Body, BoxError, Response, empty, single, stream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyStream;

use crate::{
    Call,
    account::plain,
    copy,
    doors::BLOB_ADD,
    failure::{Code, Failure},
    headers, notes,
};

/// The checksum of a range is computed for ranges up to this size (blob.md 5, Get Blob).
const RANGE_CHECKED_MAX_BYTES: u64 = 4 << 20;

/// The body as chunks, with what was announced about it.
pub(crate) fn incoming(
    call: &Call<'_>,
    body: Body,
) -> Result<Incoming<impl Stream<Item = Result<Bytes, BoxError>> + Send + Unpin + use<>>, Failure> {
    if single(call.headers, "x-ms-structured-body").ok().flatten().is_some() {
        // Framed content must not be stored as data.
        return Err(Code::UNSUPPORTED_HEADER.into());
    }
    let length = match headers::one(call.headers, "content-length")? {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| Failure::header("Content-Length", text))?),
    };
    let chunks = BodyStream::new(body).try_filter_map(|frame| async move { Ok(frame.into_data().ok()) });
    let (md5, crc64) = (headers::md5(call.headers, "content-md5")?, headers::crc64(call.headers)?);
    if md5.is_some() && crc64.is_some() {
        return Err(Code::BOTH_CHECKSUMS.into());
    }
    Ok(Incoming { chunks: Box::pin(chunks), length, md5, crc64 })
}

pub(crate) fn new_blob(call: &Call<'_>, plain: bool) -> Result<NewBlob, Failure> {
    let properties = BlobProperties {
        access_tier: notes::tier(call.headers)?,
        tags: notes::tags(call.headers)?,
        ..headers::properties(call.headers, plain)?
    };
    Ok(NewBlob {
        container: call.container.clone(),
        name: call.blob.clone(),
        properties,
        metadata: headers::metadata(call.headers, &call.written)?,
        conditions: headers::conditions(call.headers)?,
        only_new: call.allowed.action() == BLOB_ADD,
    })
}

pub(crate) fn created(blob: &BlobRow, checks: Option<&Checks>) -> Response {
    let mut response = plain(StatusCode::CREATED);
    let out = response.headers_mut();
    headers::stamp(out, &blob.etag, blob.modified);
    out.insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    if let Some(checks) = checks {
        put_checks(out, checks);
    }
    response
}

/// What was computed of the content that came in.
pub(crate) fn put_checks(out: &mut HeaderMap, checks: &Checks) {
    if let Some(md5) = &checks.md5 {
        headers::put(out, "content-md5", md5);
    }
    headers::put(out, "x-ms-content-crc64", &checks.crc64);
}

pub(crate) async fn put(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    if let Some(source) = &call.source {
        return copy::copy(call, source).await;
    }
    match headers::one(call.headers, "x-ms-blob-type")? {
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => {}
        Some(kind) if ["appendblob", "pageblob"].contains(&kind.to_ascii_lowercase().as_str()) => {
            return Err(Code::NOT_IMPLEMENTED.into());
        }
        Some(kind) => return Err(Failure::header("x-ms-blob-type", kind)),
        None => return Err(Failure::missing_header("x-ms-blob-type")),
    }
    let (new, incoming) = (new_blob(call, true)?, incoming(call, body)?);
    let (blob, checks) = call.blobs.put(call.op, &call.allowed, call.account, new, incoming).await?;
    Ok(created(&blob, Some(&checks)))
}

/// Conditions of a read, as a failure where they do not hold.
fn may_read(call: &Call<'_>, blob: &BlobRow) -> Result<(), Failure> {
    let conditions = headers::conditions(call.headers)?;
    match conditions.on_read(&blob.etag, blob.modified) {
        Verdict::Go => Ok(conditions.shown_lease_fits(blob, call.op.started)?),
        Verdict::NotModified => Err(Code::NOT_MODIFIED.into()),
        Verdict::Failed => Err(Code::CONDITION_NOT_MET.into()),
    }
}

pub(crate) async fn get(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    let (mut unmet, mut ranged) = (None, false);
    let opened = call.blobs.open(&call.allowed, call.account, &call.container, &call.blob, |blob| {
        match conditions.on_read(&blob.etag, blob.modified) {
            Verdict::Go => conditions.shown_lease_fits(blob, call.op.started)?,
            Verdict::NotModified => unmet = Some(Code::NOT_MODIFIED),
            Verdict::Failed => unmet = Some(Code::CONDITION_NOT_MET),
        }
        if unmet.is_some() {
            return Err(BlobError::ConditionNotMet);
        }
        let range = headers::range(call.headers, blob.length)?;
        ranged = range.is_some();
        Ok(range.unwrap_or(0..blob.length))
    });
    let opened = opened.await;
    if let Some(code) = unmet {
        return Err(code.into());
    }
    let content = opened?;
    let length = content.range.end - content.range.start;
    let with_md5 = headers::flag(call.headers, "x-ms-range-get-content-md5")?;
    let with_crc64 = headers::flag(call.headers, "x-ms-range-get-content-crc64")?;
    let (mut checks, mut chunks) = (None, content.chunks);
    if with_md5 || with_crc64 {
        if !ranged || length > RANGE_CHECKED_MAX_BYTES || with_md5 && with_crc64 {
            return Err(Code::OUT_OF_RANGE_INPUT.into());
        }
        let whole: Vec<Bytes> = chunks.try_collect().await.map_err(BlobError::from)?;
        checks = Some(Checks::of(&whole.concat()));
        chunks = futures_util::stream::iter(whole.into_iter().map(Ok)).boxed();
    }
    let mut response = http::Response::new(match length {
        0 => empty(),
        _ => stream(chunks.map(|chunk| chunk.map_err(|e| Box::new(e) as BoxError))),
    });
    headers::describe(&mut response, &content.blob, ranged, call.op.started);
    let out = response.headers_mut();
    if let Some(Checks { md5, crc64 }) = checks {
        match md5 {
            Some(md5) if with_md5 => headers::put(out, "content-md5", &md5),
            _ => headers::put(out, "x-ms-content-crc64", &crc64),
        }
    }
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if ranged {
        let (first, last) = (content.range.start, content.range.end - 1);
        headers::put(out, "content-range", &format!("bytes {first}-{last}/{}", content.blob.length));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

pub(crate) async fn head(call: &Call<'_>) -> Result<Response, Failure> {
    let blob = call.blobs.head(&call.allowed, call.account, &call.container, &call.blob).await?;
    may_read(call, &blob)?;
    let mut response = http::Response::new(empty());
    headers::describe(&mut response, &blob, false, call.op.started);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(blob.length));
    Ok(response)
}

pub(crate) async fn get_metadata(call: &Call<'_>) -> Result<Response, Failure> {
    let blob = call.blobs.head(&call.allowed, call.account, &call.container, &call.blob).await?;
    may_read(call, &blob)?;
    let mut response = plain(StatusCode::OK);
    headers::stamp(response.headers_mut(), &blob.etag, blob.modified);
    headers::put_metadata(&mut response, &blob.metadata);
    Ok(response)
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    match headers::one(call.headers, "x-ms-delete-snapshots")?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("include") => {}
        // There are no snapshots yet: of those, all are gone, and the blob itself stays.
        Some("only") => {
            call.blobs.head(&call.allowed, call.account, &call.container, &call.blob).await?;
            return Ok(plain(StatusCode::ACCEPTED));
        }
        Some(other) => return Err(Failure::header("x-ms-delete-snapshots", other)),
    }
    call.blobs.remove(call.op, &call.allowed, call.account, &call.container, &call.blob, &conditions).await?;
    let mut response = plain(StatusCode::ACCEPTED);
    response.headers_mut().insert("x-ms-delete-type-permanent", HeaderValue::from_static("true"));
    Ok(response)
}

pub(crate) async fn set_metadata(call: &Call<'_>) -> Result<Response, Failure> {
    let metadata = headers::metadata(call.headers, &call.written)?;
    described(call, move |blob| blob.metadata.clone_from(&metadata)).await
}

/// Properties that are left out are cleared.
pub(crate) async fn set_properties(call: &Call<'_>) -> Result<Response, Failure> {
    let properties = headers::properties(call.headers, false)?;
    described(call, move |blob| {
        let kept = std::mem::take(&mut blob.properties);
        // Tier and tags have operations of their own.
        blob.properties =
            BlobProperties { access_tier: kept.access_tier, tags: kept.tags, ..properties.clone() };
    })
    .await
}

async fn described(
    call: &Call<'_>,
    change: impl Fn(&mut BlobRow) + Send + Sync,
) -> Result<Response, Failure> {
    let (conditions, place) =
        (headers::conditions(call.headers)?, (call.container.as_str(), call.blob.as_str()));
    let blob = call.blobs.describe(call.op, &call.allowed, call.account, place, &conditions, change).await?;
    let mut response = plain(StatusCode::OK);
    headers::stamp(response.headers_mut(), &blob.etag, blob.modified);
    response.headers_mut().insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    Ok(response)
}
