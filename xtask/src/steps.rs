//! Every step of `cargo xtask test`, in the order in which a mistake is cheapest to find.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::arrows;
use crate::database;
use crate::exec::{Log, on_path, tail};
use crate::fuzz;
use crate::ground::Ground;
use crate::packages;
use crate::postgres::Postgres;
use crate::s3::S3;
use crate::suites::{self, Suite};
use crate::supply;
use crate::tools::{self, Clients};
use crate::versions;

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
    Step { name: "lab-shell", about: "the lab in a shell, own names", minutes: 5, run: |g, l| suite(&LAB_SHELL, g, l) },
    Step { name: "lab-azure", about: "the lab in a shell, the public cloud's names", minutes: 5, run: |g, l| suite(&LAB_AZURE, g, l) },
    Step { name: "agent", about: "csagent: connect, serve, outlive the site, disconnect", minutes: 5, run: |g, l| suite(&AGENT, g, l) },
    Step { name: "sources", about: "csagent for services, namespaces and jobs: every source, one identity each", minutes: 5, run: |g, l| suite(&SOURCES, g, l) },
    Step { name: "certificates", about: "csagent keeps a vault's certificates as files", minutes: 5, run: |g, l| suite(&CERTIFICATES, g, l) },
    Step { name: "packages", about: "the agent's .deb and .rpm: installed, used, upgraded and purged under a systemd of their own", minutes: 10, run: packages },
    Step { name: "completion", about: "csagent's completions at the keyboard of bash, zsh and fish", minutes: 5, run: completion },
    Step { name: "enrol", about: "csagent: join tokens, rotation of keys, a copied disk", minutes: 5, run: |g, l| suite(&ENROL, g, l) },
    Step { name: "agent-proxy", about: "csagent where the site is reached through a proxy and no other way", minutes: 5, run: |g, l| suite(&AGENT_PROXY, g, l) },
    Step { name: "entra", about: "csagent as an application of a directory, the public cloud's names", minutes: 5, run: |g, l| suite(&ENTRA, g, l) },
    Step { name: "python", about: "Azure SDKs for Python", minutes: 15, run: |g, l| suite(&PYTHON, g, l) },
    Step { name: "inside", about: "what programs in every language see inside countersign run", minutes: 10, run: inside },
    Step { name: "proxied", about: "countersign run where the kernel refuses namespaces", minutes: 15, run: proxied },
    Step { name: "node", about: "Azure SDKs for Node.js", minutes: 15, run: |g, l| suite(&NODE, g, l) },
    Step { name: "matrix", about: "every source of identity by every kind of id; the table in docs/compatibility.md is what is found", minutes: 20, run: matrix },
    Step { name: "go", about: "Azure SDKs for Go", minutes: 15, run: |g, l| suite(&GO, g, l) },
    Step { name: "java", about: "Azure SDKs for Java", minutes: 15, run: |g, l| suite(&JAVA, g, l) },
    Step { name: "rust-sdk", about: "Azure SDKs for Rust, object_store", minutes: 15, run: |g, l| suite(&RUST, g, l) },
    Step { name: "sdk-azure", about: "the SDKs above, the public cloud's names", minutes: 15, run: sdk_azure },
    Step { name: "up", about: "the SDKs and az against `up` and `env` on port 8443", minutes: 15, run: up },
    Step { name: "az", about: "az CLI, own names", minutes: 15, run: az },
    Step { name: "az-azure", about: "az CLI, the public cloud's names", minutes: 15, run: |g, l| suite(&AZ_AZURE, g, l) },
    Step { name: "database", about: "the database gateway before a real PostgreSQL, with unmodified clients", minutes: 20, run: |g, l| passed(database::run(g, l)) },
    Step { name: "tools", about: "rclone, Terraform's state, the public cloud's names", minutes: 10, run: tools_step },
    Step { name: "database-versions", about: "the gateway before PostgreSQL 12, 16 and 18, by libpq 18", minutes: 15, run: versions },
    Step { name: "hostile", about: "bad bytes at every door", minutes: 15, run: |g, l| suite(&HOSTILE, g, l) },
    Step { name: "schemathesis", about: "requests made from descriptions of the API cost no 5xx", minutes: 10, run: |g, l| suite(&SCHEMATHESIS, g, l) },
    Step { name: "development", about: "storage SDKs against the emulator's address", minutes: 10, run: development },
    Step { name: "crash", about: "kill -9 during writes loses nothing acknowledged", minutes: 15, run: crash },
    Step { name: "crash-shared", about: "the same with PostgreSQL and S3", minutes: 15, run: crash_shared },
    Step { name: "backup", about: "a site copied while it is written to, put back, checked", minutes: 10, run: backup },
    Step { name: "bad-days", about: "full disks, broken files, databases that go away", minutes: 15, run: bad_days },
    Step { name: "properties", about: "property tests of parsers and decisions, with many more cases", minutes: 10, run: |g, l| passed(fuzz::properties(g, l)) },
    Step { name: "fuzz", about: "every parser under a fuzzer for a minute", minutes: 40, run: fuzz },
];

