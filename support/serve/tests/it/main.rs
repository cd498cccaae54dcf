//! Answers that come before the request's body does, over a real connection.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use async_trait::async_trait;
use cs_serve::{
    Limits, Listener, Peer, Protocol, Request, Response, Router, Shutdown, Spelling, read_body, spelled, text,
};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Refuses without a look at the body, but for `/read`.
struct Hasty;

#[async_trait]
impl Router for Hasty {
    async fn answer(&self, request: Request, _: Peer) -> Response {
        if request.uri().path() != "/read" {
            return text(StatusCode::UNAUTHORIZED, "no");
        }
        let body = read_body(request.into_body(), 64 << 20).await.unwrap();
        text(StatusCode::OK, body.len().to_string())
    }
}

async fn connected() -> TcpStream {
    connected_by(Protocol::PlainTitleCase).await
}

async fn connected_by(protocol: Protocol) -> TcpStream {
    connected_to(protocol, Arc::new(Hasty)).await
}

async fn connected_to(protocol: Protocol, router: Arc<dyn Router>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (limits, shutdown) = (Limits::metadata(), Shutdown::new());
    Listener::Tcp(listener).serve(protocol, router, limits, &shutdown);
    TcpStream::connect(address).await.unwrap()
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    // Both bodies are short and of known ends.
    while !text.ends_with("no") && !text.ends_with("3000000") {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed after: {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

async fn put(stream: &mut TcpStream, path: &str, size: usize) {
    let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; size]).await.unwrap();
}

/// Answers with the metadata it was sent.
struct Echo;

#[async_trait]
impl Router for Echo {
    async fn answer(&self, request: Request, _: Peer) -> Response {
        let parts = request.into_parts().0;
        let names = spelled(&parts, "x-ms-meta-").await;
        let mut response = text(StatusCode::OK, names.join(" "));
        for (name, value) in parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ms-meta-"))
        {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(Spelling(names));
        response
    }
}

/// Azure keeps names of metadata in the case they were given, which to HTTP is none.
#[tokio::test]
async fn names_of_headers_can_be_read_and_written_as_they_were_given() {
    let mut stream = connected_to(Protocol::Plain, Arc::new(Echo)).await;
    for (sent, names) in [
        (
            "x-ms-meta-Owner: a\r\nX-MS-Meta-two_Parts: b:c\r\nx-ms-meta-plain:\r\n",
            "x-ms-meta-Owner X-MS-Meta-two_Parts x-ms-meta-plain",
        ),
        ("x-other: x-ms-meta-Not: 1\r\n", ""),
        ("x-ms-meta-Last: \u{e4}\r\n", "x-ms-meta-Last"),
    ] {
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: x\r\n{sent}\r\n").as_bytes()).await.unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        while !answer.ends_with(&format!("\r\n\r\n{names}")) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "closed after: {answer}");
            answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        let head = answer.split("\r\n\r\n").next().unwrap();
        let written = head.lines().filter(|line| line.to_lowercase().starts_with("x-ms-meta-"));
        assert!(written.map(|line| line.split(':').next().unwrap()).eq(names.split_whitespace()), "{answer}");
        assert!(head.contains("\r\ncontent-type: "), "{answer}");
    }
}

/// Scripts grep for `Www-Authenticate` at the metadata services; clients of blobs take names of metadata as they come.
#[tokio::test]
async fn names_of_headers_are_in_title_case_for_scripts_alone() {
    for (protocol, name) in
        [(Protocol::PlainTitleCase, "\r\nContent-Type: "), (Protocol::Plain, "\r\ncontent-type: ")]
    {
        let mut stream = connected_by(protocol).await;
        put(&mut stream, "/", 0).await;
        let answer = answer(&mut stream).await;
        assert!(answer.contains(name), "{answer}");
    }
}

#[tokio::test]
async fn whoever_writes_first_and_reads_later_hears_the_answer() {
    let mut stream = connected().await;
    for _ in 0..2 {
        put(&mut stream, "/", 20 << 20).await;
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401"));
    }
    put(&mut stream, "/read", 3_000_000).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"), "the connection is as good as before");
}

#[tokio::test]
async fn whoever_asks_first_is_not_told_to_send() {
    let mut stream = connected().await;
    let head = "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 401"), "the answer itself, no 100 before it");
}
