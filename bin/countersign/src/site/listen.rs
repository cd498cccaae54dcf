//! Binding every address before anything else is done.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::start::{Options, loopback};
use crate::failure::Failure;

/// All listeners of a site, bound and not yet serving.
pub struct Bound {
    pub https: Vec<TcpListener>,
    pub himds: Vec<TcpListener>,
    pub imds: Vec<TcpListener>,
    /// The storage emulator's address.
    pub development: Vec<TcpListener>,
    pub postgres: Vec<TcpListener>,
}

/// Where clients look for IMDS, and where it is served on hosts without that address.
const IMDS_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
const IMDS_FALLBACK_PORT: u16 = 4280;

impl Bound {
    pub async fn bind(options: &Options) -> Result<Self, Failure> {
        let https = bind_all(&options.listen, options.https_port, "--https-port").await?;
        let development = match options.development_storage {
            // Loopback only: whoever reaches it knows its key.
            Some(port) => bind_all(&loopback()[..1], port, "--development-storage=PORT").await?,
            None => Vec::new(),
        };
        let postgres = bind_each(&options.databases.listen, "--postgres").await?;
        if !options.machine {
            return Ok(Self { https, himds: Vec::new(), imds: Vec::new(), development, postgres });
        }
        let himds = bind_all(&loopback(), options.himds_port, "--himds-port").await?;
        let imds = match options.imds {
            Some(address) => bind_all(&[address.ip()], address.port(), "--imds").await?,
            None => match TcpListener::bind((IMDS_ADDRESS, 80)).await {
                Ok(listener) => vec![listener],
                Err(_) => bind_all(&[IpAddr::V4(Ipv4Addr::LOCALHOST)], IMDS_FALLBACK_PORT, "--imds").await?,
            },
        };
        Ok(Self { https, himds, imds, development, postgres })
    }

    pub fn https_port(&self) -> u16 {
        first(&self.https).map_or(0, |a| a.port())
    }

    /// The address HIMDS is reached by, IPv4 where there is one.
    pub fn himds_address(&self) -> SocketAddr {
        first(&self.himds).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 40342).into())
    }

    pub fn imds_address(&self) -> SocketAddr {
        first(&self.imds).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, IMDS_FALLBACK_PORT).into())
    }

    pub fn development_address(&self) -> Option<SocketAddr> {
        first(&self.development)
    }

    pub fn postgres_address(&self) -> Option<SocketAddr> {
        first(&self.postgres)
    }

    pub fn https_address(&self) -> Option<SocketAddr> {
        first(&self.https)
    }
}

fn first(listeners: &[TcpListener]) -> Option<SocketAddr> {
    listeners.first().and_then(|l| l.local_addr().ok())
}

/// `http://…` for a metadata address; port 80 is not written.
pub fn url(address: SocketAddr) -> String {
    match address.port() {
        80 => format!("http://{}", address.ip()),
        _ => format!("http://{address}"),
    }
}

/// Addresses with a port each; a host without IPv6 does without `::1`.
async fn bind_each(addresses: &[SocketAddr], flag: &str) -> Result<Vec<TcpListener>, Failure> {
    let Some(first) = addresses.first() else { return Ok(Vec::new()) };
    let all: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    bind_all(&all, first.port(), flag).await
}

/// The same port on every address; with port 0 the first address picks it. A host without IPv6 does without `::1`.
async fn bind_all(addresses: &[IpAddr], port: u16, flag: &str) -> Result<Vec<TcpListener>, Failure> {
    let mut port = port;
    let mut all = Vec::new();
    for &ip in addresses {
        match TcpListener::bind((ip, port)).await {
            Ok(listener) => {
                port = listener.local_addr().map_or(port, |a| a.port());
                all.push(listener);
            }
            Err(error)
                if ip.is_ipv6()
                    && error.kind() == std::io::ErrorKind::AddrNotAvailable
                    && !all.is_empty() =>
            {
                tracing::info!(%ip, "this host has no such address");
            }
            Err(error) => return Err(in_the_way(SocketAddr::new(ip, port), flag, &error)),
        }
    }
    Ok(all)
}

fn in_the_way(address: SocketAddr, flag: &str, error: &std::io::Error) -> Failure {
    let failure = Failure::failed(format!("listening on {address}: {error}"));
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.hint(format!("another process has this port: stop it, or choose another with {flag}"))
        }
        std::io::ErrorKind::PermissionDenied => {
            failure.hint(format!("ports below 1024 need root: choose another with {flag}"))
        }
        _ => failure,
    }
}
