//! Blobs: put, get, head, delete, metadata and properties.

use bytes::Bytes;
use cs_blob::{BlobError, BlobRow, Incoming, NewBlob, Verdict};
use cs_serve::{Body, BoxError, Response, empty, single, stream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyStream;

use crate::{
    Call,
    account::plain,
    failure::{Code, Failure},
    headers,
};

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
    Ok(Incoming { chunks: Box::pin(chunks), length, md5: headers::md5(call.headers, "content-md5")? })
}

pub(crate) fn new_blob(call: &Call<'_>, plain: bool) -> Result<NewBlob, Failure> {
    Ok(NewBlob {
        container: call.container.clone(),
        name: call.blob.clone(),
        properties: headers::properties(call.headers, plain)?,
        metadata: headers::metadata(call.headers)?,
        conditions: headers::conditions(call.headers)?,
    })
}

pub(crate) fn created(blob: &BlobRow, md5: Option<&str>) -> Response {
    let mut response = plain(StatusCode::CREATED);
    let out = response.headers_mut();
    headers::stamp(out, &blob.etag, blob.modified);
    out.insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    if let Some(md5) = md5 {
        headers::put(out, "content-md5", md5);
    }
    response
}

pub(crate) async fn put(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    if headers::one(call.headers, "x-ms-copy-source")?.is_some() {
        return Err(Code::NOT_IMPLEMENTED.into());
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
    let blob = call.blobs.put(call.op, &call.allowed, call.account, new, incoming).await?;
    Ok(created(&blob, blob.properties.content_md5.as_deref()))
}

/// Conditions of a read, as a failure where they do not hold.
fn may_read(call: &Call<'_>, blob: &BlobRow) -> Result<(), Failure> {
    match headers::conditions(call.headers)?.on_read(&blob.etag, blob.modified) {
        Verdict::Go => Ok(()),
        Verdict::NotModified => Err(Code::NOT_MODIFIED.into()),
        Verdict::Failed => Err(Code::CONDITION_NOT_MET.into()),
    }
}

pub(crate) async fn get(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    let (mut unmet, mut ranged) = (None, false);
    let opened = call.blobs.open(&call.allowed, call.account, &call.container, &call.blob, |blob| {
        match conditions.on_read(&blob.etag, blob.modified) {
            Verdict::Go => {}
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
    let mut response = http::Response::new(match length {
        0 => empty(),
        _ => stream(content.chunks.map(|chunk| chunk.map_err(|e| Box::new(e) as BoxError))),
    });
    let out = response.headers_mut();
    headers::describe(out, &content.blob, ranged);
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
    headers::describe(response.headers_mut(), &blob, false);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(blob.length));
    Ok(response)
}

pub(crate) async fn get_metadata(call: &Call<'_>) -> Result<Response, Failure> {
    let blob = call.blobs.head(&call.allowed, call.account, &call.container, &call.blob).await?;
    may_read(call, &blob)?;
    let mut response = plain(StatusCode::OK);
    headers::stamp(response.headers_mut(), &blob.etag, blob.modified);
    headers::put_metadata(response.headers_mut(), &blob.metadata);
    Ok(response)
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    call.blobs.remove(call.op, &call.allowed, call.account, &call.container, &call.blob, &conditions).await?;
    let mut response = plain(StatusCode::ACCEPTED);
    response.headers_mut().insert("x-ms-delete-type-permanent", HeaderValue::from_static("true"));
    Ok(response)
}

pub(crate) async fn set_metadata(call: &Call<'_>) -> Result<Response, Failure> {
    let metadata = headers::metadata(call.headers)?;
    described(call, move |blob| blob.metadata.clone_from(&metadata)).await
}

/// Properties that are left out are cleared.
pub(crate) async fn set_properties(call: &Call<'_>) -> Result<Response, Failure> {
    let properties = headers::properties(call.headers, false)?;
    described(call, move |blob| blob.properties.clone_from(&properties)).await
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
