//! Names that HTTP does not keep apart and Azure does.

use std::sync::Arc;

use cs_serve::{Limits, Listener, Peer, Protocol, Request, Response, Router, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

/// The surface behind a real listener, since only a connection knows in which case a name was written.
struct OnTheWire(World);

#[async_trait::async_trait]
impl Router for OnTheWire {
    async fn answer(&self, request: Request, _: Peer) -> Response {
        self.0.serve(request, true).await
    }
}

/// What the storage SDK for Python sends and reads: names of metadata as the user wrote them, compared without their case.
#[tokio::test]
async fn names_of_metadata_are_kept_as_they_were_written() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Arc::new(OnTheWire(World::new().await));
    Listener::Tcp(listener).serve(Protocol::Plain, router, Limits::default(), &Shutdown::new());
    let ask = async |line: &str, more: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer writer\r\nx-ms-version: 2024-05-04\r\n\
             Connection: close\r\nContent-Length: 0\r\nx-ms-blob-type: BlockBlob\r\n{more}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let put = ask("PUT /box/a", "x-ms-meta-Owner: ann\r\nX-Ms-Meta-lower: b\r\n").await;
    assert!(put.starts_with("HTTP/1.1 201"), "{put}");
    for line in ["GET /box/a", "HEAD /box/a", "GET /box/a?comp=metadata"] {
        let got = ask(line, "").await;
        assert!(
            got.contains("\r\nx-ms-meta-Owner: ann\r\n") && got.contains("\r\nx-ms-meta-lower: b\r\n"),
            "{got}"
        );
    }
    let listed = ask("GET /box?restype=container&comp=list&include=metadata", "").await;
    assert!(listed.contains("<Metadata><Owner>ann</Owner><lower>b</lower></Metadata>"), "{listed}");
    let set = ask("PUT /box/a?comp=metadata", "x-ms-meta-OWNER: bob\r\n").await;
    assert!(set.starts_with("HTTP/1.1 200"), "{set}");
    assert!(ask("HEAD /box/a", "").await.contains("\r\nx-ms-meta-OWNER: bob\r\n"));
    let twice = ask("PUT /box/a?comp=metadata", "x-ms-meta-owner: bob\r\nx-ms-meta-OWNER: eve\r\n").await;
    assert!(twice.contains("InvalidMetadata"), "{twice}");
}
