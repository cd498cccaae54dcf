//! The repository's own chores, written in Rust so that they run wherever the product builds.
//!
//! ```text
//! cargo xtask test                  every test there is, real clients included
//! cargo xtask test --only python    one step of it
//! cargo xtask package               the agent as .deb and .rpm
//! cargo xtask arrows                does the architecture still hold?
//! cargo xtask bench token blob      our figures beside their floors
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its person")]

mod arrows;
mod compiled;
mod database;
mod exec;
mod fuzz;
mod ground;
mod packages;
mod postgres;
mod s3;
mod service;
mod steps;
mod suites;
mod supply;
mod tools;
mod versions;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests, architecture check and measurements of this repository")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run every test: rules, Rust, PostgreSQL, S3, the lab, unmodified Azure clients.
    Test {
        /// Only this step (repeatable); see --list.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
        /// Print the steps and stop.
        #[arg(long)]
        list: bool,
    },
    /// Write the agent's packages, .deb and .rpm, to target/packages.
    Package,
    /// Check that dependencies between crates follow the table of rooms.
    Arrows,
    /// Measure: `name | ours | floor | ratio | aim`.
    Bench {
        /// Lines to run; all when none is named. `--list` names them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        lines: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<bool> {
    let ground = ground::Ground::find()?;
    match verb {
        Verb::Test { list: true, .. } => {
            steps::STEPS.iter().for_each(|step| println!("{:<16} {}", step.name, step.about));
            Ok(true)
        }
        Verb::Test { only, .. } => steps::run(&ground, &only),
        Verb::Package => packages::verb(&ground),
        Verb::Arrows => arrows_verb(&ground),
        Verb::Bench { lines } => bench(&ground, &lines),
    }
}

fn arrows_verb(ground: &ground::Ground) -> Result<bool> {
    let wrong = arrows::violations(&arrows::workspace(ground)?);
    wrong.iter().for_each(|line| println!("{line}"));
    println!(
        "{}",
        if wrong.is_empty() { "every arrow points down" } else { "see the table in xtask/src/arrows.rs" }
    );
    Ok(wrong.is_empty())
}

/// What lines that begin so are measured with, and how they are told where it is.
const PEERS: [(&str, tools::Clients, &str); 2] = [
    ("azurite", tools::Clients::Azurite, "COUNTERSIGN_BENCH_AZURITE"),
    ("az-", tools::Clients::Azcli, "COUNTERSIGN_BENCH_AZ"),
];
/// How long npm or pip may take to bring one.
const INSTALLS_WITHIN: std::time::Duration = std::time::Duration::from_secs(600);

/// Measurements are their own crate: they need the product as a library, and this tool must stay quick to build.
///
/// The site and what measures it are built at once, so that both have the same features; the agent by itself, as it is
/// shipped.
fn bench(ground: &ground::Ground, lines: &[String]) -> Result<bool> {
    for packages in [&["--package", "cs-bench", "--package", "countersign"][..], &["--package", "csagent"]] {
        if !ground.cargo(&["build", "--quiet", "--release"]).args(packages).status()?.success() {
            return Ok(false);
        }
    }
    let mut bench = std::process::Command::new(ground.target.join("release/cs-bench"));
    let all = lines.iter().all(|line| line.starts_with('-'));
    for (lines_of, clients, place) in PEERS {
        if all || lines.iter().any(|line| line.starts_with(lines_of) || lines_of.starts_with(line.as_str())) {
            let mut log = exec::Log::create(&ground.log_file("bench"), INSTALLS_WITHIN)?;
            match clients.install(ground, &mut log) {
                Ok(there) => drop(bench.env(place, there)),
                Err(error) => eprintln!("bench: no {} to measure beside: {error:#}", clients.name()),
            }
        }
    }
    Ok(bench.args(lines).status()?.success())
}
