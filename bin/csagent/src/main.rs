//! `csagent`: the machine's side of a site. Called as `azcmagent` it takes the same verbs and flags.

mod absent;
mod certificates;
mod check;
mod cli;
mod completion;
mod config;
mod connect;
mod credential;
mod database;
mod disconnect;
mod entra;
mod existing;
mod facts;
mod failure;
mod forward;
mod given;
mod host;
mod inherited;
mod issuer;
mod join;
mod logs;
mod ports;
mod privileges;
mod rotation;
mod run;
mod show;
mod site;
mod sources;
mod state;
mod statements;
mod whole;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::{
    cli::{Cli, Verb},
    failure::{Attempt, Failure},
};

fn main() -> ExitCode {
    cs_cli::end_with_the_reader(failure::program());
    let given = match given::with_file(std::env::args_os().collect()) {
        Ok(given) => given,
        Err(failure) => return failure::report(&failure),
    };
    let parsed = Cli::command().bin_name(failure::program()).try_get_matches_from(given);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    cs_telemetry::start(match (&cli.verb, cli.common.verbose) {
        (_, true) => "info",
        // Who asked for tokens is said unasked.
        (Verb::Run(_), false) => "warn,callers=info",
        _ => "warn",
    });
    match carry_out(cli.verb, cli.common.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}

fn carry_out(verb: Verb, as_json: bool) -> Result<(), Failure> {
    match verb {
        Verb::Connect(args) => runtime()?.block_on(connect::connect(args)),
        Verb::Disconnect(args) => runtime()?.block_on(disconnect::disconnect(args)),
        Verb::Run(args) => runtime()?.block_on(run::run(args)),
        Verb::Forward(args) => runtime()?.block_on(forward::forward(args)),
        Verb::Certificates(args) => runtime()?.block_on(certificates::certificates(args)),
        Verb::Show(args) => show::show(&args, as_json),
        Verb::Check(args) => runtime()?.block_on(check::check(&args, as_json)),
        Verb::Config(args) => config::config(&args, as_json),
        Verb::Database(args) => runtime()?.block_on(database::database(args, as_json)),
        Verb::Logs(args) => logs::logs(&args),
        Verb::Genkey(args) => existing::genkey(&args),
        Verb::Completion(args) => {
            completion::completion(&args);
            Ok(())
        }
        Verb::Extension(args) => absent::extension(&args, as_json),
        Verb::License => {
            absent::license(as_json);
            Ok(())
        }
        Verb::Upgrade(args) => absent::upgrade(&args),
        Verb::Version => {
            show::version(as_json);
            Ok(())
        }
    }
}

/// One thread is enough for a machine's programs, and costs the least while nobody asks.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().attempt("starting the runtime")
}
