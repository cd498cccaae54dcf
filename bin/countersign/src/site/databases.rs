//! The database gateway of a site: its settings, and the gateway put together.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use cs_arm::Gateways;
use cs_authority::Authority;
use cs_databases::Databases;
use cs_ids::{ServerName, TenantId};
use cs_names::SiteNames;
use cs_pg_gateway::{GatewayParts, Limits, OwnSite};
use cs_pki::{ClientAuthority, ClientRequest, Leaves};
use cs_seal::Key;
use cs_serve::Shutdown;
use cs_time::Timestamp;
use cs_vault::data_key_place;
use cs_wire_arm::GatewayKey;
use tokio::net::TcpListener;

use super::{compose::Site, joints::Wrapping};
use crate::{
    cli::PostgresArgs,
    failure::{Attempt, Failure, Kind},
};

/// Whether and where a site serves databases.
#[derive(Default)]
pub struct Options {
    pub listen: Vec<SocketAddr>,
    /// Servers on sockets of this host, by name.
    pub sockets: HashMap<String, PathBuf>,
}

/// PostgreSQL names its sockets by port (`.s.PGSQL.5432`).
const DEFAULT_PORT: u16 = 5432;

impl Options {
    /// Reads the flags; `always` are the addresses where the gateway stands without being asked for.
    pub fn read(args: &PostgresArgs, always: Vec<SocketAddr>) -> Result<Self, Failure> {
        let sockets = args.postgres_socket.iter().map(|text| socket(text)).collect::<Result<_, _>>()?;
        Ok(Self { listen: args.postgres.map_or(always, |address| vec![address]), sockets })
    }
}

/// `SERVER=DIRECTORY[:PORT]`.
fn socket(text: &str) -> Result<(String, PathBuf), Failure> {
    let bad = |why: &str| Failure::new(Kind::Usage, format!("--postgres-socket {text}: {why}"));
    let (name, place) = text.split_once('=').ok_or_else(|| bad("not SERVER=DIRECTORY[:PORT]"))?;
    let name: ServerName = name.parse().map_err(|e: cs_ids::BadName| bad(&e.to_string()))?;
    Ok((name.key(), path_of(place).map_err(bad)?))
}

/// `DIRECTORY[:PORT]`.
pub fn socket_path(text: &str) -> Result<PathBuf, Failure> {
    path_of(text).map_err(|why| Failure::new(Kind::Usage, format!("--postgres-socket {text}: {why}")))
}

fn path_of(place: &str) -> Result<PathBuf, &'static str> {
    let (directory, port) = match place.rsplit_once(':') {
        Some((directory, port)) => (directory, port.parse::<u16>().map_err(|_| "the port is no number")?),
        None => (place, DEFAULT_PORT),
    };
    let directory = PathBuf::from(directory);
    if !directory.is_absolute() {
        return Err("the directory is not absolute");
    }
    Ok(directory.join(format!(".s.PGSQL.{port}")))
}

/// Serves the bound listeners; without any there is no gateway.
pub fn serve(
    site: &Site,
    names: &SiteNames,
    leaves: &Arc<Leaves>,
    (listeners, sockets): (Vec<TcpListener>, HashMap<String, PathBuf>),
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    if listeners.is_empty() {
        return Ok(());
    }
    allow_many_files();
    let parts = GatewayParts {
        knowledge: Arc::new(OwnSite {
            databases: site.databases(),
            access: Arc::clone(&site.access),
            clock: Arc::clone(&site.clock),
            chance: Arc::clone(&site.chance),
        }),
        tokens: Arc::clone(&site.authority) as _,
        audit: site.audit(),
        clock: Arc::clone(&site.clock),
        chance: Arc::clone(&site.chance),
        names: names.clone(),
        tls: cs_pki::database_server_config(Arc::clone(leaves) as _).attempt("preparing TLS")?,
        sockets,
        limits: Limits::default(),
    };
    cs_pg_gateway::serve(parts, listeners, shutdown).attempt("starting the database gateway")
}

impl Site {
    pub(super) fn databases(&self) -> Arc<Databases> {
        let (store, keys) = (&self.store, Arc::clone(&self.wrapping));
        Arc::new(Databases::new(Arc::clone(store) as _, Arc::clone(store) as _, keys))
    }
}

/// A session holds two sockets, and a shell's usual limit of 1,024 files would end at 500 of them.
pub fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::info!(%error, "the limit of open files stays as it was");
    }
}

impl Wrapping {
    fn opened(&self, tenant: TenantId, wrapped: &[u8]) -> Option<Key> {
        self.tenant_keys.get(&tenant)?.unwrap(&data_key_place(tenant), wrapped).ok()
    }

    /// The certificate of a new server's client authority, whose key comes of the server's data key.
    pub(super) fn authority_of(
        &self,
        tenant: TenantId,
        wrapped: &[u8],
        server: &ServerName,
        now: Timestamp,
    ) -> Option<String> {
        let key = self.opened(tenant, wrapped)?;
        ClientAuthority::make(key.expose(), server.as_str(), now)
            .inspect_err(|error| tracing::error!(%error, "a client authority could not be made"))
            .ok()
    }
}

/// What gateways in processes of their own are told, and signed.
pub struct ForGateways {
    authority: Arc<Authority>,
    leaves: OnceLock<Arc<Leaves>>,
}

impl ForGateways {
    pub fn new(authority: Arc<Authority>) -> Self {
        Self { authority, leaves: OnceLock::new() }
    }

    /// The CA of the site's names, once it is open.
    pub fn sign_with(&self, leaves: &Arc<Leaves>) {
        drop(self.leaves.set(Arc::clone(leaves)));
    }
}

impl Gateways for ForGateways {
    fn issuers(&self) -> Vec<String> {
        self.authority.issuer_names()
    }

    fn keys(&self, tenant: TenantId) -> Vec<GatewayKey> {
        let keys = self.authority.published_keys(tenant).into_iter();
        keys.filter_map(|key| Some(GatewayKey { kid: key.kid, n: key.jwk.n?, e: key.jwk.e? })).collect()
    }

    fn certificate(&self, host: &str, request: &ClientRequest) -> Option<String> {
        self.leaves
            .get()?
            .certify(host, request)
            .inspect_err(|error| tracing::error!(%error, "a gateway's certificate could not be signed"))
            .ok()
    }
}

impl cs_databases::DataKeys for Wrapping {
    fn open(&self, tenant: TenantId, wrapped: &[u8]) -> Option<Key> {
        self.opened(tenant, wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_named_as_postgresql_names_them() {
        let read = |text: &str| socket(text).map(|(n, p)| (n, p.display().to_string())).ok();
        let found = |name: &str, path: &str| Some((name.to_owned(), path.to_owned()));
        assert_eq!(read("lab=/run/postgresql"), found("lab", "/run/postgresql/.s.PGSQL.5432"));
        assert_eq!(read("lab=/tmp/x:5433"), found("lab", "/tmp/x/.s.PGSQL.5433"));
        for bad in ["lab", "lab=run", "l=/run", "Lab=/run", "lab=/run:x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
