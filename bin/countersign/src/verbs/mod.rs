//! One file a verb.

mod audit;
mod backup;
pub mod database;
mod env;
mod export;
pub mod gateway;
mod import;
mod lab;
pub mod machine;
mod operator;
mod restore;
mod run;
pub mod trust;
mod up;
mod verify;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Verb},
    failure::{Attempt, Failure},
};

pub fn carry_out(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.verb {
        Verb::Up(args) => runtime()?.block_on(up::up(args)),
        Verb::Env(args) => env::env(&args),
        // Enters its namespaces while there is one thread; starts its runtime after.
        Verb::Run(args) => run::run(args),
        Verb::Database(args) => runtime()?.block_on(database::database(args)),
        Verb::Audit(args) => runtime()?.block_on(audit::audit(args)),
        Verb::Gateway(args) => runtime()?.block_on(gateway::gateway(args)),
        Verb::Machine(args) => runtime()?.block_on(machine::machine(args)),
        Verb::Trust(args) => runtime()?.block_on(trust::trust(&args)),
        Verb::Backup(args) => runtime()?.block_on(backup::backup(&args)),
        Verb::Restore(args) => restore::restore(&args),
        Verb::Verify(args) => runtime()?.block_on(verify::verify(&args)),
        Verb::Import(args) => runtime()?.block_on(import::import(args)),
        Verb::Export(args) => runtime()?.block_on(export::export(args)),
        Verb::Lab(args) => runtime()?.block_on(lab::lab(args)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().attempt("starting the runtime")
}
