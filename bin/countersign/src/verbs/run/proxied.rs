//! `countersign run` where the kernel refuses namespaces: the command runs on this machine, finds the site by variables,
//! and reaches its names through a CONNECT proxy on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
};

use cs_sandbox::{Reach, proxy};
use tokio::net::TcpListener;

use super::{HIMDS, HTTPS, SiteSource, errand, exit_code};
use crate::{
    cli::{RunArgs, Source},
    failure::{Attempt, Failure},
    site::{
        ready::Ready,
        start::{self, Options, Running},
    },
    verbs::env::environment,
};

/// What `COUNTERSIGN_INSIDE_RUN` is here.
pub const PROXIED: &str = "proxy";

#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
pub fn say_what_lacks(why: &str, hint: Option<&str>) {
    eprintln!("countersign: note: no private machine for the command: {}", cs_telemetry::one_line(why));
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    eprintln!(
        "countersign: note: it runs on this machine instead, with HTTPS_PROXY and the CA's variables set; programs \
         that read neither do not find the site, and nothing answers at 169.254.169.254"
    );
}

pub async fn run(args: RunArgs, source: SiteSource, scratch: &Path) -> Result<ExitCode, Failure> {
    let zone = source.zone();
    let (running, ready) = site(&args, source).await?;
    let listening = SocketAddr::from((Ipv4Addr::LOCALHOST, ready.https_port));
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.attempt("listening for the proxy")?;
    let url = format!("http://{}", door.local_addr().attempt("listening for the proxy")?);
    let proxying = tokio::spawn(proxy::serve(door, zone, listening));
    let ready = ready.reached_at(HTTPS);
    let environment = environment(&ready, &Reach::Proxy { url }, Source::Auto)?;
    let outcome = errand(&args, &ready, scratch, environment.settings(), PROXIED)?.run().await;
    proxying.abort();
    if let Some(running) = running {
        running.stop().await;
    }
    Ok(exit_code(outcome))
}

/// The site that runs already on the data directory, or one for this command on ports that are free.
async fn site(args: &RunArgs, source: SiteSource) -> Result<(Option<Running>, Ready), Failure> {
    let (data, names) = match source {
        SiteSource::Lent(lent) => return Ok((None, lent.ready)),
        SiteSource::Own { data, names } => (data, names),
    };
    let options = Options {
        listen: vec![Ipv4Addr::LOCALHOST.into()],
        himds_port: if is_free(HIMDS).await { HIMDS } else { 0 },
        machine_name: args.machine.clone(),
        ..Options::on_free_ports(names)
    };
    let running = start::start(*data, options).await?;
    let ready = running.ready().clone();
    Ok((Some(running), ready))
}

/// Scripts have HIMDS's usual port written down; with an agent on this machine another one must do.
async fn is_free(port: u16) -> bool {
    for address in start::loopback() {
        if TcpListener::bind((address, port)).await.is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse)
        {
            return false;
        }
    }
    true
}
