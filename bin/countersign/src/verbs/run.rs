//! `countersign run`: a command as if on a connected machine.
//!
//! The process enters namespaces of its own while it has one thread, starts the site there on the ports and names
//! clients expect (or bridges to the one that already runs on the data directory), and runs the command beside it.
//! Where the kernel refuses namespaces, the command runs on this machine with a proxy (`proxied`).

mod proxied;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use cs_names::SiteNames;
use cs_sandbox::{
    CHALLENGE_DIRECTORY, Errand, ErrandError, Outcome, Plan, Reach, Sandbox, Setting, Zone, bridge, dns,
};
use tokio::{net::TcpListener, task::JoinSet};

pub use self::proxied::PROXIED;
use super::env::environment;
use crate::{
    cli::{Cloud, RunArgs, Source},
    failure::{Attempt, Failure, Kind, chain, report},
    site::{
        data::{self, DataDirectory},
        databases,
        lent::{self, Lent},
        ready::Ready,
        start::{self, Options, Running},
        trust,
    },
};

/// Where clients inside look for IMDS.
pub const IMDS_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
const HTTPS: u16 = 443;
const HIMDS: u16 = 40342;
const POSTGRES: u16 = 5432;

pub fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    let directory = data::path_of(args.data.data.as_deref())?;
    let scratch = Scratch::make()?;
    let source = SiteSource::find(&directory, &args)?;
    let plan = Plan {
        directory: scratch.0.clone(),
        ca_bundle: source.ca_bundle(&scratch.0)?,
        tokens: source.tokens(&scratch.0)?,
        names: source.names().fixed_hosts(),
        agent_file: true,
    };
    let sandbox = Sandbox::enter(&plan);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().attempt("starting the runtime")?;
    match sandbox {
        Ok(sandbox) => runtime.block_on(inside(args, source, &sandbox, &scratch.0)),
        Err(error) if error.untouched() => {
            proxied::say_what_lacks(&chain(&error), error.hint().as_deref());
            runtime.block_on(proxied::run(args, source, &scratch.0))
        }
        Err(error) => {
            Err(Failure::failed(format!("making a private machine for the command: {}", chain(&error))))
        }
    }
}

/// Where the site of this run comes from.
enum SiteSource {
    /// Started here, for the command.
    Own { data: Box<DataDirectory>, names: SiteNames },
    /// Runs already on the data directory and lends its listeners.
    Lent(Box<Lent>),
}

impl SiteSource {
    fn find(directory: &Path, args: &RunArgs) -> Result<Self, Failure> {
        let names = match args.cloud {
            Some(Cloud::Azure) => SiteNames::azure(),
            None => SiteNames::under("countersign.localhost").attempt("using the default suffix")?,
        };
        let refused = match DataDirectory::open(directory) {
            Ok(data) => return Ok(Self::Own { data: Box::new(data), names }),
            Err(failure) => failure,
        };
        let Some(lent) = lent::find(directory).filter(|_| refused.kind == Kind::WrongState) else {
            return Err(refused);
        };
        let other_cloud = (lent.ready.suffix == "azure") != args.cloud.is_some();
        let other_machine = args.machine.as_ref().is_some_and(|wanted| {
            lent.ready.machine.as_ref().is_none_or(|m| !m.name.eq_ignore_ascii_case(wanted))
        });
        if other_cloud || other_machine {
            return Err(refused.hint("the site that runs there has other names or another machine: stop it, or name another directory with --data DIR"));
        }
        Ok(Self::Lent(Box::new(lent)))
    }

    fn names(&self) -> SiteNames {
        match self {
            Self::Own { names, .. } => names.clone(),
            Self::Lent(lent) => SiteNames::under(&lent.ready.suffix).unwrap_or_else(|_| SiteNames::azure()),
        }
    }

    /// The names clients can reach.
    fn zone(&self) -> Zone {
        let names = self.names();
        if names.is_cloud() { Zone::new().azure() } else { Zone::new().under(names.suffix()) }
    }

    /// A bundle of the system's roots and the site's CA, made before the namespaces are entered.
    fn ca_bundle(&self, scratch: &Path) -> Result<PathBuf, Failure> {
        match self {
            Self::Own { data, names } => {
                let files = trust::open(data, names)?;
                let bundle = scratch.join("ca-bundle.pem");
                data::write_whole(&bundle, &trust::bundle(files.ca.certificate_pem()), 0o644)?;
                Ok(bundle)
            }
            Self::Lent(lent) => Ok(lent.ready.ca_bundle_file.clone()),
        }
    }

