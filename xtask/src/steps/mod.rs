//! Every step of `cargo xtask test`, in the order in which a mistake is cheapest to find.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::scripts::{
    backup, bad_days, completion, crash, crash_shared, development, inside, lab, proxied, up,
};
use self::source::{arrows, clippy, deny, fmt, postgres, release, rust, s3};
use self::suites::{az, matrix, sdk_azure, suite, tools_step};
use crate::database;
use crate::exec::{Log, on_path, tail};
use crate::fuzz;
use crate::ground::Ground;
use crate::packages;
use crate::tools::Clients;
use crate::versions;

mod scripts;
mod source;
mod suites;

pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    /// After this the step is ended and has failed; far above what it takes.
    minutes: u64,
    run: fn(&Ground, &mut Log) -> Result<Outcome>,
}

enum Outcome {
    Passed,
    /// What is missing on this machine; never used for something that went wrong.
    Skipped(&'static str),
}

#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    Step { name: "arrows", about: "dependencies follow the table of rooms", minutes: 2, run: arrows },
    Step { name: "fmt", about: "rustfmt has nothing to change", minutes: 2, run: fmt },
    Step { name: "clippy", about: "no warning anywhere", minutes: 30, run: clippy },
    Step { name: "deny", about: "licences and sources of dependencies", minutes: 5, run: deny },
    Step { name: "rust", about: "cargo test: units, whole requests, attacks", minutes: 40, run: rust },
    Step { name: "postgres", about: "the store's suite on PostgreSQL", minutes: 15, run: postgres },
    Step { name: "s3", about: "the suite of blob bytes on S3", minutes: 15, run: s3 },
    Step { name: "release", about: "release build", minutes: 40, run: release },
    Step { name: "lab", about: "countersign lab", minutes: 5, run: lab },
    Step { name: "lab-shell", about: "the lab in a shell, own names", minutes: 5, run: |g, l| suite(&suites::LAB_SHELL, g, l) },
    Step { name: "lab-azure", about: "the lab in a shell, the public cloud's names", minutes: 5, run: |g, l| suite(&suites::LAB_AZURE, g, l) },
    Step { name: "agent", about: "csagent: connect, serve, outlive the site, disconnect", minutes: 5, run: |g, l| suite(&suites::AGENT, g, l) },
    Step { name: "sources", about: "csagent for services, namespaces and jobs: every source, one identity each", minutes: 5, run: |g, l| suite(&suites::SOURCES, g, l) },
    Step { name: "certificates", about: "csagent keeps a vault's certificates as files", minutes: 5, run: |g, l| suite(&suites::CERTIFICATES, g, l) },
    Step { name: "packages", about: "the agent's .deb and .rpm: installed, used, upgraded and purged under a systemd of their own", minutes: 10, run: packages },
    Step { name: "completion", about: "csagent's completions at the keyboard of bash, zsh and fish", minutes: 5, run: completion },
    Step { name: "enrol", about: "csagent: join tokens, rotation of keys, a copied disk", minutes: 5, run: |g, l| suite(&suites::ENROL, g, l) },
    Step { name: "agent-proxy", about: "csagent where the site is reached through a proxy and no other way", minutes: 5, run: |g, l| suite(&suites::AGENT_PROXY, g, l) },
    Step { name: "entra", about: "csagent as an application of a directory, the public cloud's names", minutes: 5, run: |g, l| suite(&suites::ENTRA, g, l) },
    Step { name: "python", about: "Azure SDKs for Python", minutes: 15, run: |g, l| suite(&suites::PYTHON, g, l) },
    Step { name: "inside", about: "what programs in every language see inside countersign run", minutes: 10, run: inside },
    Step { name: "proxied", about: "countersign run where the kernel refuses namespaces", minutes: 15, run: proxied },
    Step { name: "node", about: "Azure SDKs for Node.js", minutes: 15, run: |g, l| suite(&suites::NODE, g, l) },
    Step { name: "matrix", about: "every source of identity by every kind of id; the table in docs/compatibility.md is what is found", minutes: 20, run: matrix },
    Step { name: "go", about: "Azure SDKs for Go", minutes: 15, run: |g, l| suite(&suites::GO, g, l) },
    Step { name: "java", about: "Azure SDKs for Java", minutes: 15, run: |g, l| suite(&suites::JAVA, g, l) },
    Step { name: "rust-sdk", about: "Azure SDKs for Rust, object_store", minutes: 15, run: |g, l| suite(&suites::RUST, g, l) },
    Step { name: "sdk-azure", about: "the SDKs above, the public cloud's names", minutes: 15, run: sdk_azure },
    Step { name: "up", about: "the SDKs and az against `up` and `env` on port 8443", minutes: 15, run: up },
    Step { name: "az", about: "az CLI, own names", minutes: 15, run: az },
    Step { name: "az-azure", about: "az CLI, the public cloud's names", minutes: 15, run: |g, l| suite(&suites::AZ_AZURE, g, l) },
    Step { name: "database", about: "the database gateway before a real PostgreSQL, with unmodified clients", minutes: 20, run: |g, l| passed(database::run(g, l)) },
    Step { name: "tools", about: "rclone, Terraform's state, the public cloud's names", minutes: 10, run: tools_step },
    Step { name: "database-versions", about: "the gateway before PostgreSQL 12, 16 and 18, by libpq 18", minutes: 15, run: versions },
    Step { name: "hostile", about: "bad bytes at every door", minutes: 15, run: |g, l| suite(&suites::HOSTILE, g, l) },
    Step { name: "schemathesis", about: "requests made from descriptions of the API cost no 5xx", minutes: 10, run: |g, l| suite(&suites::SCHEMATHESIS, g, l) },
    Step { name: "development", about: "storage SDKs against the emulator's address", minutes: 10, run: development },
    Step { name: "crash", about: "kill -9 during writes loses nothing acknowledged", minutes: 15, run: crash },
    Step { name: "crash-shared", about: "the same with PostgreSQL and S3", minutes: 15, run: crash_shared },
    Step { name: "backup", about: "a site copied while it is written to, put back, checked", minutes: 10, run: backup },
    Step { name: "bad-days", about: "full disks, broken files, databases that go away", minutes: 15, run: bad_days },
    Step { name: "properties", about: "property tests of parsers and decisions, with many more cases", minutes: 10, run: |g, l| passed(fuzz::properties(g, l)) },
    Step { name: "fuzz", about: "every parser under a fuzzer for a minute", minutes: 40, run: fuzz },
];

