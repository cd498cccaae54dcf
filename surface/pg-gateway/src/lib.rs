//! The database gateway: PostgreSQL's protocol, with an access token where a password belongs (postgres.md).
//!
//! A connection's way: [`opening`] takes it through TLS to its start-up packet; [`login`] asks for the password, checks
//! the token offline as every surface does, and finds the rule that gives the caller the role it asks for;
//! [`backend`] logs in to the server **as that role** (never by `SET ROLE`, which a client could undo) with a client
//! certificate that lives for minutes, or by peer on a local socket; from there on [`splice`] moves bytes untouched.
//! Nothing reaches a server before the identity is proven.
//!
//! [`sessions`] knows every open session: by it cancel requests find their server, and sessions end when their
//! identity is disabled, their rule is gone or (if the server says so) their token has run out.

mod backend;
mod cancel;
mod certificates;
mod crowd;
mod knowledge;
mod login;
mod opening;
mod refusal;
mod sessions;
mod splice;
mod streams;
mod watch;
mod workers;

use std::{collections::HashMap, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use cs_audit::Audit;
use cs_authority::TokenCheck;
use cs_names::SiteNames;
use cs_pki::PkiError;
use cs_serve::Shutdown;
use cs_time::{Chance, Clock};
use tokio::net::TcpListener;

pub use crate::knowledge::{Knowledge, OwnSite, Unknown};
use crate::{certificates::Certificates, crowd::Crowd, sessions::Sessions, workers::Workers};

/// What the gateway stands on.
pub struct GatewayParts {
    pub knowledge: Arc<dyn Knowledge>,
    pub tokens: Arc<dyn TokenCheck>,
    pub audit: Arc<Audit>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub names: SiteNames,
    /// See [`cs_pki::database_server_config`].
    pub tls: Arc<rustls::ServerConfig>,
    /// Servers that stand on a socket of this host, by name: the operator of the gateway says so, not the server's
    /// resource, because a server trusts whoever comes by the socket as the gateway's user.
    pub sockets: HashMap<String, PathBuf>,
    pub limits: Limits,
}

/// Bounds of the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first byte to the open session, as PostgreSQL's `authentication_timeout`.
    pub opening: Duration,
    /// Sessions at once.
    pub sessions: usize,
    /// Connections of one address that have not logged in.
    pub unproven_per_address: usize,
    /// Failed logins of one address in a minute after which each waits; ten times as many are refused.
    pub failures_per_minute: usize,
    /// How long they wait.
    pub weary: Duration,
    /// When the gateway stops, sessions in a transaction have this long to finish it.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            opening: Duration::from_secs(60),
            sessions: 10_000,
            unproven_per_address: 512,
            failures_per_minute: 100,
            weary: Duration::from_secs(1),
            drain: Duration::from_secs(5),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    parts: GatewayParts,
    certificates: Certificates,
    sessions: Sessions,
    crowd: Crowd,
    /// Who guesses keys of cancel requests.
    guesses: Crowd,
    /// Where the site's parts live: what asks the store runs there, whichever thread moves the session's bytes.
    home: tokio::runtime::Handle,
}

/// When the process is out of file descriptors, accepting is tried again after this pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves bound listeners until shutdown begins. To be called inside the site's runtime.
///
/// # Errors
/// [`PkiError`] when no client key can be made, [`io::Error`] when no thread can be started.
pub fn serve(
    parts: GatewayParts,
    listeners: Vec<TcpListener>,
    shutdown: &Shutdown,
) -> Result<(), StartError> {
    let limits = parts.limits;
    let shared = Arc::new(Shared {
        certificates: Certificates::new()?,
        sessions: Sessions::new(limits.sessions),
        crowd: Crowd::new(limits.unproven_per_address, limits.failures_per_minute),
        guesses: Crowd::new(0, limits.failures_per_minute),
        home: tokio::runtime::Handle::current(),
        parts,
    });
    let workers = Arc::new(Workers::start()?);
    for listener in listeners {
        let (shared, workers, until) = (Arc::clone(&shared), Arc::clone(&workers), shutdown.clone());
        shutdown.spawn(async move {
            tokio::select! {
                () = until.begun() => {}
                () = accept(&listener, &shared, &workers) => {}
            }
            drop(listener);
            shared.sessions.drain(limits.drain).await;
        });
    }
    let until = shutdown.clone();
    shutdown.spawn(async move {
        tokio::select! {
            () = until.begun() => {}
            () = watch::watch(&shared) => {}
        }
    });
    Ok(())
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("making the gateway's key")]
    Key(#[from] PkiError),
    #[error("starting the gateway's threads")]
    Thread(#[from] io::Error),
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, workers: &Workers) {
    loop {
        match listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => {
                // Too many of one address that have not said who they are: no word, as to a port scan.
                let Some(place) = shared.crowd.enter(peer.ip()) else { continue };
                let shared = Arc::clone(shared);
                workers.spawn(async move { converse(stream, peer, place, shared).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: std::net::TcpStream, peer: SocketAddr, place: crowd::Place, shared: Arc<Shared>) {
    // In a box of its own that goes when the session is open: what logging in needs is many times what an idle
    // session needs.
    let opened = Box::pin(opening::open(stream, peer, place, Arc::clone(&shared))).await;
    if let Some(session) = opened {
        session.run().await;
    }
}
