//! Bodies: one boxed type both ways, helpers to make and to read them.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
pub type Request = http::Request<Body>;
pub type Response = http::Response<Body>;

/// Why a request's body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is produced while it is sent.
pub fn stream<S>(chunks: S) -> Body
where
    S: Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
{
    BodyExt::boxed_unsync(StreamBody::new(chunks.map(|chunk| chunk.map(http_body::Frame::data))))
}

/// Room for most answers, so that they are written without moving: a token's is the longest of the common ones.
const JSON_BYTES: usize = 2048;

/// An answer with compact JSON, `application/json; charset=utf-8`.
pub fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    // A value of ours that cannot be written is a bug; the caller sees a 500 and not a broken document.
    let mut bytes = Vec::with_capacity(JSON_BYTES);
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => typed(status, "application/json; charset=utf-8", bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            typed(StatusCode::INTERNAL_SERVER_ERROR, "application/json; charset=utf-8", Vec::new())
        }
    }
}

/// The same, of JSON that was written before.
pub fn json_bytes(status: StatusCode, bytes: Bytes) -> Response {
    typed(status, "application/json; charset=utf-8", bytes)
}

pub fn text(status: StatusCode, text: impl Into<String>) -> Response {
    typed(status, "text/plain; charset=utf-8", text.into().into_bytes())
}

fn typed(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Response {
    let bytes = bytes.into();
    let length = bytes.len();
    let mut response = http::Response::new(full(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The body behind a byte order mark, which editors and shells of some systems put before a file: RFC 8259 lets a reader of
/// JSON pass over it.
pub fn without_mark(body: Bytes) -> Bytes {
    if body.starts_with(b"\xef\xbb\xbf") { body.slice(3..) } else { body }
}

/// Reads a body of at most `max` bytes.
///
/// # Errors
/// [`BodyError::TooLarge`] as soon as it is longer (nothing beyond is read), [`BodyError::Broken`] when it ends early.
pub async fn read_body(mut body: Body, max: usize) -> Result<Bytes, BodyError> {
    use http_body::Body as _;
    if body.size_hint().lower() > max as u64 {
        return Err(BodyError::TooLarge(max));
    }
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() {
            if all.len() + data.len() > max {
                return Err(BodyError::TooLarge(max));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}
