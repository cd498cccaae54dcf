//! From the first byte to the start-up packet, and from there through login to an open session.
//!
//! Five things may begin a connection on one port: `GSSENCRequest`, `SSLRequest`, `CancelRequest`, a start-up packet,
//! or a TLS hello. Only what comes through TLS gets further than the first answer.

use std::{net::SocketAddr, os::fd::AsRawFd, sync::Arc, time::Duration};

use bytes::Bytes;
use cs_ids::CorrelationId;
use cs_wire_postgres::{First, Malformed, Startup, first_length, read_first};
use nix::sys::socket::{MsgFlags, recv};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::LazyConfigAcceptor;

use crate::{
    Shared, cancel,
    crowd::Place,
    login,
    refusal::Refusal,
    sessions::Session,
    streams::{self, Client},
};

/// A client that is refused has this long to read why.
const FAREWELL: Duration = Duration::from_secs(2);
/// What it sent meanwhile is read and thrown away, or the kernel would throw away our answer; up to this much.
const FAREWELL_MAX_BYTES: usize = 256 * 1024;
/// First byte of a TLS record with a hello.
const TLS_HANDSHAKE: u8 = 0x16;
/// A fatal alert `no_application_protocol` (RFC 7301 3.2) before any key is agreed on.
const NO_APPLICATION_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];

/// What belongs to one connection.
pub(crate) struct Visit {
    pub shared: Arc<Shared>,
    pub peer: SocketAddr,
    pub correlation: CorrelationId,
    pub deadline: Instant,
}

impl Visit {
    /// A step on the way to a session, as long as there is time.
    pub async fn within<T>(&self, step: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        timeout_at(self.deadline, step).await.unwrap_or(Err(Refusal::Slow))
    }

    /// Logs a refusal and counts it; the token is in no field of it.
    fn note(&self, refusal: &Refusal) {
        let (peer, correlation) = (self.peer, self.correlation);
        let parts = &self.shared.parts;
        if refusal.is_failed_login() {
            self.shared.crowd.failed(peer.ip(), parts.clock.now());
        }
        match refusal {
            Refusal::Silent(_) | Refusal::Broken(_) | Refusal::Slow => {
                tracing::debug!(%peer, %correlation, %refusal, "a connection was closed");
            }
            Refusal::Unreachable(_) | Refusal::RefusedBehind(_) | Refusal::Undecided(_) => {
                tracing::error!(%peer, %correlation, %refusal, "a login came to nothing");
            }
            _ => tracing::info!(%peer, %correlation, %refusal, "a connection was refused"),
        }
    }
}

/// Takes a connection to its open session; `None` when there is none to run.
pub(crate) async fn open(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: Place,
    shared: Arc<Shared>,
) -> Option<Session> {
    let mut stream = TcpStream::from_std(stream).ok()?;
    streams::prepare(&stream).ok()?;
    let deadline = Instant::now() + shared.parts.limits.opening;
    let correlation = CorrelationId::from(shared.parts.chance.uuid());
    let visit = Visit { shared, peer, correlation, deadline };
    let direct = match visit.within(in_the_clear(&mut stream, &visit)).await {
        Ok(Some(direct)) => direct,
        Ok(None) => return None,
        Err(refusal) => return turn_away(stream, &refusal, &visit).await,
    };
    let mut client = match visit.within(encrypt(stream, direct, &visit)).await {
        Ok(client) => client,
        Err(refusal) => {
            visit.note(&refusal);
            return None;
        }
    };
    let session = visit.within(async {
        match encrypted_first(&mut client).await? {
            First::Startup(startup) => login::log_in(&mut client, &startup, place, &visit).await.map(Some),
            First::Cancel { pid, key } => {
                cancel::pass_on(pid, &key, login::label(&client, &visit).ok().flatten(), &visit).await;
                // Without TLS's goodbye libpq 17 and later take the cancelling for failed.
                farewell(&mut client, b"").await;
                Ok(None)
            }
            First::Ssl | First::Gss => {
                Err(Malformed("unexpected request for encryption: the connection is encrypted").into())
            }
        }
    });
    match session.await {
        Ok(ready) => Some(ready?.with(client)),
        Err(refusal) => turn_away(client, &refusal, &visit).await,
    }
}

