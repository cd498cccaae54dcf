//! How a verb fails: one line, where we know what helps a second one, and the documented exit code. Where azcmagent
//! has a code of its own for it, that stands at the end of the line (metadata.md 7.2).

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
    pub code: Option<&'static str>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, code: None }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// azcmagent's code for it.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    #[expect(clippy::print_stderr, reason = "the contract's error lines")]
    pub fn report(&self) -> ExitCode {
        let code = self.code.map(|c| format!(" ({c})")).unwrap_or_default();
        eprintln!("{}: error: {}{code}", program(), cs_telemetry::one_line(&self.message));
        if let Some(hint) = &self.hint {
            eprintln!("hint: {}", cs_telemetry::one_line(hint));
        }
        ExitCode::from(self.kind as u8)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// The name we were called by: scripts of azcmagent call us so through a link.
pub fn program() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&called).file_name().unwrap_or_default();
    if name == "azcmagent" { "azcmagent" } else { "csagent" }
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

/// An error with its causes, none said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
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
            let text = error.render().to_string();
            // What is missing stands in the lines below the first, up to the usage.
            let said: Vec<&str> = text.lines().map(str::trim).take_while(|l| !l.is_empty()).collect();
            let said = said.join(" ");
            let said = said.trim_start_matches("error: ");
            let said = if said.is_empty() { "wrong usage" } else { said };
            let code =
                if error.kind() == ErrorKind::MissingRequiredArgument { "AZCM0016" } else { "AZCM0101" };
            let hint = format!("{} --help shows the commands", program());
            Failure::new(Kind::Usage, said).code(code).hint(hint).report()
        }
    }
}
