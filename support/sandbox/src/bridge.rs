//! From inside a private machine to a site that already runs outside it.
//!
//! A network namespace has its own loopback, but a UNIX socket with a path is found through the file system and so
//! crosses. The site lends each of its listeners by such a socket ([`lend`]); inside, [`forward`] takes connections on the
//! address where clients look and passes the bytes through.

#![cfg(unix)]

use std::{future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
};

/// One command's clients; more at once wait their turn.
const CONNECTIONS_AT_ONCE: usize = 256;
/// After a failed accept (no file descriptors left) some connection has to end first.
const REST_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Passes every connection of `inside` to the UNIX socket at `site`. Runs until dropped.
pub async fn forward(inside: TcpListener, site: PathBuf) {
    each(&inside, move |near| pass(near, UnixStream::connect(site.clone()))).await;
}

/// Passes every connection of the UNIX socket to the site's own listener at `address`. Runs until dropped.
/// Who may connect is what the socket's directory permits.
pub async fn lend(socket: UnixListener, address: SocketAddr) {
    each(&socket, move |near| pass(near, TcpStream::connect(address))).await;
}

/// The two kinds of listener, which tokio gives no common name.
pub(crate) trait Door {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Door for TcpListener {
    type Stream = TcpStream;
    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

impl Door for UnixListener {
    type Stream = UnixStream;
    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

/// Gives every connection of a listener to a task of its own, a bounded number at once.
pub(crate) async fn each<D: Door, Conversing>(door: &D, converse: impl Fn(D::Stream) -> Conversing)
where
    Conversing: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_AT_ONCE));
    let mut talking = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        while talking.try_join_next().is_some() {}
        match door.accept().await {
            Ok(near) => {
                let conversing = converse(near);
                talking.spawn(async move {
                    conversing.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "bridge: accepting a connection");
                tokio::time::sleep(REST_AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn pass<Out: AsyncRead + AsyncWrite + Unpin>(
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    far: impl Future<Output = io::Result<Out>>,
) {
    match far.await {
        Ok(mut far) => {
            // Either side may hang up at any time; that is the end of a connection, not a failure.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
        Err(error) => tracing::warn!(%error, "bridge: the site does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_cross_both_bridges_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("https.sock");
        let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let lent = lend(UnixListener::bind(&socket).unwrap(), site.local_addr().unwrap());
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = inside.local_addr().unwrap();
        let (lent, forwarded) = (tokio::spawn(lent), tokio::spawn(forward(inside, socket)));

        let mut client = TcpStream::connect(door).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let (mut served, _) = site.accept().await.unwrap();
        let mut heard = [0; 4];
        served.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        served.write_all(b"pong").await.unwrap();
        drop(served);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"pong");
        lent.abort();
        forwarded.abort();
    }
}
