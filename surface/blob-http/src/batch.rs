//! Many deletions in one request (blob.md 5, Batch): each is a request of its own, with its own proof and its own answer.

use cs_serve::{Body, BodyError, Context, Response, empty, full, read_body};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    BlobHttp, Style,
    failure::{Code, Failure},
};

const BODY_MAX_BYTES: usize = 4 << 20;
const REQUESTS_MAX: usize = 256;
const BOUNDARY_MAX_BYTES: usize = 200;

/// The `x-ms-version` of the batch that a request came in.
#[derive(Debug, Clone)]
pub(crate) struct EnvelopeVersion(pub String);

/// One request of a batch, as it was sent.
struct Part {
    content_id: Option<String>,
    request: http::Request<()>,
}

impl BlobHttp {
    /// `container`: the one that a batch of a container may touch; empty for the account's.
    pub(crate) async fn batch(
        &self,
        headers: &HeaderMap,
        body: Body,
        container: &str,
        (context, style): (&Context, &Style),
    ) -> Result<Response, Failure> {
        let boundary = boundary_of(headers).ok_or(Code::INVALID_BATCH)?;
        let bytes = read_body(body, BODY_MAX_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(_) => Failure::from(Code::BODY_TOO_LARGE),
            BodyError::Broken(_) => Code::INCOMPLETE_BODY.into(),
        })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Code::INVALID_BATCH)?;
        let parts = parts_of(text, &boundary).ok_or(Code::INVALID_BATCH)?;
        if parts.is_empty() || parts.len() > REQUESTS_MAX {
            return Err(Code::INVALID_BATCH.into());
        }
        let answer_boundary = format!("batchresponse_{}", context.request_id);
        let mut answer = String::new();
        for mut part in parts {
            answer.push_str(&format!("--{answer_boundary}\r\nContent-Type: application/http\r\n"));
            if let Some(id) = &part.content_id {
                answer.push_str(&format!("Content-ID: {id}\r\n"));
            }
            // Without one of its own, a request speaks the version of its envelope. It is no header of the request, or
            // its signature would have to be of it.
            if let Some(version) = headers.get("x-ms-version").and_then(|v| v.to_str().ok()) {
                part.request.extensions_mut().insert(EnvelopeVersion(version.to_owned()));
            }
            let response = match is_deletion(&part.request, container, style) {
                true => self.one(part.request, context.clone(), style.clone()).await,
                false => Failure::from(Code::INVALID_BATCH).answer(
                    false,
                    &context.request_id.to_string(),
                    context.started,
                ),
            };
            write(&mut answer, response).await;
        }
        answer.push_str(&format!("--{answer_boundary}--\r\n"));
        let kind = HeaderValue::from_str(&format!("multipart/mixed; boundary={answer_boundary}"));
        let mut response = http::Response::new(full(answer));
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(header::CONTENT_TYPE, kind.map_err(|_| Code::INTERNAL)?);
        Ok(response)
    }

    /// Boxed, because a batch is answered within an answer.
    fn one(&self, request: http::Request<()>, context: Context, style: Style) -> BoxFuture<'_, Response> {
        Box::pin(self.serve_styled(request.map(|()| empty()), context, style))
    }
}

fn boundary_of(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, rest) = text.split_once(';')?;
    let boundary = rest.split(';').find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    let fits = kind.trim().eq_ignore_ascii_case("multipart/mixed")
        && (1..=BOUNDARY_MAX_BYTES).contains(&boundary.len());
    fits.then_some(boundary)
}

fn parts_of(text: &str, boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("--{boundary}");
    let mut pieces = text.split(delimiter.as_str());
    pieces.next()?;
    let mut parts = Vec::new();
    for piece in pieces {
        if piece.starts_with("--") {
            return Some(parts);
        }
        parts.push(part_of(piece)?);
        if parts.len() > REQUESTS_MAX {
            return Some(parts);
        }
    }
    // The closing delimiter never came.
    None
}

/// Headers of the part, an empty line, the request with its headers; what follows them is a body nobody reads.
fn part_of(piece: &str) -> Option<Part> {
    let mut lines = piece.lines().skip(1);
    let mut content_id = None;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if name.trim().eq_ignore_ascii_case("content-id") {
            content_id = Some(value.trim().chars().filter(|c| !c.is_control()).take(64).collect());
        }
    }
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut request = http::Request::builder().method(method).uri(target).body(()).ok()?;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(Part { content_id, request })
}

/// Only blobs are deleted this way, and only those the envelope is about.
fn is_deletion(request: &http::Request<()>, container: &str, style: &Style) -> bool {
    let path = match style {
        Style::Host => request.uri().path(),
        Style::Path { endpoint } => {
            let account = endpoint.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            crate::without_account(request.uri().path(), account)
        }
    };
    let (named, blob) = crate::names_of(path);
    let plain =
        request.uri().query().is_none_or(|query| !query.contains("comp=") && !query.contains("restype="));
    request.method() == Method::DELETE
        && plain
        && !blob.is_empty()
        && (container.is_empty() || named == container)
}

async fn write(out: &mut String, response: Response) {
    let (parts, body) = response.into_parts();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    out.push_str(&format!("\r\nHTTP/1.1 {} {reason}\r\n", parts.status.as_u16()));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    out.push_str("\r\n");
    // Answers to deletions are short: an error's document, or nothing.
    let body = read_body(body, BODY_MAX_BYTES).await.unwrap_or_default();
    out.push_str(&String::from_utf8_lossy(&body));
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nDELETE /c/a%20b HTTP/1.1\r\nx-ms-date: now\r\n\r\n\r\n\
                       --b\r\nContent-Type: application/http\r\n\r\nDELETE /c/d?sig=x HTTP/1.1\r\n\r\n--b--\r\n";

    #[test]
    fn parts_are_read_and_what_is_cut_short_is_not() {
        let parts = parts_of(TWO, "b").unwrap();
        assert_eq!((parts.len(), parts[0].content_id.as_deref()), (2, Some("0")));
        assert_eq!(parts[0].request.uri().path(), "/c/a%20b");
        assert_eq!(parts[0].request.headers()["x-ms-date"], "now");
        assert!(
            is_deletion(&parts[1].request, "", &Style::Host)
                && !is_deletion(&parts[1].request, "d", &Style::Host)
        );
        for bad in [
            "",
            "--b--",
            "--b\r\n\r\nDELETE\r\n\r\n--b--",
            &TWO[..TWO.len() - 6],
            "--b\r\n\r\nDELETE /\u{1} HTTP/1.1\r\n\r\n--b--",
        ] {
            assert!(parts_of(bad, "b").is_none_or(|parts| parts.is_empty()), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(--b|\r\n|DELETE /a/b HTTP/1.1|:| |x){0,40}") {
            drop(parts_of(&text, "b"));
        }
    }
}
