//! Names of headers as they were written. To HTTP `x-ms-meta-Owner` and `x-ms-meta-owner` are one name, and everything that
//! handles headers lowers it; a protocol that keeps names for its users (metadata of blobs) must not.
//!
//! hyper remembers the spelling of a request in a type that it keeps to itself, and writes an answer by the same type. So
//! both ways go through hyper once more, over a pipe: what it remembers is read where it writes it, and made where it reads.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Extensions, HeaderMap, request::Parts};
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than a request's head may have (`Limits::head_bytes`), so that neither end of the pipe waits for the other.
const PIPE_BYTES: usize = 256 * 1024;

/// Put into an answer's extensions: headers to be written in this spelling, where the connection has one (HTTP/1.1).
#[derive(Debug, Clone)]
pub struct Spelling(pub Vec<String>);

/// The names of a request's headers that begin with `prefix` (in lower case), as the client wrote them; in lower case where
/// that is not known (HTTP/2).
pub async fn spelled(request: &Parts, prefix: &str) -> Vec<String> {
    let ours = |name: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| ours(name.as_str())) {
        headers.append(name, value.clone());
    }
    if headers.is_empty() {
        return Vec::new();
    }
    let lowered = headers.keys().map(|name| name.as_str().to_owned()).collect();
    let mut answer = http::Response::new(Empty::<Bytes>::new());
    *answer.headers_mut() = headers;
    *answer.extensions_mut() = request.extensions.clone();
    let said = through(b"GET / HTTP/1.0\r\n\r\n", |_| answer).await;
    let names = said.split(|byte| *byte == b'\n').filter_map(|line| {
        let name = line.split(|byte| *byte == b':').next()?;
        std::str::from_utf8(name).ok().filter(|name| ours(name)).map(str::to_owned)
    });
    let names: Vec<_> = names.collect();
    if names.is_empty() { lowered } else { names }
}

/// What an answer must carry for its headers to be written so.
pub(super) async fn written(Spelling(names): Spelling) -> Extensions {
    let mut head = "GET / HTTP/1.0\r\n".to_owned();
    for name in names {
        head.push_str(&name);
        head.push_str(": \r\n");
    }
    head.push_str("\r\n");
    let mut kept = Extensions::new();
    through(head.as_bytes(), |request| {
        kept = request.into_parts().0.extensions;
        http::Response::new(Empty::new())
    })
    .await;
    kept
}

/// One request through hyper and back; what it wrote.
async fn through(
    head: &[u8],
    answer: impl FnOnce(http::Request<Incoming>) -> http::Response<Empty<Bytes>> + Send,
) -> Vec<u8> {
    let (mut here, there) = tokio::io::duplex(PIPE_BYTES);
    let answer = Mutex::new(Some(answer));
    let service = service_fn(|request| {
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answer = answer.map(|answer| answer(request)).ok_or("asked twice");
        async { answer }
    });
    let talk =
        http1::Builder::new().preserve_header_case(true).serve_connection(TokioIo::new(there), service);
    let ask = async {
        let mut said = Vec::new();
        // Neither can fail: the pipe has room for all of it, and its other end lives as long as this.
        let _ = here.write_all(head).await;
        let _ = here.read_to_end(&mut said).await;
        said
    };
    tokio::join!(talk, ask).1
}
