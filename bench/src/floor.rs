//! The HTTP floor: our listener and TLS, and behind them nothing but "hello", or a file.
//!
//! It runs as a process of its own (`cs-bench --floor KIND DIR`), as the site does, so that its processor time can be
//! read and it shares the machine with the client as the site does.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use async_trait::async_trait;
use cs_names::SiteNames;
use cs_pki::{CertificateAuthority, Leaves, server_config};
use cs_serve::{Limits, Listener, Peer, Protocol, Request, Response, Router, Shutdown, full, stream, text};
use cs_time::{Clock, MachineClock};
use futures_util::StreamExt;
use http::{StatusCode, header};
use tokio_util::io::ReaderStream;

use crate::{
    load::{Target, trusting},
    process::Process,
};

const SUFFIX: &str = "floor.localhost";
const CHUNK: usize = 256 * 1024;

/// A running floor.
pub struct Floor {
    pub process: Process,
    pub target: Target,
    _folder: tempfile::TempDir,
}

/// Starts one; `file` is what it gives out at `/file`.
pub fn start(tls: bool, file: &[u8]) -> Result<Floor> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("file"), file)?;
    let kind = if tls { "tls" } else { "plain" };
    let child = Command::new(std::env::current_exe()?).args(["--floor", kind]).arg(folder.path()).spawn()?;
    let mut process = Process::new(child);
    let port = process.wait_for(&folder.path().join("port"), Duration::from_secs(5))?;
    let tls = tls.then(|| trusting(&folder.path().join("ca.pem"))).transpose()?;
    let address = ([127, 0, 0, 1], port.trim().parse()?).into();
    Ok(Floor { process, target: Target { address, host: format!("login.{SUFFIX}"), tls }, _folder: folder })
}

/// The floor's own process; ends when it is killed.
pub fn serve(tls: bool, folder: &Path) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let protocol = if tls { https(folder)? } else { Protocol::PlainTitleCase };
        let router = Arc::new(Hello(folder.join("file")));
        let shutdown = Shutdown::new();
        Listener::Tcp(listener).serve(protocol, router, Limits::default(), &shutdown);
        let unfinished = folder.join("port.new");
        std::fs::write(&unfinished, port.to_string())?;
        std::fs::rename(&unfinished, folder.join("port"))?;
        shutdown.begun().await;
        Ok(())
    })
}

fn https(folder: &Path) -> Result<Protocol> {
    let names = SiteNames::under(SUFFIX)?;
    let clock: Arc<dyn Clock> = Arc::new(MachineClock);
    let (ca, pem, _) = CertificateAuthority::make("Floor", &names.subtrees(), clock.now())?;
    std::fs::write(folder.join("ca.pem"), pem)?;
    Ok(Protocol::Https(server_config(Arc::new(Leaves::new(ca, names, clock)?))?))
}

struct Hello(std::path::PathBuf);

#[async_trait]
impl Router for Hello {
    async fn answer(&self, request: Request, _peer: Peer) -> Response {
        if request.uri().path() != "/file" {
            return http::Response::new(full("hello, world"));
        }
        match give(&self.0).await {
            Ok(response) => response,
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
        }
    }
}

async fn give(path: &Path) -> Result<Response> {
    let file = tokio::fs::File::open(path).await.context("opening the file")?;
    let length = file.metadata().await?.len();
    let chunks = ReaderStream::with_capacity(file, CHUNK).map(|chunk| chunk.map_err(Into::into));
    let response = http::Response::builder().header(header::CONTENT_LENGTH, length);
    Ok(response.body(stream(chunks))?)
}
