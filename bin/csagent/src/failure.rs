//! How a verb fails, under the name we were called by. Where azcmagent has a code of its own for it, that stands at the
//! end of the line (metadata.md 7.2).

use std::process::ExitCode;

pub use cs_cli::{Attempt, Failure, Kind, chain};

/// The name we were called by: scripts of azcmagent call us so through a link.
pub fn program() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&called).file_name().unwrap_or_default();
    if name == "azcmagent" { "azcmagent" } else { "csagent" }
}

pub fn report(failure: &Failure) -> ExitCode {
    failure.report(program())
}

pub fn usage(error: &clap::Error) -> ExitCode {
    let missing = error.kind() == clap::error::ErrorKind::MissingRequiredArgument;
    let code = if missing { "AZCM0016" } else { "AZCM0101" };
    cs_cli::usage(program(), error).map_or(ExitCode::SUCCESS, |failure| report(&failure.code(code)))
}
