//! `csagent certificates`: what the public cloud's certificate extension for Linux does (metadata.md 8). It reads
//! certificates with their keys from a vault, keeps each version as a PEM file, moves a link to the newest in one step,
//! and runs a command after a change.
//!
//! Nothing is done twice and nothing half: a version's file is durable before the link names it, and which version the
//! command has been run for is written down after it has succeeded, so that a machine that stops in between runs it at
//! its next start.

mod acl;
mod store;
mod vault;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use clap::{Args, Subcommand};
use cs_agent::{
    bundle,
    certificates::{self, Observed, Settings},
};
use tokio::signal::unix::{SignalKind, signal};

use self::vault::Source;
use crate::{
    cli::DataArgs,
    failure::{Attempt, Failure, Kind},
    run, site,
    state::Place,
};

/// Of each link: the version its command was last run for.
const DONE: &str = "certificates.json";
/// The first synchronisation is tried so often, with growing pauses, before the daemon goes on to its usual interval.
const FIRST_TRIES: u32 = 25;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A command that takes longer is ended.
const COMMAND_WITHIN: Duration = Duration::from_secs(120);

#[derive(Args, Clone)]
pub struct CertificatesArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The settings document of the certificate extension, as it is
    #[arg(long, value_name = "FILE", global = true, default_value = "/etc/csagent/certificates.json")]
    settings: PathBuf,
    /// Whom to trust beside the system's roots [default: the CA this machine was connected with]
    #[arg(long, value_name = "FILE", env = "CSAGENT_CA_FILE", global = true)]
    ca_file: Option<PathBuf>,
    #[command(subcommand)]
    verb: CertificatesVerb,
}

#[derive(Subcommand, Clone)]
enum CertificatesVerb {
    /// Bring every observed certificate up to date once
    #[command(
        before_help = "Example:\n  csagent certificates sync --settings /etc/csagent/certificates.json"
    )]
    Sync,
    /// Go on doing so, at the interval of the settings
    #[command(before_help = "Example:\n  csagent certificates run")]
    Run {
        /// Written once every certificate is there, removed at exit
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
}

pub async fn certificates(args: CertificatesArgs) -> Result<(), Failure> {
    let settings = load(&args.settings)?;
    let given = site::ca_file(args.ca_file.as_deref())?;
    let ground = Ground { settings, place: Place::new(&args.data.data), ca: given };
    match args.verb {
        CertificatesVerb::Sync => ground.sync().await,
        CertificatesVerb::Run { ready_file } => ground.keep(ready_file.as_deref()).await,
    }
}

