//! Running other programs: their output goes to the step's log, and none may run for ever.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The log of one step, and the moment by which the step must be over.
pub struct Log {
    path: PathBuf,
    file: File,
    deadline: Instant,
}

impl Log {
    pub fn create(path: &Path, limit: Duration) -> Result<Self> {
        std::fs::create_dir_all(path.parent().context("a log lies in a folder")?)?;
        File::create(path).with_context(|| format!("creating {}", path.display()))?;
        // Appending: children hold the file too and nobody may overwrite another's lines.
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file, deadline: Instant::now() + limit })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn note(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").context("writing the log")
    }

    /// Runs a program to its end; anything but exit code 0 is an error that names the command.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        let shown = shown(command);
        self.note(&format!("$ {shown}"))?;
        let status = self.finish(&mut self.spawn(command)?)?;
        if !status.success() {
            bail!("`{shown}` ended with {status}");
        }
        Ok(())
    }

    /// Starts a program whose output goes to the log.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        self.spawn_into(command, self.file.try_clone()?)
    }

    /// Starts a program whose output goes to a file of its own.
    pub fn spawn_into(&self, command: &mut Command, output: File) -> Result<Child> {
        if !std::io::stdin().is_terminal() {
            // A group of its own can be ended as a whole. At a terminal it would miss the person's Ctrl-C.
            command.process_group(0);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        command.spawn().with_context(|| format!("starting {}", command.get_program().to_string_lossy()))
    }

    /// Waits for a program, or ends it when the step's time is up.
    pub fn finish(&self, child: &mut Child) -> Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > self.deadline {
                end_group(child);
                bail!("the step took longer than it may");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Ends a program and, where it leads a group, all that it started.
fn end_group(child: &mut Child) {
    if !std::io::stdin().is_terminal() {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The command as a person would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The last lines of a log, for the person whose step just failed.
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Whether a program of this name is on the path.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_ends_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(&folder.path().join("x.log"), Duration::from_millis(100)).unwrap();
        let error = log.run(Command::new("sleep").arg("600")).unwrap_err();
        assert!(error.to_string().contains("longer than it may"), "{error}");
    }

    #[test]
    fn a_failure_names_its_command_and_the_log_keeps_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(&folder.path().join("x.log"), Duration::from_secs(60)).unwrap();
        let error = log.run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().starts_with("`sh -c"), "{error}");
        assert!(tail(log.path(), 2).contains("out") && tail(log.path(), 2).contains("err"));
    }
}
