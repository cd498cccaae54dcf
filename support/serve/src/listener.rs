//! Accepting connections, bounded in number, time and header size.

mod crowd;
#[cfg(feature = "http2")]
mod http2;
mod incoming;
mod spelling;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use http::StatusCode;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    time::Instant,
};

use self::crowd::{Crowd, Place};
pub use self::spelling::{Spelling, spelled};
use crate::{Peer, Response, Router, Shutdown, text};

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; when all are taken the longest idle one makes room.
    pub connections: usize,
    /// A request's head must be there within this time, counted from the connection's or last answer's end.
    pub head: Duration,
    /// Size of a request's head in bytes.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, head: Duration::from_secs(60), head_bytes: 64 * 1024 }
    }
}

impl Limits {
    /// The loopback metadata services: few callers, short requests (A24).
    pub fn metadata() -> Self {
        Self { connections: 1024, head: Duration::from_secs(10), head_bytes: 16 * 1024 }
    }
}

/// What is spoken on a listener.
#[derive(Clone)]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2 over TLS.
    Https(Arc<rustls::ServerConfig>),
    /// HTTP/1.1 only, header names in title case (`Www-Authenticate`): the metadata services, whose scripts grep.
    PlainTitleCase,
    /// HTTP/1.1 only, header names as they are everywhere else: in lower case.
    Plain,
}

/// A bound address.
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// When the process is out of file descriptors, accepting is tried again after this pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Of failures to accept, one line of log in this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);
/// A TLS handshake must be done within this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

impl Listener {
    /// Accepts until shutdown begins; requests under way are finished (see [`Shutdown::drained`]).
    pub fn serve(self, protocol: Protocol, router: Arc<dyn Router>, limits: Limits, shutdown: &Shutdown) {
        let until = shutdown.clone();
        shutdown.spawn(async move {
            let crowd = Crowd::new(limits.connections);
            let mut complained = None;
            loop {
                let accepted = tokio::select! {
                    () = until.begun() => return,
                    accepted = self.accept() => accepted,
                };
                match accepted {
                    Ok((connection, peer)) => {
                        let place = crowd.enter();
                        let (protocol, router, until) =
                            (protocol.clone(), Arc::clone(&router), until.clone());
                        until
                            .clone()
                            .spawn(converse(connection, peer, protocol, router, limits, place, until));
                    }
                    Err(error) => {
                        if complained.is_none_or(|at: Instant| at.elapsed() >= COMPLAIN_EVERY) {
                            tracing::warn!(%error, "a connection could not be accepted");
                            complained = Some(Instant::now());
                        }
                        if is_out_of_descriptors(&error) && crowd.make_room() {
                            // The connection that was ended gives its descriptor back when its task runs.
                            tokio::task::yield_now().await;
                        } else {
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            }
        });
    }

    async fn accept(&self) -> io::Result<(Connection, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let local = stream.local_addr().ok();
                let peer = Peer { address: Some(address), local, tls: false, connection: next_connection() };
                Ok((Box::new(stream), peer))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let connection = next_connection();
                Ok((Box::new(stream), Peer { address: None, local: None, tls: false, connection }))
            }
        }
    }
}

fn next_connection() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// EMFILE or ENFILE: the process or the system has no descriptor left, long before all places need be taken (A24).
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}
type Connection = Box<dyn Bytestream>;

async fn converse(
    connection: Connection,
    mut peer: Peer,
    protocol: Protocol,
    router: Arc<dyn Router>,
    limits: Limits,
    place: Place,
    until: Shutdown,
) {
    match protocol {
        Protocol::PlainTitleCase => {
            talk_http1(connection, peer, TITLE_CASE, router, limits, place, until).await
        }
        Protocol::Plain => talk_http1(connection, peer, LOWER_CASE, router, limits, place, until).await,
        Protocol::Https(config) => {
            let handshake = tokio_rustls::TlsAcceptor::from(config).accept(connection);
            let accepted = tokio::select! {
                accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => accepted,
                () = place.evicted() => return,
            };
            match accepted {
                Ok(Ok(tls)) => {
                    peer.tls = true;
                    #[cfg(feature = "http2")]
                    if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                        return http2::talk(tls, peer, router, limits, place, until).await;
                    }
                    talk_http1(tls, peer, LOWER_CASE, router, limits, place, until).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, ?peer, "TLS handshake failed"),
                Err(_) => tracing::debug!(?peer, "TLS handshake took too long"),
            }
        }
    }
}

/// How the names of an answer's headers are written. Clients of blobs read names of metadata out of them
/// (`x-ms-meta-hdi_isfolder`), so that title case would give back other names than were sent.
const TITLE_CASE: bool = true;
const LOWER_CASE: bool = false;

async fn talk_http1<S>(
    stream: S,
    peer: Peer,
    title_case: bool,
    router: Arc<dyn Router>,
    limits: Limits,
    place: Place,
    until: Shutdown,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = hyper::service::service_fn(|request| answer(request, peer, &router, &place));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes.max(8192))
        .title_case_headers(title_case)
        .preserve_header_case(!title_case)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    see_out(connection, |connection| connection.graceful_shutdown(), peer, &place, &until).await;
}

/// Lets a connection come to its end: its own, at once when its place is wanted, or when shutdown begins after the answers
/// under way, which `finish` asks of it.
async fn see_out<C>(connection: C, finish: fn(Pin<&mut C>), peer: Peer, place: &Place, until: &Shutdown)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = place.evicted() => return,
        () = until.begun() => {
            finish(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, ?peer, "connection ended");
    }
}

async fn answer(
    request: http::Request<Incoming>,
    peer: Peer,
    router: &Arc<dyn Router>,
    place: &Place,
) -> Result<Response, std::convert::Infallible> {
    let _busy = place.busy();
    let comes_anyway = incoming::comes_anyway(request.version(), request.headers());
    let http1 = request.version() < http::Version::HTTP_2;
    let (parts, body) = request.into_parts();
    let (body, mut left_over) = incoming::arriving(body);
    let request = http::Request::from_parts(parts, body);
    // A panic in a handler costs one answer, not the connection and its other streams.
    let outcome = std::panic::AssertUnwindSafe(router.answer(request, peer)).catch_unwind().await;
    if comes_anyway {
        // Empty where the handler read to the end, or there was nothing to read.
        if let Ok(rest) = left_over.try_recv() {
            tokio::spawn(incoming::read_on(rest));
        }
    }
    let mut answer = outcome.unwrap_or_else(|_| {
        tracing::error!(?peer, "a handler panicked");
        text(StatusCode::INTERNAL_SERVER_ERROR, "The request failed inside the server.")
    });
    if let Some(names) = answer.extensions_mut().remove::<Spelling>()
        && http1
    {
        answer.extensions_mut().extend(spelling::written(names).await);
    }
    Ok(answer)
}
