//! `countersign`: the site, and the operator's commands.
//!
//! Composition only: read what was asked for, build the parts, mount the surfaces, run.

mod cli;
mod failure;
mod site;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    cs_telemetry::start("warn");
    match verbs::carry_out(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
