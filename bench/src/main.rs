//! `cargo xtask bench`: chooses lines, runs them one after the other, prints the table.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its person")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use cs_bench::line::{Line, Outcome};
use cs_bench::lines;

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Prints: name | ours | floor | ratio | aim (medians of turns)")]
struct Arguments {
    /// Lines to run; all when none is named.
    lines: Vec<String>,
    /// Print the lines and stop.
    #[arg(long)]
    list: bool,
    /// Not for people: be an HTTP floor over this folder.
    #[arg(long, hide = true, num_args = 2, value_names = ["KIND", "DIR"])]
    floor: Option<Vec<String>>,
    /// Not for people: connect an agent with its files in this folder, and become it.
    #[arg(long, hide = true, value_name = "DIR")]
    agent: Option<std::path::PathBuf>,
    /// Not for people: connect an agent with its files in this folder, and start it over and over.
    #[arg(long, hide = true, value_name = "DIR")]
    agent_starts: Option<std::path::PathBuf>,
    /// Exit with 1 also when an aim is missed, not only when a line fails.
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    if let Some([kind, folder]) = arguments.floor.as_deref() {
        cs_bench::floor::serve(kind == "tls", std::path::Path::new(folder))?;
        return Ok(true);
    }
    if let Some(folder) = &arguments.agent {
        cs_bench::agent::become_it(folder)?;
    }
    if let Some(folder) = &arguments.agent_starts {
        cs_bench::agent::start_over(folder)?;
        return Ok(true);
    }
    if arguments.list {
        lines::ALL.iter().for_each(|line| println!("{:<24} {}", line.name(), line.about()));
        return Ok(true);
    }
    let chosen = choose(&arguments.lines)?;
    println!("{:<24} | {:>16} | {:>16} | {:>7} | aim", "name", "ours", "floor", "ratio");
    let (mut all_measured, mut all_met) = (true, true);
    for line in chosen {
        match line.measure() {
            Ok(Outcome::Measured(figure)) => {
                all_met &= figure.met();
                println!("{:<24} | {figure}", line.name());
            }
            Ok(Outcome::Absent(why)) => println!("{:<24} | not measured: {why}", line.name()),
            Err(error) => {
                all_measured = false;
                println!("{:<24} | failed: {error:#}", line.name());
            }
        }
    }
    Ok(all_measured && (all_met || !arguments.strict))
}

fn choose(names: &[String]) -> Result<Vec<&'static dyn Line>> {
    if let Some(unknown) =
        names.iter().find(|name| lines::ALL.iter().all(|line| line.name() != name.as_str()))
    {
        anyhow::bail!("no line is called {unknown}; `cargo xtask bench --list` names them");
    }
    let wanted = |line: &&dyn Line| names.is_empty() || names.iter().any(|name| name == line.name());
    Ok(lines::ALL.iter().copied().filter(wanted).collect())
}