fn load(path: &Path) -> Result<Settings, Failure> {
    let usage =
        |why: String| Failure::new(Kind::Usage, format!("reading the settings {}: {why}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|e| usage(e.to_string()).hint("name the settings document with --settings FILE"))?;
    certificates::read(&text).map_err(|why| usage(why).hint("docs/machine.md shows the document"))
}

/// The rounds before every certificate is there.
struct Start {
    /// Nobody was told yet that we are ready.
    waits: bool,
    failures: u32,
    pause: Duration,
}

impl Start {
    fn new(waits: bool) -> Self {
        Self { waits, failures: 0, pause: FIRST_PAUSE }
    }

    /// After a round: whether we are ready with it, and how long to rest. Ready is only said of what is there, however many
    /// rounds that takes: who waits for us needs the files.
    fn after(&mut self, is_good: bool, every: Duration) -> (bool, Duration) {
        if is_good {
            self.failures = FIRST_TRIES;
            return (std::mem::take(&mut self.waits), every);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FIRST_TRIES {
            return (false, every);
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (false, pause)
    }
}

/// What a round stands on.
struct Ground {
    settings: Settings,
    place: Place,
    ca: Option<String>,
}

impl Ground {
    async fn keep(&self, ready_file: Option<&Path>) -> Result<(), Failure> {
        let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
        let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
        let work = async {
            let mut start = Start::new(self.settings.waits_for_the_first);
            if !start.waits {
                ready(ready_file)?;
            }
            loop {
                let outcome = self.sync().await;
                if let Err(failure) = &outcome {
                    tracing::error!(cause = failure.message, "certificates are not up to date");
                }
                let (is_first, pause) = start.after(outcome.is_ok(), self.settings.every);
                if is_first {
                    ready(ready_file)?;
                }
                tokio::time::sleep(pause).await;
            }
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        };
        if let Some(file) = ready_file {
            drop(std::fs::remove_file(file));
        }
        outcome
    }

    /// Every certificate once; one that fails keeps the others from nothing.
    async fn sync(&self) -> Result<(), Failure> {
        let mut source = Source::new(&self.settings, &self.place, self.ca.as_deref())?;
        let mut done: BTreeMap<String, String> = self.place.read(DONE)?.unwrap_or_default();
        let mut failures = Vec::new();
        for observed in &self.settings.observed {
            if let Err(failure) = self.one(observed, &mut source, &mut done).await {
                // The first is told by whoever asked for this round.
                if !failures.is_empty() {
                    tracing::error!(cause = failure.message, "a certificate is not up to date");
                }
                failures.push(failure);
            }
        }
        let more = failures.len().saturating_sub(1);
        match failures.into_iter().next() {
            None => Ok(()),
            Some(first) if more == 0 => Err(first),
            Some(first) => Err(Failure { message: format!("{}, and {more} more", first.message), ..first }),
        }
    }

    async fn one(
        &self,
        observed: &Observed,
        source: &mut Source,
        done: &mut BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let of = |failure: Failure| Failure {
            message: format!("{}: {}", observed.url, failure.message),
            ..failure
        };
        let secret = source.secret(observed).await.map_err(of)?;
        let pem = bundle::pem(&secret.value).map_err(|why| of(Failure::failed(why)))?;
        let link = store::put(observed, &self.settings, &secret.version, &pem).map_err(of)?;
        let key = link.display().to_string();
        if done.get(&key).is_some_and(|version| *version == secret.version) {
            return Ok(());
        }
        if let Some(command) = observed.command.as_deref().or(self.settings.command.as_deref()) {
            after_a_change(command, &link, &secret.version).await.map_err(of)?;
        }
        tracing::info!(link = key, version = secret.version, "a certificate has changed");
        done.insert(key, secret.version);
        let text = serde_json::to_vec_pretty(&done).unwrap_or_default();
        self.place.write(DONE, &text, 0o644)
    }
}

fn ready(file: Option<&Path>) -> Result<(), Failure> {
    if let Some(file) = file {
        run::write_ready(file, &serde_json::json!({"process_id": std::process::id()}))?;
    }
    run::notify("READY=1");
    Ok(())
}

/// Words are given to the program as they stand: no shell reads them.
async fn after_a_change(command: &[String], link: &Path, version: &str) -> Result<(), Failure> {
    let (program, words) =
        command.split_first().ok_or_else(|| Failure::new(Kind::Usage, "the command is empty"))?;
    let what = format!("running {program}");
    let mut child = tokio::process::Command::new(program);
    child.args(words).stdin(Stdio::null()).kill_on_drop(true);
    child.env("CSAGENT_CERTIFICATE", link).env("CSAGENT_CERTIFICATE_VERSION", version);
    let status = tokio::time::timeout(COMMAND_WITHIN, child.status())
        .await
        .map_err(|_| {
            Failure::failed(format!("{what}: it did not end within {} s", COMMAND_WITHIN.as_secs()))
        })?
        .attempt(&what)?;
    if status.success() { Ok(()) } else { Err(Failure::failed(format!("{what}: it ended with {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_said_once_when_every_certificate_is_there_and_never_before() {
        let every = Duration::from_secs(3600);
        let mut start = Start::new(true);
        let rests: Vec<_> = (0..40).map(|_| start.after(false, every)).collect();
        assert!(rests.iter().all(|(ready, _)| !ready), "25 rounds or 40 make no certificate");
        assert_eq!((rests[0].1, rests[1].1, rests[10].1), (FIRST_PAUSE, FIRST_PAUSE * 2, LONGEST_PAUSE));
        assert!(rests[24..].iter().all(|(_, pause)| *pause == every));
        assert_eq!(start.after(true, every), (true, every));
        assert_eq!(start.after(false, every), (false, every), "later failures wait for the next round");
        assert_eq!(start.after(true, every), (false, every));
        assert_eq!(Start::new(false).after(true, every), (false, every), "it was said before");
    }
}
