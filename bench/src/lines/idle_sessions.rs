//! What idle database sessions cost: their memory, in the gateway's process.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use cs_wire_postgres::{
    BackendKey, CancelKey, SSL_REQUEST, Version, authentication_ok, backend_key_data, first_length, parse,
    password, ready_for_query, startup,
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener},
    sync::Semaphore,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::databases::AUDIENCE;
use crate::{
    line::{Aim, Figure, Line, Outcome},
    load::{block_on, trusting},
    site::Site,
};

pub struct IdleSessions;

const SESSIONS: usize = 5000;
/// Logins at once while the sessions are made.
const AT_ONCE: usize = 32;
const SERVER: &str = "idle";
const ROLE: &str = "bench";

impl Line for IdleSessions {
    fn name(&self) -> &'static str {
        "pg-idle"
    }

    fn about(&self) -> &'static str {
        "memory of 5,000 idle sessions, above a site without any"
    }

    fn measure(&self) -> Result<Outcome> {
        let folder = tempfile::tempdir()?;
        let socket = format!("{SERVER}={}", folder.path().display());
        let site = Site::start_with(&["--postgres", "127.0.0.1:0", "--postgres-socket", &socket])?;
        site.make_database(SERVER, ROLE)?;
        let token = site.bearer(AUDIENCE)?.trim_start_matches("Bearer ").to_owned();
        let before = site.process.resident()?;
        let after = block_on(async {
            let server = UnixListener::bind(folder.path().join(".s.PGSQL.5432"))?;
            let serving = tokio::spawn(serve(server));
            let sessions = open_all(&site, token).await?;
            ensure!(sessions.len() == SESSIONS, "{} sessions were opened", sessions.len());
            let after = site.process.resident()?;
            serving.abort();
            Ok(after)
        })?;
        Ok(Outcome::Measured(Figure::alone(after - before, "MiB", Aim::AtMost(150.0))))
    }
}

/// A server that lets everybody in and has nothing to say: 5,000 real ones would want tens of gigabytes.
async fn serve(listener: UnixListener) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let mut packet = vec![0; first_length(head)?];
            stream.read_exact(&mut packet).await?;
            let mut words = authentication_ok();
            let key = BackendKey { pid: 1, key: CancelKey(Bytes::from_static(b"1234")) };
            words.extend_from_slice(&backend_key_data(&key));
            words.extend_from_slice(&ready_for_query(b'I'));
            stream.write_all(&words).await?;
            stream.read_exact(&mut head).await?;
            anyhow::Ok(())
        });
    }
}

async fn open_all(site: &Site, token: String) -> Result<Vec<TlsStream<TcpStream>>> {
    let connector = TlsConnector::from(trusting(Path::new(site.text("/ca_file")?))?);
    let name = ServerName::try_from(format!("{SERVER}.{}", site.text("/postgres_suffix")?))?;
    let (address, token) = (site.text("/postgres")?.to_owned(), Arc::new(token));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut opening = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (connector, name, address, token) =
            (connector.clone(), name.clone(), address.clone(), Arc::clone(&token));
        opening.push(tokio::spawn(async move {
            let _place = place;
            tokio::time::timeout(Duration::from_secs(30), log_in(connector, name, &address, &token)).await?
        }));
    }
    let mut sessions = Vec::with_capacity(SESSIONS);
    for one in opening {
        sessions.push(one.await??);
    }
    Ok(sessions)
}

async fn log_in(
    connector: TlsConnector,
    name: ServerName<'static>,
    address: &str,
    token: &str,
) -> Result<TlsStream<TcpStream>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&SSL_REQUEST).await?;
    stream.read_exact(&mut [0]).await?;
    let mut tls = connector.connect(name, stream).await?;
    tls.write_all(&startup(Version::V3_0, [(&b"user"[..], ROLE.as_bytes())].into_iter())).await?;
    tls.write_all(&password(token.as_bytes())).await?;
    tls.flush().await?;
    let mut buffer = BytesMut::new();
    loop {
        while let Some((kind, body)) = parse(&mut buffer)? {
            ensure!(kind != b'E', "refused: {}", String::from_utf8_lossy(&body));
            if kind == b'Z' {
                return Ok(tls);
            }
        }
        ensure!(tls.read_buf(&mut buffer).await.context("reading")? > 0, "the gateway closed");
    }
}
