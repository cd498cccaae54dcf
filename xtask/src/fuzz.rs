//! Bytes of strangers for every parser: the fuzz targets under their engine, and the property tests with many cases.
//!
//! The engine (libFuzzer) is steered by coverage counters that the stable compiler can put in; what it finds worth keeping
//! lies in `target/fuzz/corpus`, what breaks a target in `target/fuzz/broken`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::arrows;
use crate::exec::{Log, tail};
use crate::ground::Ground;

/// How long each target runs, unless `COUNTERSIGN_FUZZ_SECONDS` says otherwise; a minute in CI, a night by hand.
const SECONDS: u64 = 60;
/// How many run beside one another: on two cores each has a quarter of the minute to itself.
const AT_ONCE: usize = 8;
/// An input that takes longer has found work without bounds, in seconds.
const SLOW_SECONDS: u64 = 10;
/// So has one that takes more memory, in MiB.
const MEMORY_MIB: u64 = 1024;
/// Longest input, in bytes: most bounds of parsers lie below.
const LONGEST: u64 = 16 * 1024;
/// Lines shown of what a broken target said: the failure, its stack and the input.
const SHOWN: usize = 60;

/// Counters of edges, tables for them, and what comparisons compare; debug assertions, so that overflow is found.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions --cfg fuzzing";

/// Built in a hurry: a minute of fuzzing is no place for minutes of optimising.
const QUICK: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// Runs every target.
///
/// # Errors
/// Names the targets that an input broke, and where the inputs lie.
pub fn run(ground: &Ground, log: &mut Log) -> Result<()> {
    let folder = ground.target.join("fuzz");
    let (corpus, broken) = (folder.join("corpus"), folder.join("broken"));
    std::fs::create_dir_all(&broken)?;
    let mut seeds = ground.cargo(&["run", "--locked", "--quiet", "--package", "cs-fuzz", "--", "seeds"]);
    log.run(seeds.arg(&corpus))?;
    let listed =
        ground.cargo(&["run", "--locked", "--quiet", "--package", "cs-fuzz", "--", "list"]).output()?;
    let listed = String::from_utf8(listed.stdout).context("the list of targets")?;
    let names: Vec<&str> = listed.lines().collect();
    anyhow::ensure!(!names.is_empty(), "cs-fuzz lists no target");

    let host = host(ground)?;
    // A target of its own, so that programs that run while building carry no counters.
    let mut build = ground.cargo(&["build", "--locked", "--release", "--package", "cs-fuzz"]);
    build.args(["--features", "engine", "--target", &host, "--target-dir"]).arg(&folder);
    log.run(build.env("RUSTFLAGS", FLAGS).envs(QUICK))?;
    let program = folder.join(&host).join("release/cs-fuzz");

    let seconds = match std::env::var("COUNTERSIGN_FUZZ_SECONDS") {
        Ok(said) => said.parse().context("COUNTERSIGN_FUZZ_SECONDS is no number of seconds")?,
        Err(_) => SECONDS,
    };
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs)?;
    let mut failed = Vec::new();
    for batch in names.chunks(AT_ONCE) {
        let mut running = Vec::new();
        for name in batch {
            let mut command = engine(&program, name);
            command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={LONGEST}"));
            command.arg(format!("-artifact_prefix={}/{name}-", broken.display()));
            let said = logs.join(format!("{name}.log"));
            let child = log.spawn_into(command.arg(corpus.join(name)), File::create(&said)?)?;
            running.push((name, said, child));
        }
        for (name, said, mut child) in running {
            let status = log.finish(&mut child)?;
            if status.success() {
                continue;
            }
            // What the others say would bury it.
            log.note(&format!("{name} ended with {status}\n{}", tail(&said, SHOWN)))?;
            if stood_still(&program, name, &broken, log)? {
                log.note(&format!("{name}: the machine stood still, the input takes no time"))?;
            } else {
                failed.push(*name);
            }
        }
    }
    if !failed.is_empty() {
        let (failed, broken) = (failed.join(", "), broken.display());
        bail!("an input broke {failed}: it lies in {broken}, what was said in {}", logs.display());
    }
    log.note(&format!("{} targets, {:?} each", names.len(), Duration::from_secs(seconds)))
}

/// The engine with the bounds of one input.
fn engine(program: &Path, target: &str) -> Command {
    let mut command = Command::new(program);
    command.env("COUNTERSIGN_FUZZ_TARGET", target).arg("-verbosity=0");
    command.arg(format!("-timeout={SLOW_SECONDS}")).arg(format!("-rss_limit_mb={MEMORY_MIB}"));
    command
}

/// The engine's clock goes on while a virtual machine is paused: an input that was only slow, and is not so when it is tried
/// again, has found nothing. One that broke its target stays a failure, also where it does not again.
fn stood_still(program: &Path, target: &str, broken: &Path, log: &mut Log) -> Result<bool> {
    let kind = |found: &PathBuf| {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        Some(name.strip_prefix(target)?.strip_prefix('-')?.to_owned())
    };
    let entries = std::fs::read_dir(broken)?.map(|entry| entry.map(|found| found.path()));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let (slow, other): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .filter_map(|found| Some((kind(&found)?, found)))
        .partition(|(kind, _)| kind.starts_with("timeout-") || kind.starts_with("slow-unit-"));
    if slow.is_empty() || !other.is_empty() {
        return Ok(false);
    }
    for (_, input) in slow {
        if !log.finish(&mut log.spawn(engine(program, target).arg(&input))?)?.success() {
            return Ok(false);
        }
        std::fs::remove_file(&input)?;
    }
    Ok(true)
}

fn host(ground: &Ground) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).current_dir(&ground.root).arg("-vV").output()?;
    let said = String::from_utf8(said.stdout).context("what rustc says of itself")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// How often a property of a pure function is tried.
const CASES: &str = "20000";
/// Those of the agent's parsers: each case costs more.
const AGENT_CASES: &str = "4000";

/// The property tests: everything that meets bytes of strangers or decides about them lies in `core/` and `wire/`; on the
/// machine's side in the metadata services and the agent.
pub fn properties(ground: &Ground, log: &mut Log) -> Result<()> {
    let members = arrows::workspace(ground)?;
    let mut tests = ground.cargo(&["test", "--locked", "--lib"]);
    for name in members.iter().filter_map(|member| member.name_in(&["core/", "wire/"])) {
        tests.args(["--package", name]);
    }
    log.run(tests.env("PROPTEST_CASES", CASES))?;
    let machine = ["--lib", "--package", "cs-metadata", "--package", "cs-agent"];
    let mut tests = ground.cargo(&["test", "--locked"]);
    log.run(tests.args(machine).env("PROPTEST_CASES", AGENT_CASES))
}
