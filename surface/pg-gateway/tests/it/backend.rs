//! A small PostgreSQL: takes one role's certificate, and does what the text of a query says.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::{Bytes, BytesMut};
use cs_wire_postgres::{
    BackendKey, CancelKey, First, Report, SSL_REQUEST, authentication_cleartext, authentication_ok,
    backend_key_data, first_length, message, parse, read_first, ready_for_query,
};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::world::PATIENCE;

/// What the backend saw.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A start-up packet: the certificate's name (none on a socket), and the parameters.
    Login {
        name: Option<String>,
        parameters: Vec<(String, String)>,
    },
    /// A message of a session: kind and body.
    Message(u8, Vec<u8>),
    Cancel {
        pid: i32,
        key: Vec<u8>,
    },
    Ended,
}

pub struct Backend {
    pub port: u16,
    pub socket: Option<PathBuf>,
    pub ca_pem: String,
    seen: tokio::sync::Mutex<mpsc::UnboundedReceiver<Seen>>,
    shared: Arc<Shared>,
}

struct Shared {
    seen: mpsc::UnboundedSender<Seen>,
    /// Lets a "half" answer go on, or a "hang" end.
    go: Notify,
    connections: Mutex<i32>,
}

pub const KEY: &[u8] = b"bkey";

impl Backend {
    pub async fn start(client_authority: &str, name: &str, dir: &Path, on_socket: bool) -> Self {
        let (ca_pem, config) = tls(client_authority, name);
        let (sender, seen) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { seen: sender, go: Notify::new(), connections: Mutex::new(0) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let tcp = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&tcp));
                tokio::spawn(over_tls(stream, acceptor, shared));
            }
        });
        let socket = on_socket.then(|| dir.join(".s.PGSQL.5432"));
        if let Some(path) = &socket {
            let listener = UnixListener::bind(path).unwrap();
            let local = Arc::clone(&shared);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, None, Arc::clone(&local)));
                }
            });
        }
        Self { port, socket, ca_pem, seen: tokio::sync::Mutex::new(seen), shared }
    }

    /// The next thing it saw.
    pub async fn next(&self) -> Seen {
        timeout(PATIENCE, self.seen.lock().await.recv()).await.expect("the backend saw nothing").unwrap()
    }

    /// Passes over the session's login.
    pub async fn login(&self) -> (Option<String>, Vec<(String, String)>) {
        match self.next().await {
            Seen::Login { name, parameters } => (name, parameters),
            other => panic!("{other:?}"),
        }
    }

    /// Nothing at all, so far.
    pub async fn saw_nothing(&self) -> bool {
        self.seen.lock().await.try_recv().is_err()
    }

    pub fn go(&self) {
        self.shared.go.notify_one();
    }
}

fn tls(client_authority: &str, name: &str) -> (String, ServerConfig) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&ca, &ca_key);
    let leaf =
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(client_authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        // Cancel requests come without a certificate, as to PostgreSQL.
        .allow_unauthenticated()
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![leaf.into()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (ca_certificate.pem(), config)
}

async fn over_tls(mut stream: tokio::net::TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut request = [0; 8];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request, SSL_REQUEST);
    stream.write_all(b"S").await.unwrap();
    // A client that does not trust us leaves here.
    let Ok(tls) = acceptor.accept(stream).await else { return };
    let name = tls.get_ref().1.peer_certificates().map(|all| {
        let (_, certificate) = x509_parser::parse_x509_certificate(&all[0]).unwrap();
        certificate.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned()
    });
    serve(tls, name, shared).await;
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, name: Option<String>, shared: Arc<Shared>) {
    let see = |seen| drop(shared.seen.send(seen));
    let mut head = [0; 4];
    if stream.read_exact(&mut head).await.is_err() {
        return;
    }
    let mut packet = vec![0; first_length(head).unwrap()];
    stream.read_exact(&mut packet).await.unwrap();
    let startup = match read_first(&Bytes::from(packet)).unwrap() {
        First::Startup(startup) => startup,
        First::Cancel { pid, key } => return see(Seen::Cancel { pid, key: key.0.to_vec() }),
        other => panic!("{other:?}"),
    };
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let parameters: Vec<_> = startup.parameters.iter().map(|(n, v)| (text(n), text(v))).collect();
    let database = parameters.iter().find(|(n, _)| n == "database").map(|(_, v)| v.clone());
    see(Seen::Login { name, parameters });
    let mut words = authentication_ok();
    match database.as_deref() {
        Some("asks") => words = authentication_cleartext(),
        Some("hangs") => std::future::pending().await,
        Some("refuses") => {
            words = Report::fatal("28000", "no pg_hba.conf entry for host \"10.0.0.7\"").encode();
        }
        Some("missing") => {
            words.extend_from_slice(&Report::fatal("3D000", "database \"missing\" does not exist").encode());
        }
        _ => {
            let pid = {
                let mut connections = shared.connections.lock().unwrap();
                *connections += 1;
                *connections
            };
            words.extend_from_slice(&message(b'S', b"server_version\x0015.0\0"));
            let key = BackendKey { pid, key: CancelKey(Bytes::from_static(KEY)) };
            words.extend_from_slice(&backend_key_data(&key));
            words.extend_from_slice(&ready_for_query(b'I'));
        }
    }
    stream.write_all(&words).await.unwrap();
    stream.flush().await.unwrap();
    let mut buffer = BytesMut::new();
    loop {
        while let Some((kind, body)) = parse(&mut buffer).unwrap() {
            let query = String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or(&body)).into_owned();
            see(Seen::Message(kind, body.to_vec()));
            if kind == b'Q' && !answer(&mut stream, &query, &shared).await {
                return;
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return see(Seen::Ended),
            Ok(_) => {}
        }
    }
}

/// `false` when the server dies of it.
async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, query: &str, shared: &Shared) -> bool {
    let row = message(b'D', &vec![b'x'; 4096]);
    let words = match query {
        "begin" => [&message(b'C', b"BEGIN\0")[..], &ready_for_query(b'T')].concat(),
        "hang" => {
            shared.go.notified().await;
            ready_for_query(b'I').to_vec()
        }
        "half" => {
            stream.write_all(&row[..1000]).await.unwrap();
            stream.flush().await.unwrap();
            shared.go.notified().await;
            [&row[1000..], &message(b'C', b"SELECT 1\0"), &ready_for_query(b'I')].concat()
        }
        "die" => {
            stream.write_all(&row[..1000]).await.unwrap();
            stream.flush().await.unwrap();
            return false;
        }
        "much" => {
            let mut all = row.repeat(1024);
            all.extend_from_slice(&ready_for_query(b'I'));
            all
        }
        _ => [&message(b'C', b"SELECT 1\0")[..], &ready_for_query(b'I')].concat(),
    };
    let written = stream.write_all(&words).await;
    written.is_ok() && stream.flush().await.is_ok()
}
