//! The client: HTTP/1.1 connections kept open, each with one request under way.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{StatusCode, header, request, response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Where to connect, and as whom to ask there.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// The `Host`, with its port where the server needs it.
    pub host: String,
    pub tls: Option<Arc<ClientConfig>>,
}

/// Trusts one CA and nothing else.
pub fn trusting(ca_file: &std::path::Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Target {
    pub async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Connection::over(stream, &self.host).await };
        let name = self.host.split(':').next().unwrap_or_default().to_owned();
        let tls = tokio_rustls::TlsConnector::from(Arc::clone(tls));
        Connection::over(tls.connect(ServerName::try_from(name)?, stream).await?, &self.host).await
    }
}

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, host: &str) -> Result<Self> {
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { sender, host: host.to_owned() })
    }

    async fn begin(&mut self, request: request::Builder, body: Bytes) -> Result<(response::Parts, Incoming)> {
        let request = request.header(header::HOST, &self.host).body(Full::new(body))?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?.into_parts())
    }

    /// Sends, and reads the whole answer.
    pub async fn send(
        &mut self,
        request: request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<(response::Parts, Bytes)> {
        let (parts, body) = self.begin(request, body.into()).await?;
        Ok((parts, body.collect().await?.to_bytes()))
    }

    /// Sends, and demands this status: a refused request is no measurement.
    pub async fn expect(
        &mut self,
        request: request::Builder,
        body: impl Into<Bytes>,
        status: StatusCode,
    ) -> Result<Bytes> {
        let (parts, body) = self.send(request, body).await?;
        if parts.status != status {
            bail!("{} instead of {status}: {}", parts.status, String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Sends, and counts the answer's bytes without keeping them.
    pub async fn drain(&mut self, request: request::Builder) -> Result<u64> {
        let (parts, mut body) = self.begin(request, Bytes::new()).await?;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        if parts.status != StatusCode::OK {
            bail!("{} instead of 200", parts.status);
        }
        Ok(length)
    }
}

/// What a while of work came to.
pub struct Run {
    pub operations: u64,
    pub wall: Duration,
}

impl Run {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.wall.as_secs_f64()
    }
}

/// A runtime on this one thread.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// So many connections do `work` over and over for so long; `work` gets its worker's and its turn's number.
pub fn hammer(
    target: &Target,
    connections: usize,
    time: Duration,
    work: impl AsyncFn(&mut Connection, usize, u64) -> Result<()>,
) -> Result<Run> {
    block_on(async {
        let open = (0..connections).map(|_| target.connect());
        let open = futures_util::future::try_join_all(open).await?;
        let started = Instant::now();
        let work = &work;
        let workers = open.into_iter().enumerate().map(async |(worker, mut connection)| {
            let mut turn = 0;
            while started.elapsed() < time {
                work(&mut connection, worker, turn).await?;
                turn += 1;
            }
            anyhow::Ok(turn)
        });
        let operations = futures_util::future::try_join_all(workers).await?.iter().sum();
        Ok(Run { operations, wall: started.elapsed() })
    })
}
