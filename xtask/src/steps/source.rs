//! Steps on the source itself, and the Rust tests.

use anyhow::{Result, bail};

use super::{Outcome, passed};
use crate::arrows;
use crate::exec::Log;
use crate::ground::Ground;
use crate::postgres::Postgres;
use crate::s3::S3;
use crate::suites;
use crate::supply;

pub fn arrows(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let wrong = arrows::violations(&arrows::workspace(ground)?);
    wrong.iter().try_for_each(|line| log.note(line))?;
    if wrong.is_empty() {
        Ok(Outcome::Passed)
    } else {
        bail!("{} arrows go where the table says no", wrong.len())
    }
}

pub fn fmt(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    if !has(ground, "fmt") {
        return Ok(Outcome::Skipped("this toolchain has no rustfmt (rustup component add rustfmt)"));
    }
    passed(log.run(&mut ground.cargo(&["fmt", "--all", "--check"])))
}

pub fn clippy(ground: &Ground, log: &mut Log) -> Result<Outcome> {
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

pub fn deny(ground: &Ground, log: &mut Log) -> Result<Outcome> {
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

pub fn rust(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(log.run(&mut ground.cargo(&["test", "--workspace", "--locked"])))
}

pub fn postgres(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let server = Postgres::start(log)?;
    let mut tests = ground.cargo(&["test", "--locked", "--package", "cs-store-sql"]);
    passed(log.run(tests.env("COUNTERSIGN_TEST_POSTGRES", server.url())))
}

pub fn s3(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    let server = S3::start(ground, log)?;
    let mut tests = ground.cargo(&["test", "--locked", "--package", "cs-bytes"]);
    passed(log.run(tests.envs(server.environment())))
}

pub fn release(ground: &Ground, log: &mut Log) -> Result<Outcome> {
    passed(suites::countersign(ground, log).map(|_| ()))
}

/// Whether cargo has this subcommand.
fn has(ground: &Ground, subcommand: &str) -> bool {
    ground.cargo(&[subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
}