/// Lines of a failed step's log that are shown at once.
const SHOWN_OF_A_FAILURE: usize = 80;

/// Runs the named steps, or all; true when none failed. Ends with `N passed, N failed`.
pub fn run(ground: &Ground, only: &[String]) -> Result<bool> {
    let chosen = choose(only)?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| install_ahead(ground, &chosen));
        for step in &chosen {
            match one(step, ground) {
                Ok(Outcome::Passed) => passed += 1,
                Ok(Outcome::Skipped(_)) => skipped += 1,
                Err(_) => failed += 1,
            }
        }
    });
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    println!("\n{passed} passed, {failed} failed{skipped}");
    Ok(failed == 0)
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        bail!("no step is called {unknown}; `cargo xtask test --list` names them");
    }
    Ok(STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

/// Downloads of clients wait on the network while rustc keeps the cores busy: do both at once. A failure here is
/// reported by the step that needs the clients, which tries again.
fn install_ahead(ground: &Ground, chosen: &[&Step]) {
    let Ok(mut log) = Log::create(&ground.log_file("install"), Duration::from_secs(30 * 60)) else { return };
    let wanted = |name: &str| chosen.iter().any(|step| step.name.starts_with(name));
    let sets = [
        (Clients::S3, "s3"),
        (Clients::S3, "crash-shared"),
        (Clients::S3, "bad-days"),
        (Clients::PgPython, "database"),
        (Clients::PgServers, "database-versions"),
        (Clients::Python, "python"),
        (Clients::Python, "sources"),
        (Clients::Node, "node"),
        (Clients::Node, "matrix"),
        (Clients::Azcli, "az"),
        (Clients::Schemathesis, "schemathesis"),
        (Clients::Go, "go"),
        (Clients::Java, "java"),
        (Clients::Rust, "rust-sdk"),
    ];
    for (clients, step) in sets {
        if wanted(step)
            && clients.lacks().is_none()
            && let Err(error) = clients.install(ground, &mut log)
        {
            let _ = log.note(&format!("{error:#}"));
        }
    }
}

fn one(step: &Step, ground: &Ground) -> Result<Outcome> {
    let mut log = Log::create(&ground.log_file(step.name), Duration::from_secs(step.minutes * 60))?;
    let began = Instant::now();
    let outcome = (step.run)(ground, &mut log);
    let seconds = began.elapsed().as_secs_f32();
    match &outcome {
        Ok(Outcome::Passed) => println!("passed  {:<12} {seconds:>7.1} s  {}", step.name, step.about),
        Ok(Outcome::Skipped(why)) => println!("skipped {:<12} {seconds:>7.1} s  {why}", step.name),
        Err(error) => {
            println!("FAILED  {:<12} {seconds:>7.1} s  {error:#}", step.name);
            println!(
                "{}\n        (all of it: {})",
                tail(log.path(), SHOWN_OF_A_FAILURE),
                log.path().display()
            );
        }
    }
    outcome
}

fn packages(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    Ok(packages::try_out(ground, log)?.map_or(Outcome::Passed, Outcome::Skipped))
}

fn fuzz(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if on_path("c++") { passed(fuzz::run(ground, log)) } else { Ok(Outcome::Skipped("a C++ compiler")) }
}

fn versions(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    match Clients::PgServers.lacks() {
        Some(lacking) => Ok(Outcome::Skipped(lacking)),
        None => passed(versions::run(ground, log)),
    }
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_can_be_named_and_an_unknown_one_is_refused() {
        let names = |only: &[&str]| choose(&only.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["lab"]).unwrap().len(), 1);
        assert_eq!(names(&[]).unwrap().len(), STEPS.len());
        assert!(names(&["labb"]).is_err());
    }
}
