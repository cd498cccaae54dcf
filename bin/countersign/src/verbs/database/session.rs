//! A session through the gateway: the operator's token is its password.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cs_wire_postgres::{ErrorFields, SSL_REQUEST, Version, parse, password, read_row, startup, statement};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::operator::{DATABASES, Operator};
use crate::failure::{Attempt, Failure, Kind};

/// Roles are made in this database; they are the whole server's.
const DATABASE: &str = "postgres";
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// The values of a row, as text.
pub type Row = Vec<Option<String>>;

pub struct Session {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
}

impl Session {
    pub async fn open(operator: &Operator, role: &str) -> Result<Self, Failure> {
        let ready = &operator.site.ready;
        let (address, suffix) =
            ready.postgres.as_deref().zip(ready.postgres_suffix.as_deref()).ok_or_else(|| {
                Failure::new(Kind::WrongState, "the site runs without a database gateway")
                    .hint("start it with --postgres ADDR:PORT")
            })?;
        let host = format!("{}.{suffix}", operator.label);
        let token = operator.site.token(DATABASES).await?;
        let unreachable = |e: std::io::Error| {
            Failure::new(Kind::Unreachable, format!("asking the database gateway at {address}: {e}"))
        };
        let mut stream = TcpStream::connect(address).await.map_err(unreachable)?;
        stream.write_all(&SSL_REQUEST).await.map_err(unreachable)?;
        let mut answer = [0];
        stream.read_exact(&mut answer).await.map_err(unreachable)?;
        let pem = std::fs::read(&ready.ca_file).attempt("reading the site's certificate authority")?;
        let name = ServerName::try_from(host).attempt("using the server's name")?;
        let stream = TlsConnector::from(trusting(&pem)?).connect(name, stream).await.map_err(unreachable)?;
        let mut session = Self { stream, buffer: BytesMut::new() };
        let own = [("user", role), ("database", DATABASE), ("application_name", "countersign")];
        session.send(&startup(Version::V3_0, own.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))).await?;
        session.send(&password(token.as_bytes())).await?;
        session.until_ready().await?;
        Ok(session)
    }

    /// The first value of a statement's first row.
    pub async fn ask(&mut self, sql: &str, parameters: &[&str]) -> Result<Option<String>, Failure> {
        let rows = self.rows(sql, parameters).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// All rows of a statement.
    pub async fn rows(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Row>, Failure> {
        self.send(&statement(sql, parameters)).await?;
        self.until_ready().await
    }

    async fn until_ready(&mut self) -> Result<Vec<Row>, Failure> {
        let (mut rows, mut refused) = (Vec::new(), None);
        loop {
            let (kind, body) = self.next().await?;
            match kind {
                b'D' => rows.push(read_row(body).attempt("reading the server's answer")?),
                b'E' => {
                    let error = ErrorFields::of(body);
                    let refusal = refusal(&error);
                    // After FATAL nothing comes any more.
                    if error.get(b'S') == "FATAL" {
                        return Err(refusal);
                    }
                    refused = Some(refusal);
                }
                b'Z' => return refused.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.attempt("asking the database server")?;
        self.stream.flush().await.attempt("asking the database server")
    }

    async fn next(&mut self) -> Result<(u8, Bytes), Failure> {
        loop {
            if let Some(message) = parse(&mut self.buffer).attempt("reading the server's answer")? {
                return Ok(message);
            }
            let read = timeout(ANSWERS_WITHIN, self.stream.read_buf(&mut self.buffer)).await;
            match read.attempt("waiting for the database server")?.attempt("reading the server's answer")? {
                0 => {
                    return Err(Failure::new(
                        Kind::Unreachable,
                        "the database gateway closed the connection",
                    ));
                }
                _ => continue,
            }
        }
    }
}

fn refusal(error: &ErrorFields) -> Failure {
    let kind =
        if error.code().starts_with("28") || error.code() == "42501" { Kind::Refused } else { Kind::Failed };
    let failure = Failure::new(kind, format!("the database server: {} ({})", error.message(), error.code()));
    match error.get(b'H') {
        hint if hint.is_empty() => failure,
        hint => failure.hint(hint),
    }
}

fn trusting(pem: &[u8]) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.attempt("reading the certificate authority")?).attempt("trusting the site")?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .attempt("preparing TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
