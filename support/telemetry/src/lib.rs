//! Logs: one event is one line, on standard error, with control characters escaped (H06).
//!
//! `RUST_LOG`-style filters come from `COUNTERSIGN_LOG`; the default is warnings. `COUNTERSIGN_LOG_FORMAT=json`
//! writes one JSON object a line.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Starts logging for a program. A second call changes nothing.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_env("COUNTERSIGN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let json = std::env::var("COUNTERSIGN_LOG_FORMAT").is_ok_and(|f| f == "json");
    let registry = tracing_subscriber::registry().with(filter);
    let outcome = if json {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(false).with_target(true).with_writer(std::io::stderr)).try_init()
    };
    // Only a second call fails, and then logs are on already.
    drop(outcome);
}

/// Text from outside, fit for one line of a log: control characters escaped, at most 512 characters.
pub fn one_line(text: &str) -> String {
    text.chars()
        .take(512)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h06_log_injection_is_escaped() {
        let planted = "ok\n2026-01-01 ERROR forged\u{1b}[31m\r";
        let line = one_line(planted);
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line}");
        assert_eq!(line, "ok\\n2026-01-01 ERROR forged\\u{1b}[31m\\r");
    }
}
