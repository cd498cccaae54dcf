//! The way to a database server, and logging in there as exactly one role.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cs_database::RoleName;
use cs_databases::Server as ServerResource;
use cs_wire_postgres::{
    BackendKey, ErrorFields, SSL_REQUEST, Startup, Version, cancel_request, message, parse, read_backend_key,
    startup,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use crate::{
    Shared,
    certificates::{CertificateError, Dial},
    login::Behind,
    refusal::Refusal,
    streams::{self, Server},
};

/// Messages of a session's beginning, all together; a server that says more is none, in bytes.
const BEGINNING_MAX_BYTES: usize = 256 * 1024;
/// A cancel request that takes longer has missed its query.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);
/// A server that has not let us in by then is away, and its client hears so while it still waits.
const BACKEND_WITHIN: Duration = Duration::from_secs(20);

/// Where a server is, and who we are there.
#[derive(Clone)]
pub(crate) enum Target {
    Network(Arc<Dial>),
    Socket(Arc<Path>),
}

/// How to reach the very server process of a session again, to cancel what it does.
pub(crate) struct WayBack {
    target: Target,
    /// A name may stand for several servers: the one we reached.
    address: Option<SocketAddr>,
    key: BackendKey,
}

impl Target {
    pub async fn of(
        server: &Arc<ServerResource>,
        role: &RoleName,
        shared: &Arc<Shared>,
    ) -> Result<Self, Refusal> {
        let parts = &shared.parts;
        if let Some(socket) = parts.sockets.get(&server.label) {
            return Ok(Self::Socket(Arc::from(socket.as_path())));
        }
        let Some(backend) = &server.settings.backend else {
            let what = format!("'{}' has no backend and no socket is configured for it", server.label);
            return Err(Refusal::Unreachable(what));
        };
        let dial = shared.certificates.for_role(server, backend, role, shared).await;
        dial.map(Self::Network).map_err(|error| match error {
            CertificateError::Unknown(unknown) => Refusal::Undecided(unknown.to_string()),
            other => Refusal::Unreachable(chain(&other)),
        })
    }

    async fn connect(&self) -> Result<(Server, Option<SocketAddr>), Refusal> {
        match self {
            Self::Socket(path) => {
                let stream = UnixStream::connect(&**path).await;
                let stream = stream.map_err(|e| Refusal::Unreachable(format!("{}: {e}", path.display())))?;
                Ok((Server::Local(stream), None))
            }
            Self::Network(dial) => {
                let reached = TcpStream::connect((dial.host.as_str(), dial.port)).await;
                let stream =
                    reached.map_err(|e| Refusal::Unreachable(format!("{}:{}: {e}", dial.host, dial.port)))?;
                let address = stream.peer_addr().ok();
                let tls = encrypt(stream, dial, &dial.as_role).await?;
                Ok((Server::Tls(Box::new(tls)), address))
            }
        }
    }
}

/// Logs in as the role, with the client's own parameters. A server that says nothing is one that cannot be reached.
pub(crate) async fn log_in(target: Target, role: &RoleName, asked: &Startup) -> Result<Behind, Refusal> {
    let silent = || Refusal::Unreachable(format!("no answer within {} seconds", BACKEND_WITHIN.as_secs()));
    tokio::time::timeout(BACKEND_WITHIN, begin(target, role, asked)).await.map_err(|_| silent())?
}

async fn begin(target: Target, role: &RoleName, asked: &Startup) -> Result<Behind, Refusal> {
    let (mut stream, address) = target.connect().await?;
    let database = asked.single("database")?.filter(|d| !d.is_empty());
    let own = [
        ("user", role.as_str().as_bytes()),
        // What is not said would be the role's name at the server as well; said once, it is the same on both sides.
        ("database", database.map_or(role.as_str().as_bytes(), |d| &d[..])),
    ];
    let passed = asked.passed_on(&["user", "database"]).map(|(n, v)| (&n[..], &v[..]));
    let all = own.iter().map(|(n, v)| (n.as_bytes(), *v)).chain(passed);
    // Whatever the client speaks, we speak 3.0 here: every server does, and its key fits into ours.
    stream.write_all(&startup(Version::V3_0, all)).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    beginning(stream, target, address).await
}

/// Reads what a server says until it is ready.
async fn beginning(
    mut stream: Server,
    target: Target,
    address: Option<SocketAddr>,
) -> Result<Behind, Refusal> {
    let (mut buffer, mut said, mut key) = (BytesMut::with_capacity(1024), BytesMut::new(), None);
    let mut proven = false;
    loop {
        let next = parse(&mut buffer).map_err(|bad| Refusal::Unreachable(bad.to_string()))?;
        let Some((kind, body)) = next else {
            if stream.read_buf(&mut buffer).await.map_err(lost)? == 0 {
                return Err(Refusal::Unreachable("it closed the connection".to_owned()));
            }
            continue;
        };
        match kind {
            b'R' if body[..] == [0, 0, 0, 0] => {
                proven = true;
                said.extend_from_slice(&message(kind, &body));
            }
            // It asks for a password: pg_hba.conf lets this role in by another way than the gateway's.
            b'R' => return Err(Refusal::RefusedBehind("it asks for a password".to_owned())),
            b'K' => {
                let read = read_backend_key(body);
                key = Some(read.map_err(|bad| Refusal::Unreachable(bad.to_string()))?);
            }
            b'E' => return Err(refused(proven, &mut said, kind, body)),
            b'Z' => {
                let key = key.ok_or_else(|| Refusal::Unreachable("it told no cancel key".to_owned()))?;
                let way_back = WayBack { target, address, key };
                let ready = message(kind, &body);
                return Ok(Behind { stream, way_back, said, ready, backlog: buffer.freeze() });
            }
            b'S' | b'N' if proven => said.extend_from_slice(&message(kind, &body)),
            // Notices of before, and answers to protocol options, which we do not send.
            b'N' | b'v' => {}
            _ => return Err(Refusal::Unreachable("it does not speak PostgreSQL's protocol".to_owned())),
        }
        if said.len() > BEGINNING_MAX_BYTES {
            return Err(Refusal::Unreachable("it says too much before it is ready".to_owned()));
        }
    }
}

/// An error of the server: passed on, unless it is about the gateway's own login, which is no business of clients.
fn refused(proven: bool, said: &mut BytesMut, kind: u8, body: Bytes) -> Refusal {
    let fields = ErrorFields::of(body.clone());
    let told = format!("{} {}", fields.code(), fields.message());
    if !proven && fields.code().starts_with("28") {
        return Refusal::RefusedBehind(told);
    }
    said.extend_from_slice(&message(kind, &body));
    Refusal::FromServer(said.split().freeze(), told)
}

/// Cancels what a process of a server does that belongs to another gateway's session.
pub(crate) async fn cancel_at(server: &ServerResource, key: BackendKey, shared: &Shared) {
    let target = match (shared.parts.sockets.get(&server.label), &server.settings.backend) {
        (Some(socket), _) => Target::Socket(Arc::from(socket.as_path())),
        (None, Some(backend)) => match Dial::without_role(backend) {
            Ok(dial) => Target::Network(Arc::new(dial)),
            Err(error) => return tracing::warn!(%error, "a cancel request could not be passed on"),
        },
        (None, None) => return,
    };
    WayBack { target, address: None, key }.cancel().await;
}

impl WayBack {
    pub fn key(&self) -> &BackendKey {
        &self.key
    }

    /// Asks the server to cancel what the session does. Nothing comes back, whatever comes of it.
    pub async fn cancel(&self) {
        let outcome = tokio::time::timeout(CANCEL_WITHIN, self.try_cancel()).await;
        if !matches!(outcome, Ok(Ok(()))) {
            tracing::debug!("a cancel request did not reach its server");
        }
    }

    async fn try_cancel(&self) -> Result<(), Refusal> {
        let packet = cancel_request(self.key.pid, &self.key.key);
        let mut stream = match (&self.target, self.address) {
            (Target::Network(dial), Some(address)) => {
                let stream = TcpStream::connect(address).await?;
                Server::Tls(Box::new(encrypt(stream, dial, &dial.unnamed).await?))
            }
            (Target::Network(dial), None) => {
                let stream = TcpStream::connect((dial.host.as_str(), dial.port)).await?;
                Server::Tls(Box::new(encrypt(stream, dial, &dial.unnamed).await?))
            }
            (target, _) => target.connect().await?.0,
        };
        stream.write_all(&packet).await?;
        stream.flush().await?;
        // The server closes once it has signalled the process.
        let _ = stream.read(&mut [0; 16]).await?;
        Ok(())
    }
}

/// TLS on request, with the server's certificate checked against its name and its authority.
async fn encrypt(
    mut stream: TcpStream,
    dial: &Dial,
    config: &Arc<rustls::ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Refusal> {
    streams::prepare(&stream).map_err(lost)?;
    stream.write_all(&SSL_REQUEST).await.map_err(lost)?;
    let mut answer = [0];
    // One byte and no more: what stands behind it is read as TLS and as nothing else.
    stream.read_exact(&mut answer).await.map_err(lost)?;
    if answer != *b"S" {
        return Err(Refusal::Unreachable("it does not speak TLS".to_owned()));
    }
    let connector = TlsConnector::from(Arc::clone(config));
    connector
        .connect(dial.name.clone(), stream)
        .await
        .map_err(|e| Refusal::Unreachable(format!("TLS with {}: {e}", dial.host)))
}

fn lost(error: std::io::Error) -> Refusal {
    Refusal::Unreachable(error.to_string())
}

/// An error with what caused it, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
