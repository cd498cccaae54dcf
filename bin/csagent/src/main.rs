//! `csagent`: the machine's side of a site. Called as `azcmagent` it takes the same verbs and flags.

mod cli;
mod connect;
mod disconnect;
mod facts;
mod failure;
mod host;
mod run;
mod show;
mod site;
mod state;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Verb},
    failure::{Attempt, Failure},
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    cs_telemetry::start("warn");
    match carry_out(cli.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn carry_out(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Connect(args) => runtime()?.block_on(connect::connect(args)),
        Verb::Disconnect(args) => runtime()?.block_on(disconnect::disconnect(args)),
        Verb::Run(args) => runtime()?.block_on(run::run(args)),
        Verb::Show(args) => show::show(&args),
        Verb::Version => {
            show::version();
            Ok(())
        }
    }
}

/// One thread is enough for a machine's programs, and costs the least while nobody asks.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().attempt("starting the runtime")
}
