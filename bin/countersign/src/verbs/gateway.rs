//! `countersign gateway`: see [`crate::gateway`].

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use cs_ids::TenantId;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    failure::{Attempt, Failure, Kind},
    gateway::{self, Access, Options, OwnFiles},
    site::{data, databases},
};

/// Sessions in a transaction have five seconds to finish it; a little more for their last words.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct GatewayArgs {
    /// The site's resource manager
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_SITE")]
    site: String,
    /// Whom to trust beside the system's roots
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Resource id of the database server
    #[arg(long, value_name = "ID", env = "COUNTERSIGN_SERVER")]
    server: String,
    #[arg(long, value_name = "UUID", env = "COUNTERSIGN_TENANT_ID")]
    tenant_id: TenantId,
    /// The gateway's own identity: an application that a role lets be a gateway of the server
    #[arg(long, value_name = "UUID", env = "COUNTERSIGN_CLIENT_ID")]
    client_id: String,
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CLIENT_SECRET_FILE")]
    client_secret_file: PathBuf,
    /// Where clients connect
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "COUNTERSIGN_GATEWAY_POSTGRES",
        default_value = "0.0.0.0:5432"
    )]
    postgres: SocketAddr,
    /// PostgreSQL's socket on this host [default: the server's `backend`]
    #[arg(long, value_name = "DIR[:PORT]", env = "COUNTERSIGN_GATEWAY_POSTGRES_SOCKET")]
    postgres_socket: Option<String>,
    /// A certificate of your own, PEM [default: signed by the site for the server's name]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Written once it answers, removed at exit (no variable: inside `run` that names the site's)
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
pub async fn gateway(args: GatewayArgs) -> Result<ExitCode, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
    let ca = args.ca_file.as_ref().map(std::fs::read).transpose().attempt("reading --ca-file")?;
    let listener = TcpListener::bind(args.postgres)
        .await
        .attempt(format_args!("listening on {}, the address of --postgres", args.postgres))?;
    let address = listener.local_addr().attempt("listening")?;
    databases::allow_many_files();
    let site = args.site.trim_end_matches('/').to_owned();
    if !site.starts_with("https://") {
        return Err(Failure::new(Kind::Usage, format!("--site {site}: a site is reached over https only")));
    }
    let options = Options {
        access: Access {
            site,
            ca,
            tenant: args.tenant_id,
            client_id: args.client_id,
            secret_file: args.client_secret_file,
        },
        server: args.server.trim_end_matches('/').to_owned(),
        listeners: vec![listener],
        socket: args.postgres_socket.as_deref().map(databases::socket_path).transpose()?,
        files: args.tls_certificate.zip(args.tls_key).map(|(certificate, key)| OwnFiles { certificate, key }),
    };
    let running = gateway::start(options).await?;
    eprintln!("countersign: gateway of {} on {address}", running.host);
    if let Some(file) = &args.ready_file {
        let text = serde_json::json!({"postgres": address.to_string(), "host": running.host,
            "process_id": std::process::id()});
        data::write_whole(file, text.to_string().as_bytes(), 0o644)?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if let Some(file) = &args.ready_file {
        drop(std::fs::remove_file(file));
    }
    running.stop(DRAIN).await;
    Ok(ExitCode::SUCCESS)
}
