//! `csagent run`: the daemon.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr as UnixAddress},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cs_broker::{Broker, ChallengeDesk, ChallengeDirectory, PolicyFile, TokenIssuer};
use cs_metadata::{Callers, Metadata, ProxyHeaders, Service};
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    cli::RunArgs,
    config, database,
    facts::Live,
    failure::{Attempt, Failure, Kind},
    inherited::Inherited,
    ports, privileges,
    sources::{self, Projector},
    state::Place,
    whole::{self, Access},
};

/// The one place SDKs accept challenges from.
pub const CHALLENGES: &str = "/var/opt/azcmagent/tokens";
/// The machine's resource is read, and what is due renewed, this often: one wake-up a minute.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// Seconds between two heartbeats: how soon a copy of this machine is found out.
const BEAT_SECONDS: i64 = 295;
/// Who may have tokens, where somebody has written it.
pub const CALLERS: &str = "callers.json";
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// HIMDS on two addresses, and IMDS.
const LISTENERS_MIN: usize = 3;
/// The first token files are waited for so long before programs are told that we are ready.
const FIRST_TOKENS: Duration = Duration::from_secs(5);
/// Descriptors for everything but callers.
const DESCRIPTORS_KEPT: u64 = 32;
const DRAIN: Duration = Duration::from_secs(5);

pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
    let place = Place::new(&args.data.data);
    let named = args.sources.clone();
    let entries = sources::load(&named.clone().unwrap_or_else(|| place.at(sources::FILE)), named.is_some())?;
    let user = args.user.as_deref().map(privileges::Becoming::find).transpose()?;
    // The port first: whoever sits on it could make programs hand over a challenge (A27).
    let mut inherited = Inherited::take();
    let himds = match inherited.himds() {
        Some(listeners) => listeners,
        None => bind_both(args.himds_port).await?,
    };
    let imds = match (inherited.imds(), args.imds) {
        (Some(listener), _) => Some(listener),
        (None, Some(address)) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|e| ports::taken(address, "choose another with --imds", &e))?,
        ),
        (None, None) => None,
    };
    // Before anything is written that another agent on this directory would have written otherwise.
    let _only = place.lock_for_daemon()?;
    let bound = sources::bind(&entries, &place).await?;
    let limits = limits(harden(), himds.len() + usize::from(imds.is_some()) + bound.len());
    if let Some(user) = user {
        user.owns(place.folder())?;
        user.owns(Path::new(CHALLENGES))?;
        user.become_it()?;
    }
    let live = Arc::new(Live::new(place.clone(), !args.unconnected)?);
    let challenges = challenge_directory(place.folder())?;
    let callers = callers(args.callers.as_deref(), &place)?;
    let proxies = match config::load(&place)?.accepts_proxy_headers() {
        true => ProxyHeaders::Accepted,
        false => ProxyHeaders::Refused,
    };
    let parts = parts(&live, &challenges, callers, proxies)?;
    let shutdown = Shutdown::new();
    let addresses = Addresses {
        himds: himds.first().and_then(|l| l.local_addr().ok()),
        imds: imds.as_ref().and_then(|l| l.local_addr().ok()),
        sources: bound.iter().map(|b| (b.name().to_owned(), b.at().into())).collect(),
    };
    for listener in himds {
        let router = parts.router(Service::Himds);
        Listener::Tcp(listener).serve(Protocol::PlainTitleCase, router, limits, &shutdown);
    }
    if let Some(listener) = imds {
        let router = parts.router(Service::Imds);
        Listener::Tcp(listener).serve(Protocol::PlainTitleCase, router, limits, &shutdown);
    }
    for source in bound {
        source.serve(&parts, limits, &shutdown);
    }
    let mut status = place.status();
    status.himds = addresses.himds.map(|a| format!("http://{a}"));
    place.save_status(&status);
    let mut tokens = Projector::new(&entries);
    // Files are there when we say that we are ready, unless the site is slow.
    drop(tokio::time::timeout(FIRST_TOKENS, tokens.refresh(&place, &live, &parts)).await);
    let work = [
        tokio::spawn(refresh(Arc::clone(&live), Arc::clone(&parts), tokens, place.clone())),
        tokio::spawn(sweep(Arc::clone(&parts))),
        tokio::spawn(database::keep_fresh(place.clone())),
    ];
    announce(args.ready_file.as_deref(), &addresses, &challenges)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    notify("STOPPING=1");
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

fn parts(
    live: &Arc<Live>,
    challenges: &Path,
    callers: Arc<Callers>,
    proxy_headers: ProxyHeaders,
) -> Result<Arc<Metadata>, Failure> {
    let directory = ChallengeDirectory::open(challenges).attempt("preparing challenges")?;
    let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) =
        (Arc::new(MachineClock), Arc::new(MachineChance));
    let issuer = Arc::clone(live) as Arc<dyn TokenIssuer>;
    Ok(Arc::new(Metadata {
        broker: Arc::new(Broker::new(issuer, Arc::clone(&clock), Arc::clone(&chance))),
        desk: Arc::new(ChallengeDesk::new(directory, Arc::clone(&clock), Arc::clone(&chance))),
        facts: Arc::clone(live) as _,
        clock,
        chance,
        app_service_header: None,
        callers,
        proxy_headers,
        attester: Some(Arc::clone(live) as _),
    }))
}