const LAB_SHELL: Suite = Suite { name: "lab-shell", script: "lab/lab.sh", clients: &[], public_names: false };
const LAB_AZURE: Suite = Suite { name: "lab-azure", script: "lab/lab.sh", clients: &[], public_names: true };
const AGENT: Suite = Suite { name: "agent", script: "agent/agent.sh", clients: &[], public_names: false };
const CERTIFICATES: Suite =
    Suite { name: "certificates", script: "certificates/run.sh", clients: &[], public_names: false };
const MATRIX: Suite = Suite {
    name: "matrix",
    script: "matrix/run.sh",
    clients: &[Clients::Python, Clients::Node, Clients::Azcli, Clients::Rust],
    public_names: false,
};
const SOURCES: Suite =
    Suite { name: "sources", script: "sources/run.sh", clients: &[Clients::Python], public_names: false };
const ENROL: Suite = Suite { name: "enrol", script: "agent/enrol.sh", clients: &[], public_names: false };
const AGENT_PROXY: Suite =
    Suite { name: "agent-proxy", script: "agent/proxy.sh", clients: &[], public_names: false };
const ENTRA: Suite = Suite { name: "entra", script: "agent/entra.sh", clients: &[], public_names: true };
const PYTHON: Suite =
    Suite { name: "python", script: "python/run.sh", clients: &[Clients::Python], public_names: false };
const NODE: Suite =
    Suite { name: "node", script: "node/run.sh", clients: &[Clients::Node], public_names: false };
const GO: Suite = Suite { name: "go", script: "go/run.sh", clients: &[Clients::Go], public_names: false };
const JAVA: Suite =
    Suite { name: "java", script: "java/run.sh", clients: &[Clients::Java], public_names: false };
const RUST: Suite =
    Suite { name: "rust-sdk", script: "rust/run.sh", clients: &[Clients::Rust], public_names: false };
/// The sets of SDKs, as they are named in [`Clients::name`].
const SDKS: [&Suite; 5] = [&PYTHON, &NODE, &GO, &JAVA, &RUST];
const AZ: Suite =
    Suite { name: "az", script: "azcli/run.sh", clients: &[Clients::Azcli], public_names: false };
const AZ_AZURE: Suite =
    Suite { name: "az-azure", script: "azcli/run.sh", clients: &[Clients::Azcli], public_names: true };

const TOOLS: Suite = Suite { name: "tools", script: "tools/run.sh", clients: &[], public_names: true };
const SCHEMATHESIS: Suite = Suite {
    name: "schemathesis",
    script: "schemathesis/run.sh",
    clients: &[Clients::Schemathesis],
    public_names: false,
};
const HOSTILE: Suite = Suite { name: "hostile", script: "hostile/run.sh", clients: &[], public_names: false };

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