/// What comes before TLS. Answers whether the client began with TLS itself; `None` when all was done (a cancel
/// request, which older clients send in the clear even after an encrypted session).
async fn in_the_clear(stream: &mut TcpStream, visit: &Visit) -> Result<Option<bool>, Refusal> {
    let mut asked_for_gss = false;
    loop {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(Refusal::Silent("it ended before it began"));
        }
        if first[0] == TLS_HANDSHAKE {
            return Ok(Some(true));
        }
        match first_packet(stream).await? {
            First::Ssl => {
                nothing_behind(stream)?;
                stream.write_all(b"S").await?;
                return Ok(Some(false));
            }
            First::Gss if !asked_for_gss => {
                nothing_behind(stream)?;
                asked_for_gss = true;
                stream.write_all(b"N").await?;
            }
            First::Gss => return Err(Malformed("the request for GSS encryption came twice").into()),
            First::Cancel { pid, key } => {
                cancel::pass_on(pid, &key, None, visit).await;
                return Ok(None);
            }
            First::Startup(startup) if startup.version.major != 3 => {
                return Err(Refusal::Version(startup.version));
            }
            First::Startup(_) => return Err(Refusal::NoTls),
        }
    }
}

/// Whoever sends on before we answered tries to slip bytes past the encryption (G01, CVE-2021-23214).
fn nothing_behind(stream: &TcpStream) -> Result<(), Refusal> {
    let mut byte = [0];
    match recv(stream.as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Err(nix::errno::Errno::EAGAIN) => Ok(()),
        Ok(0) => Err(Refusal::Silent("it ended instead of beginning TLS")),
        Ok(_) => Err(Refusal::Silent("bytes before TLS")),
        Err(error) => Err(Refusal::Broken(error.into())),
    }
}

/// A first packet; one of impossible length is answered with nothing (it may be a port scan).
async fn first_packet(stream: &mut (impl AsyncRead + Unpin)) -> Result<First, Refusal> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = first_length(head).map_err(|bad| Refusal::Silent(bad.0))?;
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await?;
    Ok(read_first(&Bytes::from(packet))?)
}

async fn encrypt(stream: TcpStream, direct: bool, visit: &Visit) -> Result<Client, Refusal> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    if direct && start.client_hello().alpn().is_none() {
        // Without the name of the protocol, what was meant for another service could be played here.
        let mut stream = start.io;
        stream.write_all(&NO_APPLICATION_PROTOCOL).await?;
        return Err(Refusal::Silent("direct TLS without ALPN"));
    }
    Ok(start.into_stream(Arc::clone(&visit.shared.parts.tls)).await?)
}

async fn encrypted_first(client: &mut Client) -> Result<First, Refusal> {
    match first_packet(client).await? {
        First::Startup(Startup { version, .. }) if version.major != 3 => Err(Refusal::Version(version)),
        first => Ok(first),
    }
}

async fn turn_away<S>(mut stream: S, refusal: &Refusal, visit: &Visit) -> Option<Session>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    visit.note(refusal);
    let words = match refusal {
        Refusal::FromServer(words, _) => words.clone(),
        other => other.report()?.encode().freeze(),
    };
    farewell(&mut stream, &words).await;
    None
}

/// Says the last words and waits, for a moment, until the client has taken them.
pub(crate) async fn farewell<S>(stream: &mut S, words: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let last = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let (mut sink, mut taken) = ([0; 4096], 0);
        while taken < FAREWELL_MAX_BYTES {
            match stream.read(&mut sink).await? {
                0 => break,
                n => taken += n,
            }
        }
        std::io::Result::Ok(())
    };
    // However it ends: there is nobody left to tell.
    let _ = timeout(FAREWELL, last).await;
}
