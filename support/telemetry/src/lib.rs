//! Logs: one event is one line, on standard error, with control characters escaped (H06).
//!
//! Filters (`warn,cs_sts=debug`) come from `COUNTERSIGN_LOG`; the default is warnings. `COUNTERSIGN_LOG_FORMAT=json`
//! writes one JSON object a line.

use std::fmt;

use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format, format::Writer},
    prelude::*,
    registry::LookupSpan,
};

/// Starts logging for a program. A second call changes nothing.
pub fn start(default: &str) {
    let filter = filter(std::env::var("COUNTERSIGN_LOG").ok().as_deref(), default);
    let json = std::env::var("COUNTERSIGN_LOG_FORMAT").is_ok_and(|f| f == "json");
    let registry = tracing_subscriber::registry().with(filter);
    let outcome = if json {
        registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        let lines = tracing_subscriber::fmt::layer().event_format(one_line_events());
        registry.with(lines.with_ansi(false).with_writer(std::io::stderr)).try_init()
    };
    // Only a second call fails, and then logs are on already.
    drop(outcome);
}

/// Levels by target. What cannot be read counts as not said. Filters by span and field would bring along an engine for
/// regular expressions, and nothing of ours has spans.
fn filter(said: Option<&str>, default: &str) -> Targets {
    let said = said.and_then(|text| text.parse().ok());
    said.or_else(|| default.parse().ok()).unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN))
}

fn one_line_events() -> OneLine<format::Format> {
    OneLine(format().with_ansi(false).with_target(true))
}

/// An event as one line, whatever its fields hold: an error's text may quote what a stranger sent.
struct OneLine<F>(F);

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        for c in text.trim_end_matches('\n').chars() {
            if c.is_control() { write!(to, "{}", c.escape_default())? } else { to.write_char(c)? }
        }
        to.write_char('\n')
    }
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

    #[test]
    fn h06_an_event_is_one_line_whatever_its_fields_hold() {
        let (sender, written) = std::sync::mpsc::channel::<Vec<u8>>();
        let subscriber = tracing_subscriber::registry().with(
            tracing_subscriber::fmt::layer()
                .event_format(one_line_events())
                .with_ansi(false)
                .with_writer(move || Sink(sender.clone())),
        );
        tracing::subscriber::with_default(subscriber, || {
            let error = std::io::Error::other("broke\n2026-01-01 ERROR forged\u{1b}[31m");
            tracing::warn!(%error, debug = ?"a\nb", "a caller said\r\nso");
        });
        let text: Vec<u8> = written.try_iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.ends_with('\n') && text.contains("broke\\n2026-01-01 ERROR forged"), "{text}");
        assert!(!text.contains(['\r', '\u{1b}']), "{text}");
    }

    #[test]
    fn what_is_said_of_a_target_goes_before_the_rest() {
        let shows =
            |said, target| filter(said, "warn,callers=info").would_enable(target, &tracing::Level::INFO);
        assert!(shows(None, "callers") && !shows(None, "cs_sts"));
        assert!(shows(Some("error,cs_sts=debug"), "cs_sts") && !shows(Some("error,cs_sts=debug"), "callers"));
        assert!(shows(Some("info"), "anything") && !shows(Some("off"), "callers"));
        assert!(shows(Some("warn,callers=loud"), "callers"), "nobody is silenced by a slip");
    }

    struct Sink(std::sync::mpsc::Sender<Vec<u8>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
