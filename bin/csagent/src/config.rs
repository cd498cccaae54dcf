//! `csagent config`: settings of this machine, kept in `localconfig.json` (metadata.md 7.2).

pub use cs_agent::settings::Settings;
use cs_agent::settings::{self, Change, KNOWN, Known, Unfit};
use serde_json::{Value, json};

use crate::{
    cli::{ConfigArgs, ConfigVerb},
    credential::standard_input,
    failure::{Attempt, Failure, Kind},
    state::Place,
};

pub const FILE: &str = "localconfig.json";

/// The settings there are.
///
/// # Errors
/// A [`Failure`] where they cannot be read, or one of them holds what it may not.
pub fn load(place: &Place) -> Result<Settings, Failure> {
    let what = || format!("reading {}", place.at(FILE).display());
    as_they_are(place)?.checked().map_err(|unfit| {
        Failure::failed(format!("{}: {}", what(), unfit.why))
            .hint("`csagent config set` or `csagent config clear` mends it")
    })
}

/// The same, so that `config` can mend what does not fit, and `logs` show it.
pub fn as_they_are(place: &Place) -> Result<Settings, Failure> {
    let Some(text) = place.read_bytes(FILE)? else { return Ok(Settings::default()) };
    Settings::read(&text).map_err(|why| {
        let path = place.at(FILE);
        Failure::failed(format!("reading {}: {why}", path.display()))
            .hint(format!("mend it, or remove {} to have everything as by default", path.display()))
    })
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn config(args: &ConfigArgs, as_json: bool) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    match &args.verb {
        ConfigVerb::List if as_json => {
            let settings = as_they_are(&place)?;
            let all: serde_json::Map<_, _> =
                KNOWN.iter().map(|k| (k.name.to_owned(), json!(settings.shown(k)))).collect();
            println!("{}", Value::Object(all));
        }
        ConfigVerb::List => {
            let settings = as_they_are(&place)?;
            println!("Local Configuration Settings");
            for known in KNOWN {
                let label = format!("{}{}", known.name, known.note);
                println!("  {label:<40}: {}", settings.shown(known));
            }
        }
        ConfigVerb::Get { property } => {
            let known = find(property)?;
            println!("{}", as_they_are(&place)?.shown(known));
        }
        ConfigVerb::Info { property } => {
            let wanted = property.as_deref().map(find).transpose()?;
            for known in KNOWN.iter().filter(|k| wanted.is_none_or(|w| w.name == k.name)) {
                println!("{}: {}", known.name, known.about);
            }
        }
        ConfigVerb::Set { property, value, add, remove } => {
            let known = find(property)?;
            let value = if value == "-" { standard_input(known.name)? } else { value.clone() };
            let change = match (add, remove) {
                (true, _) => Change::Add,
                (_, true) => Change::Remove,
                _ => Change::Replace,
            };
            let settings = change_to(&place, |settings| settings.set(known, &value, change).map_err(unfit))?;
            println!("Config property {} set to value {}", known.name, settings.shown(known));
        }
        ConfigVerb::Clear { property } => {
            let known = find(property)?;
            change_to(&place, |settings| {
                settings.clear(known);
                Ok(())
            })?;
            println!("Config property {} cleared", known.name);
        }
    }
    Ok(())
}

/// Answers the settings as they are then.
fn change_to(
    place: &Place,
    change: impl FnOnce(&mut Settings) -> Result<(), Failure>,
) -> Result<Settings, Failure> {
    // Before they are read: of two commands at once neither may lose what the other has set.
    let _lock = place.lock()?;
    let mut settings = as_they_are(place)?;
    change(&mut settings)?;
    let text = serde_json::to_vec_pretty(&settings).attempt("writing the settings")?;
    // A proxy's address may hold a password.
    place.write(FILE, &text, 0o600)?;
    Ok(settings)
}

fn find(name: &str) -> Result<&'static Known, Failure> {
    settings::find(name).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("there is no property {name}"))
            .code("AZCM0023")
            .hint("`csagent config list` shows them")
    })
}

fn unfit(unfit: Unfit) -> Failure {
    let failure = Failure::new(Kind::Usage, unfit.why).code("AZCM0023");
    match unfit.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
