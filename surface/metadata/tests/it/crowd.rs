//! The services behind real listeners, with callers who keep connections and say nothing (A24).

use std::{net::SocketAddr, time::Duration};

use cs_metadata::Service;
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{TOKEN, World};

/// Longer than any answer takes, shorter than the time a head is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

async fn listening(world: &World, limits: Limits) -> (SocketAddr, Shutdown) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    Listener::Tcp(listener).serve(Protocol::PlainTitleCase, world.router(Service::Himds), limits, &shutdown);
    (address, shutdown)
}

async fn ask(address: SocketAddr) -> String {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {TOKEN} HTTP/1.1\r\nHost: localhost:40342\r\nMetadata: true\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("others are served meanwhile")
}

#[tokio::test]
async fn a24_callers_who_say_nothing_keep_nobody_out() {
    let world = World::new();
    let (address, shutdown) = listening(&world, Limits { connections: 32, ..Limits::metadata() }).await;
    let mut silent = Vec::new();
    for number in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Some send nothing, some half a head.
        if number % 2 == 0 {
            stream.write_all(b"GET /metadata/identity/oauth2/token HTTP/1.1\r\nX-A: b").await.unwrap();
        }
        silent.push(stream);
    }
    for _ in 0..10 {
        let reply = ask(address).await;
        assert!(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{reply}");
        assert!(reply.contains("\r\nWww-Authenticate: Basic realm=/"), "{reply}");
    }
    shutdown.begin();
}

#[tokio::test]
async fn a24_a_head_that_never_ends_is_given_up() {
    let world = World::new();
    let limits = Limits { head: Duration::from_millis(50), ..Limits::metadata() };
    let (address, shutdown) = listening(&world, limits).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX-A: ").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection is closed");
    let mut long = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(64 * 1024));
    // The peer may close while we still write.
    let _ = long.write_all(head.as_bytes()).await;
    let mut rest = Vec::new();
    let _ =
        tokio::time::timeout(PATIENCE, long.read_to_end(&mut rest)).await.expect("it is answered or closed");
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&rest));
    assert!(ask(address).await.starts_with("HTTP/1.1 401"));
    shutdown.begin();
}
