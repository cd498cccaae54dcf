//! Runs the user's command as if it had been started by hand: same terminal, same signals, same exit code.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgrp, tcgetpgrp},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{Setting, forked};

/// A command to be run once.
#[derive(Debug)]
pub struct Errand {
    command: Command,
    program: OsString,
    path: OsString,
}

impl Errand {
    /// `program` is looked for on PATH, like a shell does.
    pub fn new(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).kill_on_drop(true);
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        Self { command, program: program.as_ref().to_owned(), path }
    }

    /// Sets and unsets variables over the environment of this process.
    #[must_use]
    pub fn with<'a>(mut self, settings: impl IntoIterator<Item = &'a Setting>) -> Self {
        for Setting { name, value } in settings {
            match value {
                Some(value) => self.command.env(name, value),
                None => self.command.env_remove(name),
            };
        }
        self
    }

    /// Puts a directory before all others on the command's PATH.
    #[must_use]
    pub fn finding_first(mut self, programs: &Path) -> Self {
        let before = std::mem::take(&mut self.path);
        let all = std::iter::once(PathBuf::from(programs)).chain(std::env::split_paths(&before));
        // Only a directory with a colon in its name cannot be joined; then the command has the PATH it had.
        self.path = std::env::join_paths(all).unwrap_or(before);
        self
    }

    /// Starts the command, passes signals on to it, and waits for its end.
    ///
    /// Must be awaited on a thread that lasts as long as the process (the main thread's `block_on`): the command is
    /// killed when the thread that started it ends.
    pub async fn run(mut self) -> Result<Outcome, ErrandError> {
        self.command.env("PATH", &self.path);
        forked::dies_with_us(&mut self.command);
        let mut signals = listen().map_err(ErrandError::Signals)?;
        let mut child =
            self.command.spawn().map_err(|source| ErrandError::from_start(&self.program, source))?;
        loop {
            tokio::select! {
                biased;
                ended = child.wait() => return ended.map(Outcome).map_err(ErrandError::Waiting),
                Some(signal) = signals.recv() => pass_on(signal, &child),
            }
        }
    }
}

/// Signals a command may be sent through us. Window changes, ^Z and ^C of a terminal reach it by themselves, since it
/// stays in our process group.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

fn listen() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (heard, signals) = mpsc::unbounded_channel();
    for kind in PASSED_ON {
        let mut stream = signal(SignalKind::from_raw(kind as i32))?;
        let heard = heard.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && heard.send(kind).is_ok() {} });
    }
    Ok(signals)
}

fn pass_on(signal: Signal, child: &Child) {
    let from_keyboard = matches!(signal, Signal::SIGINT | Signal::SIGQUIT) && terminal_is_ours();
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) else { return };
    if !from_keyboard {
        // It may have ended in between, which the caller is about to see.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// In the foreground of a terminal, its keys send signals to the whole group: passing them on would send them twice,
/// and many programs take a second ^C for impatience.
fn terminal_is_ours() -> bool {
    let Ok(terminal) = fs::File::open("/dev/tty") else { return false };
    tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome(ExitStatus);

impl Outcome {
    /// What a shell would say: the command's own code, or 128 and the signal that ended it.
    pub fn exit_code(self) -> u8 {
        let code = self.0.code().or_else(|| self.0.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
    }

    pub fn succeeded(self) -> bool {
        self.0.success()
    }
}

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    #[error("{0}: no such command")]
    NoSuchCommand(String),
    #[error("{program}: cannot be run")]
    CannotRun { program: String, source: io::Error },
    #[error("listening for signals")]
    Signals(#[source] io::Error),
    #[error("waiting for the command")]
    Waiting(#[source] io::Error),
}

impl ErrandError {
    /// What a shell would exit with (POSIX XCU 2.8.2); 1 for failures that are ours.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchCommand(_) => 127,
            Self::CannotRun { .. } => 126,
            Self::Signals(_) | Self::Waiting(_) => 1,
        }
    }

    fn from_start(program: &OsStr, source: io::Error) -> Self {
        let program = program.to_string_lossy().into_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NoSuchCommand(program),
            _ => Self::CannotRun { program, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Errand {
        Errand::new("sh", ["-c", script])
    }

    #[tokio::test]
    async fn the_exit_code_is_the_commands_own() {
        assert_eq!(shell("exit 42").run().await.unwrap().exit_code(), 42);
        assert_eq!(shell("kill -TERM $$").run().await.unwrap().exit_code(), 128 + 15);
    }

    #[tokio::test]
    async fn a_command_that_cannot_be_started_has_a_shells_code() {
        let missing = Errand::new("countersign-no-such-command", [""; 0]).run().await.unwrap_err();
        assert_eq!(missing.exit_code(), 127);
        let file = tempfile::NamedTempFile::new().unwrap();
        let unrunnable = Errand::new(file.path(), [""; 0]).run().await.unwrap_err();
        assert_eq!(unrunnable.exit_code(), 126);
    }

    #[tokio::test]
    async fn settings_are_set_and_unset_and_programs_of_ours_come_first() {
        let programs = tempfile::tempdir().unwrap();
        let settings = [Setting::set("CS_TEST", "a b"), Setting::unset("HOME")];
        let script = format!(
            "test \"$CS_TEST\" = 'a b' && test -z \"${{HOME+x}}\" && case $PATH in {}:*) exit 7;; esac",
            programs.path().display()
        );
        let errand = shell(&script).with(&settings).finding_first(programs.path());
        assert_eq!(errand.run().await.unwrap().exit_code(), 7);
    }
}
