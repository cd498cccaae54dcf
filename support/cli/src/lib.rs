//! How a program of ours fails: one line, where we know what helps a second one, and the documented exit code.

use std::{error::Error, fmt, process::ExitCode};

/// Exit codes of both programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Failed = 1,
    Usage = 2,
    /// Already connected, not connected, data directory in use.
    WrongState = 3,
    /// The site, its database or the network cannot be reached.
    Unreachable = 4,
    /// Authentication or authorisation.
    Refused = 5,
}

/// What a person is told of a failure.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    /// What helps.
    pub hint: Option<String>,
    /// The code another program has for it, which scripts may look for; it stands at the end of the line.
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

    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Writes the lines to standard error, under the name the program was called by.
    #[expect(clippy::print_stderr, reason = "the contract's error lines")]
    pub fn report(&self, program: &str) -> ExitCode {
        let code = self.code.map(|c| format!(" ({c})")).unwrap_or_default();
        eprintln!("{program}: error: {}{code}", cs_telemetry::one_line(&self.message));
        if let Some(hint) = &self.hint {
            eprintln!("hint: {}", cs_telemetry::one_line(hint));
        }
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Lets the program end quietly when whoever reads its output has gone, as in `… | head`, and by a [`Failure`] when what
/// it prints can be written nowhere, as on a full disk.
///
/// Rust programs are not ended by SIGPIPE but panic when they print; a server must not be ended by it, so the signal stays
/// ignored and only that panic is answered by an end.
pub fn end_with_the_reader(program: &'static str) {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        match unprintable(said) {
            Some("Broken pipe") => std::process::exit(0),
            Some(why) if said.starts_with(ANSWER) => {
                let line = format!("{program}: error: writing the answer to standard output: {why}\n");
                // Standard error may be as full.
                drop(std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()));
                std::process::exit(Kind::Failed as i32);
            }
            _ => others(panic),
        }
    }));
}

/// How the panic begins where it was the answer; talk that cannot be written is no reason to end.
const ANSWER: &str = "failed printing to stdout: ";

/// Why the library could not print, of the panic it says so with.
fn unprintable(said: &str) -> Option<&str> {
    let said = said.strip_prefix("failed printing to std")?;
    let (_, why) = said.split_once(": ")?;
    Some(why.split(" (os error").next().unwrap_or(why))
}

/// Adds what was attempted to an error from below.
pub trait Attempt<T> {
    /// # Errors
    /// The error, as a [`Failure`] that names the attempt first.
    fn attempt(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Error> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::failed(format!("{what}: {}", chain(&error))))
    }
}

/// An error with its causes; what an error's text says already of its cause is not said twice.
pub fn chain(error: &dyn Error) -> String {
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

/// What clap could not read. Help and version are answers, not errors: they are printed, and `None` comes back.
#[expect(clippy::print_stdout, reason = "help goes to standard output")]
pub fn usage(program: &str, error: &clap::Error) -> Option<Failure> {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print!("{}", error.render());
        return None;
    }
    let message = match error.kind() {
        // Rendered, this is the whole help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command is given".to_owned(),
        _ => first_sentence(&error.render().to_string()),
    };
    Some(Failure::new(Kind::Usage, message).hint(format!("{program} --help shows the commands")))
}

/// What clap says of a wrong usage, on one line: its first line, with the arguments that it lists below.
fn first_sentence(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let said = lines.join(" ");
    let said = said.trim_start_matches("error: ");
    if said.is_empty() { "wrong usage".to_owned() } else { said.to_owned() }
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

    #[test]
    fn what_cannot_be_printed_is_told_from_a_reader_who_has_gone() {
        // Word for word what the library says; step agent sees it from outside.
        assert_eq!(unprintable("failed printing to stdout: Broken pipe (os error 32)"), Some("Broken pipe"));
        assert_eq!(
            unprintable("failed printing to stdout: No space left on device (os error 28)"),
            Some("No space left on device")
        );
        assert_eq!(unprintable("index out of bounds"), None);
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("opening x")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let failed: Result<(), _> = Err(Outer(std::io::Error::other("no room")));
        let failure = failed.attempt("starting").unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Failed, "starting: opening x: no room"));
    }
}