    fn tokens(&self, scratch: &Path) -> Result<PathBuf, Failure> {
        match self {
            Self::Own { .. } => {
                let tokens = scratch.join("tokens");
                std::fs::create_dir(&tokens).attempt(format_args!("making {}", tokens.display()))?;
                start::make_private(&tokens)?;
                Ok(tokens)
            }
            Self::Lent(lent) => Ok(lent.ready.challenge_directory.clone()),
        }
    }
}

async fn inside(
    args: RunArgs,
    source: SiteSource,
    sandbox: &Sandbox,
    scratch: &Path,
) -> Result<ExitCode, Failure> {
    let answerer = dns::Answerer::bind(source.zone()).await.attempt("answering names inside")?;
    let _answering = answerer.start();
    let mut served = Served::start(&args, source).await?;
    let ready = served.ready();
    let environment = environment(&ready, &Reach::Inside, Source::Arc)?;
    let errand = errand(&args, &ready, scratch, environment.settings(), INSIDE)?;
    let outcome = errand.finding_first(sandbox.programs()).run().await;
    served.stop().await;
    Ok(exit_code(outcome))
}

/// What `COUNTERSIGN_INSIDE_RUN` tells verbs that the command calls.
const INSIDE: &str = "1";

/// The command with the variables by which it finds the site.
fn errand(
    args: &RunArgs,
    ready: &Ready,
    scratch: &Path,
    environment: &[Setting],
    inside_run: &str,
) -> Result<Errand, Failure> {
    let ready_file = scratch.join("ready.json");
    data::write_whole(&ready_file, ready.to_json().as_bytes(), 0o600)?;
    let own = [
        Setting::set("COUNTERSIGN_READY_FILE", &ready_file.to_string_lossy()),
        Setting::set("COUNTERSIGN_INSIDE_RUN", inside_run),
    ];
    let (program, arguments) =
        args.command.split_first().ok_or_else(|| Failure::new(Kind::Usage, "no command"))?;
    Ok(Errand::new(program, arguments).with(environment).with(&own))
}

fn exit_code(outcome: Result<Outcome, ErrandError>) -> ExitCode {
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) => {
            // 126 and 127 are what shells say; the reason is said in our words.
            report(&Failure::failed(chain(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}

enum Served {
    Own(Option<Running>),
    Lent { lent: Box<Lent>, _passing: JoinSet<()> },
}

impl Served {
    async fn start(args: &RunArgs, source: SiteSource) -> Result<Self, Failure> {
        match source {
            SiteSource::Own { data, names } => {
                let options = Options {
                    https_port: HTTPS,
                    himds_port: HIMDS,
                    imds: Some(SocketAddr::new(IMDS_ADDRESS, 80)),
                    machine_name: args.machine.clone(),
                    databases: databases::Options::read(
                        &args.postgres,
                        start::loopback().map(|ip| (ip, POSTGRES).into()).to_vec(),
                    )?,
                    ..Options::on_free_ports(names)
                };
                Ok(Self::Own(Some(start::start(*data, options).await?)))
            }
            SiteSource::Lent(lent) => {
                let mut passing = JoinSet::new();
                let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                for address in loopback {
                    passing.spawn(bridge::forward(bind(address, HTTPS).await?, lent.site.clone()));
                    passing.spawn(bridge::forward(bind(address, HIMDS).await?, lent.himds.clone()));
                    if lent.ready.postgres.is_some() {
                        let door = bind(address, POSTGRES).await?;
                        passing.spawn(bridge::forward(door, lent.postgres.clone()));
                    }
                }
                passing.spawn(bridge::forward(bind(IMDS_ADDRESS, 80).await?, lent.imds.clone()));
                Ok(Self::Lent { lent, _passing: passing })
            }
        }
    }

    /// What the site is like from inside.
    fn ready(&self) -> Ready {
        match self {
            Self::Own(running) => {
                running.as_ref().map(|r| r.ready().clone()).unwrap_or_else(|| unreachable!("started"))
            }
            Self::Lent { lent, .. } => lent.as_seen_inside(HTTPS, Path::new(CHALLENGE_DIRECTORY)),
        }
    }

    async fn stop(&mut self) {
        if let Self::Own(running) = self {
            if let Some(running) = running.take() {
                running.stop().await;
            }
        }
    }
}

async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((address, port))
        .await
        .attempt(format_args!("listening on {address} port {port} inside"))
}

/// A directory for this run alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self, Failure> {
        let base = std::env::temp_dir();
        let made = nix::unistd::mkdtemp(&base.join("countersign-run-XXXXXX"));
        made.map(Self).attempt(format_args!("making a directory below {}", base.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
