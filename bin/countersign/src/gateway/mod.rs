//! `countersign gateway`: the database gateway in a process of its own, next to the database.
//!
//! It authenticates at the site as an identity that a role lets be a gateway of the server ([`client`]), hears what is
//! true there at once ([`heard`]), and decides by that alone: tokens offline, rules and standing from memory. What the
//! site has not confirmed for ten seconds is not decided (57P03). It holds no key of the site's: certificates for roles
//! are signed there, one a role, for minutes.

mod client;
mod heard;
mod tls;

use std::{path::PathBuf, sync::Arc};

use cs_audit::Audit;
use cs_names::SiteNames;
use cs_pg_gateway::{GatewayParts, Limits};
use cs_serve::Shutdown;
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use tokio::net::TcpListener;

pub use self::{client::Access, tls::OwnFiles};
use self::{client::SiteClient, heard::Heard, tls::ServerTls};
use crate::failure::{Attempt, Failure, Kind};

pub struct Options {
    pub access: Access,
    /// The server's resource id.
    pub server: String,
    pub listeners: Vec<TcpListener>,
    /// Where PostgreSQL is, if on a socket of this host.
    pub socket: Option<PathBuf>,
    pub files: Option<OwnFiles>,
}

/// A running gateway; to be stopped with its `shutdown`.
pub struct Gateway {
    pub shutdown: Shutdown,
    /// The server's host name.
    pub host: String,
    audit: Arc<Audit>,
    work: Vec<tokio::task::JoinHandle<()>>,
}

pub async fn start(options: Options) -> Result<Gateway, Failure> {
    let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) =
        (Arc::new(MachineClock), Arc::new(MachineChance));
    let client = Arc::new(SiteClient::new(options.access, &options.server).await?);
    let heard = Arc::new(Heard::new(Arc::clone(&client), Arc::clone(&clock)));
    heard.ask_now(&[]).await?;
    let host = heard.host().ok_or_else(|| Failure::failed("the site named no host for the server"))?;
    let tls = Arc::new(ServerTls::open(options.files, &host, &client).await?);
    let audit = Arc::new(Audit::new(Arc::clone(&client) as _));
    let label = heard.label().unwrap_or_default();
    let parts = GatewayParts {
        knowledge: Arc::clone(&heard) as _,
        tokens: heard.tokens(),
        audit: Arc::clone(&audit),
        clock,
        chance,
        names: names_of(&host, &label)?,
        tls: cs_pki::database_server_config(Arc::clone(&tls) as _).attempt("preparing TLS")?,
        sockets: options.socket.into_iter().map(|socket| (label.clone(), socket)).collect(),
        limits: Limits::default(),
    };
    let shutdown = Shutdown::new();
    cs_pg_gateway::serve(parts, options.listeners, &shutdown).attempt("starting the database gateway")?;
    let writer = Arc::clone(&audit);
    let renewed = (Arc::clone(&tls), Arc::clone(&client), host.clone());
    let work = vec![
        tokio::spawn(async move { heard.listen().await }),
        tokio::spawn(async move { writer.run().await }),
        tokio::spawn(async move { renewed.0.renew(&renewed.2, &renewed.1).await }),
    ];
    Ok(Gateway { shutdown, host, audit, work })
}

impl Gateway {
    /// Lets sessions come to their end, and tells the site what it has not heard of.
    pub async fn stop(self, at_most: std::time::Duration) {
        self.shutdown.begin();
        self.shutdown.drained(at_most).await;
        for task in &self.work {
            task.abort();
        }
        if let Err(error) = self.audit.flush().await {
            tracing::error!(%error, "logins are missing in the site's audit log");
        }
    }
}

/// The site's names, by the host of one of its servers.
fn names_of(host: &str, label: &str) -> Result<SiteNames, Failure> {
    let below = host.strip_prefix(label).and_then(|rest| rest.strip_prefix('.')).unwrap_or(host);
    let azure = SiteNames::azure();
    if below == azure.postgres() {
        return Ok(azure);
    }
    let suffix = below.strip_prefix("postgres.").unwrap_or(below);
    SiteNames::under(suffix)
        .map_err(|bad| Failure::new(Kind::Failed, format!("the site's name {suffix} cannot be used: {bad}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_names_follow_from_the_servers() {
        let names = names_of("lab.postgres.s.example", "lab").unwrap();
        assert_eq!(names.postgres_host("db2"), "db2.postgres.s.example");
        assert!(names_of("lab.postgres.database.azure.com", "lab").unwrap().is_cloud());
    }
}