fn arrows(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let wrong = arrows::violations(&arrows::workspace(ground)?);
    wrong.iter().try_for_each(|line| log.note(line))?;
    if wrong.is_empty() {
        Ok(Outcome::Passed)
    } else {
        bail!("{} arrows go where the table says no", wrong.len())
    }
}

fn fmt(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if !has(ground, "fmt") {
        return Ok(Outcome::Skipped("this toolchain has no rustfmt (rustup component add rustfmt)"));
    }
    passed(log.run(&mut ground.cargo(&["fmt", "--all", "--check"])))
}

fn clippy(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if !has(ground, "clippy") {
        return Ok(Outcome::Skipped("this toolchain has no clippy (rustup component add clippy)"));
    }
    passed(log.run(&mut ground.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ])))
}

fn deny(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let wrong = supply::violations(ground)?;
    wrong.iter().try_for_each(|line| log.note(line))?;
    if !wrong.is_empty() {
        bail!("{} dependencies break a rule of deny.toml", wrong.len());
    }
    if has(ground, "deny") {
        // Advisories need a download from outside a registry; whoever has one runs `cargo deny check`.
        log.run(&mut ground.cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]))?;
    }
    Ok(Outcome::Passed)
}

fn rust(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(log.run(&mut ground.cargo(&["test", "--workspace", "--locked"])))
}

fn postgres(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let server = Postgres::start(log)?;
    let mut tests = ground.cargo(&["test", "--locked", "--package", "cs-store-sql"]);
    passed(log.run(tests.env("COUNTERSIGN_TEST_POSTGRES", server.url())))
}

fn s3(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let server = S3::start(ground, log)?;
    let mut tests = ground.cargo(&["test", "--locked", "--package", "cs-bytes"]);
    passed(log.run(tests.envs(server.environment())))
}

fn release(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(suites::countersign(ground, log).map(|_| ()))
}

fn lab(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    passed(log.run(Command::new(program).current_dir(&ground.root).arg("lab")))
}

fn crash(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("crash")?;
    let mut run = Command::new("python3");
    run.current_dir(&ground.root).arg("conformance/crash/crash.py").arg(program).arg(&data);
    log.run(&mut run)?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

fn backup(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("backup")?;
    let mut run = Command::new("python3");
    passed(log.run(run.current_dir(&ground.root).arg("conformance/backup/backup.py").arg(program).arg(&data)))
}

/// Python, Node, az and Rust, and whatever else this machine can compile: rows of others stay as they are.
fn matrix(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("faketime", "faketime")], log)?;
    for clients in [Clients::Go, Clients::Java] {
        if clients.lacks().is_none() {
            clients.install(ground, log)?;
        }
    }
    suite(&MATRIX, ground, log)
}

fn inside(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(suites::TOOLS, log)?;
    tools::debian(
        &[("wget", "wget"), ("openssl", "openssl"), ("script", "bsdutils"), ("pgrep", "procps")],
        log,
    )?;
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("inside")?;
    let mut run = Command::new("sh");
    run.current_dir(&ground.root).arg("conformance/inside/run.sh").arg(program).arg(&data);
    log.run(run.env("GO_CACHE", ground.clients("cache").join("go/build")))?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

fn proxied(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(suites::TOOLS, log)?;
    Clients::Python.install(ground, log)?;
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("proxied")?;
    let mut run = Command::new("sh");
    run.current_dir(&ground.root).arg("conformance/proxied/run.sh").arg(program).arg(&data);
    run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance"));
    log.run(&mut run)?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

fn tools_step(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("rclone", "rclone")], log)?;
    suite(&TOOLS, ground, log)
}

fn completion(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    tools::debian(&[("zsh", "zsh"), ("fish", "fish")], log)?;
    let agent = suites::countersign(ground, log)?.with_file_name("csagent");
    let mut run = Command::new("python3");
    passed(log.run(run.current_dir(&ground.root).arg("conformance/agent/completion.py").arg(agent)))
}

