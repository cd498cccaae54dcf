//! Steps that start the site themselves: a script below `conformance/` gets the program and a folder for its data.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::suites::sdks;
use super::{Outcome, passed};
use crate::exec::Log;
use crate::ground::Ground;
use crate::postgres::Postgres;
use crate::s3::S3;
use crate::suites;
use crate::tools::{self, Clients};

/// Fewer rounds: each costs a round trip to two servers.
const SHARED_ROUNDS: &str = "4";

/// Runs `conformance/SCRIPT PROGRAM DATA`, dressed with what else it needs. A failed one keeps its data for whoever looks
/// into it.
fn script(
    script: &str,
    program: &Path,
    ground: &Ground,
    log: &mut Log,
    dress: impl FnOnce(&mut Command),
) -> Result<Outcome> {
    let interpreter = if script.ends_with(".py") { "python3" } else { "sh" };
    let name = Path::new(script).parent().context("a script lies in a folder of its own")?;
    let data = ground.fresh_data(&name.to_string_lossy())?;
    let mut run = Command::new(interpreter);
    run.current_dir(&ground.root).arg(Path::new("conformance").join(script)).arg(program).arg(&data);
    run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance"));
    dress(&mut run);
    log.run(&mut run)?;
    match std::fs::remove_dir_all(&data) {
        // Some scripts clean up after themselves.
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("removing the step's data"),
        _ => Ok(Outcome::Passed),
    }
}

pub fn lab(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    passed(log.run(Command::new(program).current_dir(&ground.root).arg("lab")))
}

pub fn backup(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    script("backup/backup.py", &program, ground, log, |_| {})
}

pub fn completion(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("zsh", "zsh"), ("fish", "fish")], log)?;
    let agent = suites::countersign(ground, log)?.with_file_name("csagent");
    let mut run = Command::new("python3");
    passed(log.run(run.current_dir(&ground.root).arg("conformance/agent/completion.py").arg(agent)))
}

pub fn inside(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(suites::TOOLS, log)?;
    tools::debian(
        &[("wget", "wget"), ("openssl", "openssl"), ("script", "bsdutils"), ("pgrep", "procps")],
        log,
    )?;
    let program = suites::countersign(ground, log)?;
    script("inside/run.sh", &program, ground, log, |run| {
        run.env("GO_CACHE", ground.clients("cache").join("go/build"));
    })
}

pub fn proxied(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(suites::TOOLS, log)?;
    Clients::Python.install(ground, log)?;
    let program = suites::countersign(ground, log)?;
    script("proxied/run.sh", &program, ground, log, |_| {})
}

pub fn development(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    for clients in [Clients::Python, Clients::Node] {
        clients.install(ground, log)?;
    }
    let program = suites::countersign(ground, log)?;
    script("development/run.sh", &program, ground, log, |_| {})
}

/// `countersign up` on its default ports, in namespaces that the script makes.
pub fn up(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let all: Vec<Clients> = sdks().flat_map(|suite| suite.clients).copied().chain([Clients::Azcli]).collect();
    let program = suites::prepared(&all, ground, log)?;
    script("up/up.sh", &program, ground, log, |run| {
        run.args(all.iter().map(|clients| clients.name()));
    })
}

pub fn crash(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    script("crash/crash.py", &program, ground, log, |_| {})
}

pub fn crash_shared(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let (database, bucket) = (Postgres::start(log)?, S3::start(ground, log)?);
    script("crash/crash.py", &program, ground, log, |run| {
        run.arg(SHARED_ROUNDS);
        run.env("CRASH_FLAGS", format!("--database {} --blobs {}/crash", database.url(), bucket.address()));
        run.env("CRASH_PSQL", database.program("psql"));
        run.envs(bucket.environment()).envs(bucket.endpoint());
    })
}

pub fn bad_days(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let (database, bucket) = (Postgres::start(log)?, S3::start(ground, log)?);
    script("bad_days/bad_days.py", &program, ground, log, |run| {
        run.env("BAD_DAYS_DATABASE", database.url());
        run.env("BAD_DAYS_BLOBS", format!("{}/bad-days", bucket.address()));
        run.envs(bucket.environment()).envs(bucket.endpoint());
    })
}
