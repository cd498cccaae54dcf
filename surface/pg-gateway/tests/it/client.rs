//! A client that says exactly what a test wants.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use cs_wire_postgres::{
    BackendKey, ErrorFields, SSL_REQUEST, Version, parse, password, query, read_backend_key, startup,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::world::{PATIENCE, SUFFIX, World};

pub struct Client {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    pub key: Option<BackendKey>,
}

/// How a client knocks.
pub struct Knock<'k> {
    pub user: &'k str,
    pub database: &'k str,
    pub version: Version,
    pub more: &'k [(&'k str, &'k str)],
    pub server: Option<&'k str>,
}

impl Default for Knock<'_> {
    fn default() -> Self {
        Self { user: "lab-machine", database: "lab", version: Version::V3_0, more: &[], server: Some("db1") }
    }
}

pub async fn plain(world: &World) -> TcpStream {
    at(world.door).await
}

pub async fn at(door: SocketAddr) -> TcpStream {
    TcpStream::connect(door).await.unwrap()
}

/// All that comes until the other side closes.
pub async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A connection that is cut is as closed as one that ends.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the connection stays open");
    all
}

pub fn config(world: &World, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Arc::new(config)
}

/// TLS on a socket where it may begin now.
pub async fn encrypt(
    world: &World,
    stream: TcpStream,
    server: Option<&str>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = match server {
        Some(label) => ServerName::try_from(format!("{label}.postgres.{SUFFIX}")).unwrap(),
        // An address stands in no hello.
        None => ServerName::try_from("127.0.0.1").unwrap(),
    };
    TlsConnector::from(config(world, alpn)).connect(name, stream).await
}

impl Client {
    /// Through TLS, nothing said yet.
    pub async fn encrypted(world: &World, server: Option<&str>) -> Self {
        Self::encrypted_at(world, world.door, server).await
    }

    pub async fn encrypted_at(world: &World, door: SocketAddr, server: Option<&str>) -> Self {
        let mut stream = at(door).await;
        stream.write_all(&SSL_REQUEST).await.unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"S");
        Self::over(encrypt(world, stream, server, &[]).await.unwrap())
    }

    pub fn over(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, buffer: BytesMut::new(), key: None }
    }

    /// Through TLS, start-up packet sent.
    pub async fn knock(world: &World, knock: &Knock<'_>) -> Self {
        let mut client = Self::encrypted(world, knock.server).await;
        client.start(knock).await;
        client
    }

    pub async fn start(&mut self, knock: &Knock<'_>) {
        let own = [("user", knock.user), ("database", knock.database)];
        let all = own.iter().chain(knock.more).filter(|(_, v)| !v.is_empty());
        let packet = startup(knock.version, all.map(|(n, v)| (n.as_bytes(), v.as_bytes())));
        self.send(&packet).await;
    }

    /// Logs in; the first error is the answer.
    pub async fn try_log_in(world: &World, knock: &Knock<'_>, token: &str) -> Result<Self, ErrorFields> {
        let mut client = Self::knock(world, knock).await;
        client.expect_question().await;
        client.send(&password(token.as_bytes())).await;
        client.until_ready().await?;
        Ok(client)
    }

    pub async fn log_in(world: &World, n: u128, user: &str) -> Self {
        let knock = Knock { user, ..Knock::default() };
        let client = Self::try_log_in(world, &knock, &world.token(n)).await;
        client.unwrap_or_else(|e| panic!("{} {}", e.code(), e.message()))
    }

    pub async fn expect_question(&mut self) {
        let (kind, body) = self.next().await.expect("a question");
        assert_eq!((kind, &body[..]), (b'R', &[0, 0, 0, 3][..]));
    }

    pub async fn until_ready(&mut self) -> Result<Vec<u8>, ErrorFields> {
        let mut kinds = Vec::new();
        loop {
            let (kind, body) = self.next().await.expect("more before the end");
            kinds.push(kind);
            match kind {
                b'E' => return Err(ErrorFields::of(body)),
                b'K' => self.key = Some(read_backend_key(body).unwrap()),
                b'Z' => return Ok(kinds),
                _ => {}
            }
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn ask(&mut self, sql: &str) {
        self.send(&query(sql)).await;
    }

    /// The next message; `None` when the other side closed.
    pub async fn next(&mut self) -> Option<(u8, Bytes)> {
        loop {
            if let Some(message) = parse(&mut self.buffer).unwrap() {
                return Some(message);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads on; `false` at the end.
    pub async fn more(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        // A cut connection has ended as well.
        timeout(PATIENCE, read).await.expect("nothing comes").is_ok_and(|n| n > 0)
    }

    /// The other side ends, and says so as TLS wants it.
    pub async fn expect_goodbye(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("nothing comes");
        assert_eq!(read.expect("TLS's goodbye"), 0);
    }

    /// Bytes that are no whole message (yet).
    pub fn unread(&self) -> &[u8] {
        &self.buffer
    }

    /// The error that ends the session: its code, and that nothing follows.
    pub async fn ended_with(&mut self) -> ErrorFields {
        let error = loop {
            let (kind, body) = self.next().await.expect("last words");
            if kind == b'E' {
                break ErrorFields::of(body);
            }
        };
        assert_eq!(self.next().await, None);
        error
    }
}
