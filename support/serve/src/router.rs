//! From a connection's request to the surface its host names.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use cs_names::{Address, SiteNames, Surface as Place};
use cs_time::{Chance, Clock, Timestamp};
use http::{HeaderValue, StatusCode, header};
use uuid::Uuid;

use crate::{Request, Response, single, text};

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// `None` over a unix socket.
    pub address: Option<SocketAddr>,
    /// The address the connection was accepted on.
    pub local: Option<SocketAddr>,
    pub tls: bool,
    /// Of this connection and no other of this process: ports are used again.
    pub connection: u64,
}

/// What is known of a request beside itself.
#[derive(Debug, Clone)]
pub struct Context {
    pub peer: Peer,
    /// `x-ms-request-id`.
    pub request_id: Uuid,
    pub started: Timestamp,
    /// How to write URLs back to this caller.
    pub address: Address,
    /// The surface the host names, with the vault's or account's label.
    pub place: Place,
}

/// Answers every request of a listener.
#[async_trait]
pub trait Router: Send + Sync + 'static {
    async fn answer(&self, request: Request, peer: Peer) -> Response;
}

/// One protocol.
#[async_trait]
pub trait Surface: Send + Sync + 'static {
    async fn serve(&self, request: Request, context: Context) -> Response;
}

/// Routes by `Host` (HTTP/2: `:authority`). An unknown host gets 421; no path is touched.
pub struct HostRouter {
    pub names: SiteNames,
    /// The port to write into URLs where the caller's `Host` has none is 443.
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub dates: Dates,
    pub login: Arc<dyn Surface>,
    pub management: Arc<dyn Surface>,
    pub graph: Arc<dyn Surface>,
    pub console: Arc<dyn Surface>,
    pub vault: Arc<dyn Surface>,
    pub blob: Arc<dyn Surface>,
}

#[async_trait]
impl Router for HostRouter {
    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let Some((host, port)) = host_of(&request) else {
            return text(StatusCode::BAD_REQUEST, "The request names no host.");
        };
        let Some(place) = self.names.route(&host) else {
            return text(StatusCode::MISDIRECTED_REQUEST, "This host name is not served here.");
        };
        let surface = match &place {
            Place::Login => &self.login,
            Place::Management => &self.management,
            Place::Graph => &self.graph,
            Place::Console => &self.console,
            Place::Vault(_) => &self.vault,
            Place::Blob { .. } => &self.blob,
            // A name of the database gateway, which speaks no HTTP.
            Place::Database(_) => {
                return text(StatusCode::MISDIRECTED_REQUEST, "This host name is not served here.");
            }
        };
        let started = self.clock.now();
        let context = Context {
            peer,
            // The correlation id of who sends none, and so a key in the audit log.
            request_id: self.chance.uuid_at(started),
            started,
            address: Address::new(self.names.clone(), port),
            place,
        };
        let mut response = surface.serve(request, context).await;
        response.headers_mut().entry(header::DATE).or_insert_with(|| self.dates.at(self.clock.now()));
        response
    }
}

/// The `Date` header, written once a second.
#[derive(Default)]
pub struct Dates(Mutex<Option<(i64, HeaderValue)>>);

impl Dates {
    fn at(&self, now: Timestamp) -> HeaderValue {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((second, written)) if *second == now.seconds() => written.clone(),
            _ => {
                let written = HeaderValue::from_str(&now.rfc1123()).unwrap_or(HeaderValue::from_static(""));
                *last = Some((now.seconds(), written.clone()));
                written
            }
        }
    }
}

/// Host and port of a request, from the URI (HTTP/2, absolute form) or the one `Host` header.
fn host_of(request: &Request) -> Option<(String, u16)> {
    let authority = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => single(request.headers(), header::HOST).ok()??.parse().ok()?,
    };
    if authority.as_str().contains('@') {
        return None;
    }
    Some((authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(443)))
}
