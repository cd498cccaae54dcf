//! `csagent run`: the daemon.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cs_broker::{Broker, ChallengeDesk, ChallengeDirectory};
use cs_metadata::{Metadata, Service};
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    cli::RunArgs,
    facts::Live,
    failure::{Attempt, Failure},
    site::SiteIssuer,
    state::Place,
};

/// The one place SDKs accept challenges from.
const CHALLENGES: &str = "/var/opt/azcmagent/tokens";
/// The machine's resource is read, and what is due renewed, this often: one wake-up a minute.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
const SWEEP_EVERY: Duration = Duration::from_secs(15);
const DRAIN: Duration = Duration::from_secs(5);

pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
    // The port first: whoever sits on it could make programs hand over a challenge (A27).
    let himds = bind_both(args.himds_port).await?;
    let place = Place::new(&args.data.data);
    let state = place.connected()?;
    let issuer = Arc::new(SiteIssuer::new(&state, place.key()?)?);
    let challenges = challenge_directory(place.folder())?;
    let directory = ChallengeDirectory::open(&challenges).attempt("preparing challenges")?;
    let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) =
        (Arc::new(MachineClock), Arc::new(MachineChance));
    let live = Arc::new(Live::new(place, state, Arc::clone(&issuer))?);
    let parts = Arc::new(Metadata {
        broker: Arc::new(Broker::new(issuer, Arc::clone(&clock), Arc::clone(&chance))),
        desk: Arc::new(ChallengeDesk::new(directory, Arc::clone(&clock), Arc::clone(&chance))),
        facts: Arc::clone(&live) as _,
        clock,
        chance,
        app_service_header: None,
    });
    let shutdown = Shutdown::new();
    let address = himds.first().and_then(|l| l.local_addr().ok());
    for listener in himds {
        let router = parts.router(Service::Himds);
        Listener::Tcp(listener).serve(Protocol::PlainTitleCase, router, Limits::metadata(), &shutdown);
    }
    if let Some(imds) = args.imds {
        let listener = TcpListener::bind(imds).await.attempt(format_args!("listening on {imds}"))?;
        let router = parts.router(Service::Imds);
        Listener::Tcp(listener).serve(Protocol::PlainTitleCase, router, Limits::metadata(), &shutdown);
    }
    let work = [
        tokio::spawn(refresh(Arc::clone(&live), Arc::clone(&parts))),
        tokio::spawn(sweep(Arc::clone(&parts))),
    ];
    announce(args.ready_file.as_deref(), address, &challenges)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if let Some(file) = &args.ready_file {
        drop(std::fs::remove_file(file));
    }
    for task in work {
        task.abort();
    }
    shutdown.begin();
    shutdown.drained(DRAIN).await;
    Ok(())
}

async fn refresh(live: Arc<Live>, parts: Arc<Metadata>) {
    loop {
        if let Err(failure) = live.refresh().await {
            tracing::warn!(cause = failure.message, "the site did not answer for this machine");
        }
        parts.broker.renew_due().await;
        tokio::time::sleep(REFRESH_EVERY).await;
    }
}

async fn sweep(parts: Arc<Metadata>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        parts.desk.sweep();
    }
}

async fn bind_both(port: u16) -> Result<Vec<TcpListener>, Failure> {
    let taken = |address: SocketAddr, error: &std::io::Error| {
        let failure = Failure::failed(format!("listening on {address}: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                failure.hint("another process has this port; it may be an impostor: find it with `ss -ltnp`")
            }
            _ => failure,
        }
    };
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let first = TcpListener::bind(v4).await.map_err(|e| taken(v4, &e))?;
    let port = first.local_addr().map_or(port, |a| a.port());
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
    match TcpListener::bind(v6).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => Ok(vec![first]),
        Err(error) => Err(taken(v6, &error)),
    }
}

/// The place SDKs accept where it can be made and written, else below the agent's data, which serves curl alone.
fn challenge_directory(data: &Path) -> Result<PathBuf, Failure> {
    let official = PathBuf::from(CHALLENGES);
    let usable = |path: &Path| {
        let made = path.is_dir() || std::fs::create_dir_all(path).is_ok();
        made && nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
    };
    if usable(&official) {
        return Ok(official);
    }
    let own = data.join("tokens");
    std::fs::create_dir_all(&own).attempt(format_args!("making {}", own.display()))?;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o750))
        .attempt("setting the mode of the challenge directory")?;
    Ok(own)
}

fn announce(file: Option<&Path>, address: Option<SocketAddr>, challenges: &Path) -> Result<(), Failure> {
    if let (Some(file), Some(address)) = (file, address) {
        let text = serde_json::json!({
            "himds": format!("http://{address}"), "challenge_directory": challenges, "process_id": std::process::id()
        });
        let temporary = file.with_extension("new");
        std::fs::write(&temporary, text.to_string()).attempt("writing the ready file")?;
        std::fs::rename(&temporary, file).attempt("writing the ready file")?;
    }
    notify();
    Ok(())
}

/// Tells the service manager that we are ready, where it asks to be told (`Type=notify`).
fn notify() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = std::os::unix::net::UnixDatagram::unbound()
        .and_then(|s| s.send_to(b"READY=1", PathBuf::from(socket)));
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager could not be told that the agent is ready");
    }
}
