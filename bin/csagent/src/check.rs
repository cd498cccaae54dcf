//! `csagent check`: what is between this machine's programs and their tokens, one line each.

mod local;
mod proxy;
mod remote;

use serde_json::{Value, json};

use crate::{
    cli::CheckArgs,
    config::{self, Settings},
    failure::{Failure, Kind},
    site,
    state::Place,
};

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Good,
    /// Works, but somebody should know.
    Note,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
struct Row {
    what: String,
    found: Found,
    /// For addresses: whether it was reached, over TLS we trust, and by which way.
    way: Option<Way>,
    detail: String,
}

#[derive(Debug, Clone)]
struct Way {
    reached: bool,
    private: bool,
    tls: &'static str,
    proxy: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, found: Found, detail: impl Into<String>) -> Self {
        Self { what: what.into(), found, way: None, detail: detail.into() }
    }
}

pub async fn check(args: &CheckArgs, as_json: bool) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let state = place.load()?;
    // The rest can be looked at without; root sees the settings.
    let (settings, said) = match config::load(&place) {
        Ok(settings) => (settings, None),
        Err(failure) => (Settings::default(), Some(failure)),
    };
    let given = site::ca_file(args.ca_file.as_deref())?;
    let ca = given.or_else(|| state.as_ref().and_then(|s| s.ca.clone()));
    let address = match (&args.site, &state) {
        (Some(site), _) => site::checked_address(site)?,
        (None, Some(state)) => state.site.clone(),
        (None, None) => {
            return Err(Failure::new(
                Kind::WrongState,
                "this machine is not connected, and no site is named",
            )
            .hint("give --site URL, the address of the site's resource manager"));
        }
    };
    let mut rows = remote::rows(&address, ca.as_deref(), &settings).await?;
    rows.extend(settings_row(&place, &settings, said));
    rows.extend(local::rows(args.himds_port, state.as_ref()).await);
    print(&rows, as_json);
    verdict(&rows)
}

/// What keeps the agent from its settings, or that somebody meant one that there is not.
fn settings_row(place: &Place, settings: &Settings, failure: Option<Failure>) -> Option<Row> {
    let what = place.at(config::FILE).display().to_string();
    match failure {
        Some(failure) if failure.code == Some("AZCM0018") => Some(Row::new(
            what,
            Found::Note,
            "only root reads it: a proxy that is set there was not used here",
        )),
        Some(failure) => Some(Row::new(what, Found::Bad, failure.message)),
        None => {
            let odd: Vec<&str> = settings.unknown().collect();
            let detail = format!("holds what is no setting, and is not used: {}", odd.join(", "));
            (!odd.is_empty()).then(|| Row::new(what, Found::Note, detail))
        }
    }
}

fn verdict(rows: &[Row]) -> Result<(), Failure> {
    let bad: Vec<&Row> = rows.iter().filter(|r| r.found == Found::Bad).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let kind = if bad.iter().any(|r| r.way.is_some()) { Kind::Unreachable } else { Kind::Failed };
    let more = if bad.len() > 1 { format!(", and {} more", bad.len() - 1) } else { String::new() };
    Err(Failure::new(kind, format!("{}: {}{more}", first.what, first.detail)))
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
fn print(rows: &[Row], as_json: bool) {
    if as_json {
        println!("{}", Value::Array(rows.iter().map(as_object).collect()));
        return;
    }
    println!(
        "{:<55} {:<10} {:<8} {:<10} {:<12} Result",
        "Endpoint", "Reachable", "Private", "TLS", "Proxy Status"
    );
    for row in rows {
        let (reached, private, tls, proxy) = match &row.way {
            Some(way) => (yes(way.reached), yes(way.private), way.tls, way.proxy),
            None => ("-", "-", "-", "-"),
        };
        let detail = cs_telemetry::one_line(&row.detail);
        println!(
            "{:<55} {reached:<10} {private:<8} {tls:<10} {proxy:<12} {}: {detail}",
            row.what,
            word(row.found)
        );
    }
}

fn as_object(row: &Row) -> Value {
    let way = row.way.as_ref();
    json!({
        "endpoint": row.what, "reachable": way.map(|w| w.reached), "private": way.map(|w| w.private),
        "tls": way.map(|w| w.tls), "proxy status": way.map(|w| w.proxy), "result": word(row.found),
        "detail": row.detail
    })
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

const fn word(found: Found) -> &'static str {
    match found {
        Found::Good => "good",
        Found::Note => "note",
        Found::Bad => "bad",
    }
}
