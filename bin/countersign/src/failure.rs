//! How a verb fails, under this program's name.

use std::process::ExitCode;

pub use cs_cli::{Attempt, Failure, Kind, chain};

const PROGRAM: &str = "countersign";

pub fn report(failure: &Failure) -> ExitCode {
    failure.report(PROGRAM)
}

pub fn usage(error: &clap::Error) -> ExitCode {
    cs_cli::usage(PROGRAM, error).map_or(ExitCode::SUCCESS, |failure| report(&failure))
}
