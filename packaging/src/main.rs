//! Packages of the agent: one list of what goes where ([`contents`]), written as `.deb` and as `.rpm`.
//!
//! ```text
//! cargo xtask package                                      builds the agent, then calls this
//! cs-packaging --program target/release/csagent --output target/packages
//! ```
#![expect(clippy::print_stdout, reason = "a command-line tool says what it made")]

mod contents;
mod deb;
mod linked;
mod rpm;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

/// What both package managers are told.
const NAME: &str = "csagent";
const SUMMARY: &str = "Managed identity for this machine";
const DESCRIPTION: &str = "Gives the programs of this machine tokens and metadata in the dialects that Azure's clients speak, \
    from a Countersign site or the public cloud. Takes the place, the port and the command line of the Connected Machine agent.";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Whoever builds the package answers for it.
const MAINTAINER: &str = "Countersign <root@localhost>";

#[derive(Parser)]
#[command(about = "Writes the agent's packages")]
struct Arguments {
    /// The agent
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Where the packages go
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let program = std::fs::read(&arguments.program)
        .with_context(|| format!("reading {}", arguments.program.display()))?;
    std::fs::create_dir_all(&arguments.output)
        .with_context(|| format!("making {}", arguments.output.display()))?;
    println!("{}", rpm::write(&program, &arguments.output)?.display());
    println!("{}", deb::write(&program, &arguments.output)?.display());
    Ok(())
}
