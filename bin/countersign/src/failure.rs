//! How a verb fails: one line, where we know what helps a second one, and the documented exit code.

use std::process::ExitCode;

/// Exit codes of contract.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Failed = 1,
    Usage = 2,
    WrongState = 3,
    Unreachable = 4,
    Refused = 5,
}

#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[expect(clippy::print_stderr, reason = "the contract's error lines")]
    pub fn report(&self) -> ExitCode {
        eprintln!("countersign: error: {}", cs_telemetry::one_line(&self.message));
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.kind as u8)
    }
}

/// Adds what was attempted to an error from below.
pub trait Attempt<T> {
    fn attempt(self, what: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::failed(format!("{what}: {}", chain(&error))))
    }
}

/// An error with its causes; what an error's text says already of its cause is not said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = next.source();
    }
    message
}

/// What clap says of a wrong usage, on one line: its first line, with the arguments that it lists below.
fn first_sentence(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("wrong usage").trim_start_matches("error: ").to_owned();
    let listed: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).map(str::trim).collect();
    if listed.is_empty() { first } else { format!("{first} {}", listed.join(" ")) }
}

/// Help and version are answers, not errors; wrong usage is one line and a hint.
#[expect(clippy::print_stdout, reason = "help goes to standard output")]
pub fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print!("{}", error.render());
            ExitCode::SUCCESS
        }
        _ => {
            let message = first_sentence(&error.render().to_string());
            Failure::new(Kind::Usage, message).hint("countersign --help shows the commands").report()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_usage_is_one_line_that_names_what_is_missing() {
        let text = "error: the following required arguments were not provided:\n  <CMD>...\n\nUsage: x\n";
        assert_eq!(first_sentence(text), "the following required arguments were not provided: <CMD>...");
        assert_eq!(
            first_sentence("error: unexpected argument '-x' found\n\nUsage: x"),
            "unexpected argument '-x' found"
        );
    }
}