/// With the policy that is named, or that lies beside the registration; a broken one is no start.
fn callers(named: Option<&Path>, place: &Place) -> Result<Arc<Callers>, Failure> {
    let beside = place.at(CALLERS);
    let path = named.or_else(|| beside.exists().then_some(beside.as_path()));
    let policy = path.map(PolicyFile::open).transpose().map_err(|why| {
        Failure::new(Kind::Usage, format!("the policy of callers: {why}"))
            .hint("docs/operating.md shows how it is written")
    })?;
    Ok(Arc::new(Callers::new(policy)))
}

struct Addresses {
    himds: Option<SocketAddr>,
    imds: Option<SocketAddr>,
    /// Name, and address or socket.
    sources: serde_json::Map<String, serde_json::Value>,
}

/// Secrets end up in no core dump (E10), and as many descriptors as we may have are had. Answers how many that is.
fn harden() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let outcome = setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .and_then(|()| getrlimit(Resource::RLIMIT_NOFILE))
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    outcome.unwrap_or_else(|error| {
        tracing::warn!(%error, "the process's limits could not be set");
        getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(now, _)| now)
    })
}

/// A24: connections leave room for files and for the way to the site, however few descriptors there are.
fn limits(descriptors: u64, listeners: usize) -> Limits {
    let limits = Limits::metadata();
    let for_each = descriptors.saturating_sub(DESCRIPTORS_KEPT) / (listeners.max(LISTENERS_MIN) as u64);
    let connections = usize::try_from(for_each).unwrap_or(usize::MAX).clamp(4, limits.connections);
    Limits { connections, ..limits }
}

async fn refresh(live: Arc<Live>, parts: Arc<Metadata>, mut tokens: Projector, place: Place) {
    let mut whose = live.client();
    let mut last_beat = 0;
    loop {
        if let Err(failure) = live.refresh().await {
            tracing::warn!(cause = failure.message, "the site did not answer for this machine");
        }
        let now = live.client();
        if now != whose {
            // Nobody is given these any more; they need not lie about either.
            parts.broker.forget_all();
            whose = now;
        }
        let seconds = MachineClock.now().seconds();
        if !(last_beat..last_beat + BEAT_SECONDS).contains(&seconds) {
            last_beat = seconds;
            if live.beat().await.is_err() {
                // A cached token is no better than a new one (C06).
                parts.broker.forget_all();
            }
        }
        parts.broker.renew_due().await;
        tokens.refresh(&place, &live, &parts).await;
        tokio::time::sleep(REFRESH_EVERY).await;
    }
}

async fn sweep(parts: Arc<Metadata>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        parts.desk.sweep();
        parts.callers.flush(MachineClock.now());
        // Nobody listens unless the unit sets WatchdogSec.
        notify("WATCHDOG=1");
    }
}

async fn bind_both(port: u16) -> Result<Vec<TcpListener>, Failure> {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let first =
        TcpListener::bind(v4).await.map_err(|e| ports::taken(v4, "choose another with --himds-port", &e))?;
    let port = first.local_addr().map_or(port, |a| a.port());
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
    match TcpListener::bind(v6).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if is_without_ipv6(&error) => Ok(vec![first]),
        Err(error) => Err(ports::taken(v6, "choose another with --himds-port", &error)),
    }
}

/// No such address, or no such family of addresses: the kernel was started without IPv6.
fn is_without_ipv6(error: &std::io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == std::io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// The place SDKs accept where it can be made and written, else below the agent's data, which serves curl alone.
fn challenge_directory(data: &Path) -> Result<PathBuf, Failure> {
    let official = PathBuf::from(CHALLENGES);
    let usable = ChallengeDirectory::make(&official).is_ok()
        && nix::unistd::access(&official, nix::unistd::AccessFlags::W_OK).is_ok();
    if usable {
        return Ok(official);
    }
    let own = data.join("tokens");
    tracing::warn!(
        challenges = %own.display(),
        "{CHALLENGES} cannot be written: SDKs look for challenges nowhere else, scripts with curl follow the header"
    );
    ChallengeDirectory::make(&own).attempt(format_args!("making {}", own.display()))?;
    Ok(own)
}

fn announce(file: Option<&Path>, addresses: &Addresses, challenges: &Path) -> Result<(), Failure> {
    if let Some(file) = file {
        let url = |address: Option<SocketAddr>| address.map(|a| format!("http://{a}"));
        write_ready(
            file,
            &serde_json::json!({
                "himds": url(addresses.himds), "imds": url(addresses.imds), "sources": addresses.sources,
                "challenge_directory": challenges, "process_id": std::process::id()
            }),
        )?;
    }
    notify("READY=1");
    Ok(())
}

pub fn write_ready(file: &Path, document: &serde_json::Value) -> Result<(), Failure> {
    whole::write(file, document.to_string().as_bytes(), Access::mode(0o644)).attempt("writing the ready file")
}

/// Tells the service manager how we are, where it asks to be told (`Type=notify`).
pub fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = std::os::unix::net::UnixDatagram::unbound().and_then(|own| match socket.as_bytes() {
        // A name in the kernel's own table, written with an at sign.
        [b'@', name @ ..] => own.send_to_addr(state.as_bytes(), &UnixAddress::from_abstract_name(name)?),
        _ => own.send_to(state.as_bytes(), &socket),
    });
    if let Err(error) = told {
        tracing::warn!(%error, state, "the service manager could not be told");
    }
}
