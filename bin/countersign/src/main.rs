//! `countersign`: the site, and the operator's commands.
//!
//! Composition only: read what was asked for, build the parts, mount the surfaces, run.

mod cli;
mod failure;
mod gateway;
mod site;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

/// What lies in memory (keys, secrets, tokens) must not lie on the disk after a crash (E10). The hard limit stays, for
/// commands of `run` that want their own.
fn no_core_dumps() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let off =
        getrlimit(Resource::RLIMIT_CORE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_CORE, 0, hard));
    if let Err(error) = off {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}

fn main() -> ExitCode {
    cs_cli::end_with_the_reader("countersign");
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    // Who asks a standing site's machine for tokens is said unasked.
    let stands = matches!(cli.verb, cli::Verb::Up(_));
    cs_telemetry::start(if stands { "warn,callers=info" } else { "warn" });
    no_core_dumps();
    match verbs::carry_out(cli) {
        Ok(code) => code,
        Err(failure) => failure::report(&failure),
    }
}
