//! The two ends of a session.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

/// The client's end: always TLS.
pub(crate) type Client = tokio_rustls::server::TlsStream<TcpStream>;

/// The server's end.
pub(crate) enum Server {
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    Local(UnixStream),
}

/// A silent peer is asked for a sign of life after this long, so often, and given up after three.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
/// What was sent must be acknowledged within this time.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);

/// Sends at once, and notices a peer that is gone without a word (half-open connections).
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let seconds = |d: Duration| u32::try_from(d.as_secs()).unwrap_or(u32::MAX);
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    #[cfg(target_os = "linux")]
    {
        setsockopt(stream, sockopt::TcpKeepIdle, &seconds(KEEPALIVE_AFTER))?;
        setsockopt(stream, sockopt::TcpKeepInterval, &seconds(KEEPALIVE_EVERY))?;
        setsockopt(stream, sockopt::TcpKeepCount, &3)?;
        setsockopt(stream, sockopt::TcpUserTimeout, &(seconds(ACKNOWLEDGED_WITHIN) * 1000))?;
    }
    Ok(())
}

impl AsyncRead for Server {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Local(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Server {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Local(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Local(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Local(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::sys::socket::{getsockopt, sockopt};
    use tokio::net::TcpListener;

    use super::*;

    /// A peer that is gone without a word is noticed by the kernel, within two minutes whether we write or wait.
    #[tokio::test]
    async fn g12_half_open_connections_are_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        assert!(getsockopt(&stream, sockopt::KeepAlive).unwrap() && stream.nodelay().unwrap());
        let idle = getsockopt(&stream, sockopt::TcpKeepIdle).unwrap();
        let (every, count) = (sockopt::TcpKeepInterval, sockopt::TcpKeepCount);
        let silent = idle + getsockopt(&stream, every).unwrap() * getsockopt(&stream, count).unwrap();
        assert_eq!(silent, 120);
        assert_eq!(getsockopt(&stream, sockopt::TcpUserTimeout).unwrap(), 120_000);
    }
}