fn packages(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    Ok(packages::try_out(ground, log)?.map_or(Outcome::Passed, Outcome::Skipped))
}

fn development(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    for clients in [Clients::Python, Clients::Node] {
        clients.install(ground, log)?;
    }
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("development")?;
    let mut run = Command::new("sh");
    run.current_dir(&ground.root).arg("conformance/development/run.sh").arg(program).arg(&data);
    log.run(run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance")))?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

/// Fewer rounds: each costs a round trip to two servers.
const SHARED_ROUNDS: &str = "4";

fn crash_shared(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let (database, bucket) = (Postgres::start(log)?, S3::start(ground, log)?);
    let data = ground.fresh_data("crash-shared")?;
    let mut run = Command::new("python3");
    run.current_dir(&ground.root)
        .arg("conformance/crash/crash.py")
        .arg(program)
        .arg(&data)
        .arg(SHARED_ROUNDS);
    run.env("CRASH_FLAGS", format!("--database {} --blobs {}/crash", database.url(), bucket.address()));
    run.env("CRASH_PSQL", database.program("psql"));
    log.run(run.envs(bucket.environment()).envs(bucket.endpoint()))?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

fn bad_days(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let program = suites::countersign(ground, log)?;
    let (database, bucket) = (Postgres::start(log)?, S3::start(ground, log)?);
    let data = ground.fresh_data("bad-days")?;
    let mut run = Command::new("python3");
    run.current_dir(&ground.root).arg("conformance/bad_days/bad_days.py").arg(program).arg(&data);
    run.env("BAD_DAYS_DATABASE", database.url())
        .env("BAD_DAYS_BLOBS", format!("{}/bad-days", bucket.address()));
    log.run(run.envs(bucket.environment()).envs(bucket.endpoint()))?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
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

fn suite(suite: &Suite, ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if let Some(lacking) = suite.clients.iter().find_map(|clients| clients.lacks()) {
        return Ok(Outcome::Skipped(lacking));
    }
    passed(suite.run(ground, log))
}

fn az(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(suites::with_issuer(&AZ, ground, log))
}

/// The sets of SDKs that this machine can run.
fn sdks() -> impl Iterator<Item = &'static Suite> {
    SDKS.into_iter().filter(|suite| suite.clients.iter().all(|clients| clients.lacks().is_none()))
}

fn sdk_azure(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    for suite in sdks() {
        Suite { name: "sdk-azure", public_names: true, ..*suite }.run(ground, log)?;
    }
    Ok(Outcome::Passed)
}

/// `countersign up` on its default ports, in namespaces that the script makes.
fn up(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let all: Vec<Clients> = sdks().flat_map(|suite| suite.clients).copied().chain([Clients::Azcli]).collect();
    let program = suites::prepared(&all, ground, log)?;
    let data = ground.fresh_data("up")?;
    let mut run = Command::new("sh");
    run.current_dir(&ground.root).arg("conformance/up/up.sh").arg(program).arg(&data);
    run.args(all.iter().map(|clients| clients.name()));
    run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance"));
    log.run(&mut run)?;
    std::fs::remove_dir_all(&data)?;
    Ok(Outcome::Passed)
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Whether cargo has this subcommand.
fn has(ground: &Ground, subcommand: &str) -> bool {
    ground.cargo(&[subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
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

    #[test]
    fn every_suite_has_its_script() {
        let ground = Ground::find().unwrap();
        for suite in [
            LAB_SHELL,
            LAB_AZURE,
            AGENT,
            AGENT_PROXY,
            CERTIFICATES,
            SOURCES,
            PYTHON,
            NODE,
            GO,
            JAVA,
            RUST,
            AZ,
            AZ_AZURE,
            HOSTILE,
        ] {
            assert!(ground.root.join("conformance").join(suite.script).is_file(), "{}", suite.script);
        }
    }
}
