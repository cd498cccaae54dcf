//! `csagent config`: settings of this machine, kept in `localconfig.json` (metadata.md 7.2).

use std::{collections::BTreeMap, fmt};

use cs_metadata::ProxyHeaders;
use serde_json::{Value, json};

use crate::{
    cli::{ConfigArgs, ConfigVerb},
    credential::standard_input,
    failure::{Failure, Kind},
    redact,
    state::Place,
};

pub const FILE: &str = "localconfig.json";

/// What a setting holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Switch,
    List,
    OneOf(&'static [&'static str]),
    Percent,
    /// `90d`, `12h`, `30m`, `60s`, or `off`.
    Period,
}

struct Known {
    name: &'static str,
    /// Shown behind the name, as the original does.
    note: &'static str,
    holds: Holds,
    default: &'static str,
    about: &'static str,
}

const fn known(name: &'static str, holds: Holds, default: &'static str, about: &'static str) -> Known {
    Known { name, note: "", holds, default, about }
}

const PROXY: &str = "proxy.url";

const PROXY_HEADERS: &str = "requests.proxyheaders";

const ENVIRONMENT: &str = "metadata.azenvironment";

/// In the order they are listed. What this agent has no use for is kept for scripts that set it.
const KNOWN: &[Known] = &[
    Known {
        name: "incomingconnections.enabled",
        note: " (preview)",
        holds: Holds::Switch,
        default: "true",
        about: "kept, not used",
    },
    Known {
        name: "incomingconnections.ports",
        note: " (preview)",
        holds: Holds::List,
        default: "",
        about: "kept, not used",
    },
    Known {
        name: "connection.type",
        note: " (preview)",
        holds: Holds::OneOf(&["default", "direct", "gateway"]),
        default: "default",
        about: "direct: no proxy is used, whatever the environment says",
    },
    known(PROXY, Holds::Text, "", "the proxy on the way to the site"),
    known("proxy.bypass", Holds::List, "", "hosts and domains reached without it"),
    known("key.rotation", Holds::Period, "90d", "how long the machine's key is used; off: for ever"),
    known(
        PROXY_HEADERS,
        Holds::OneOf(&["refuse", "accept"]),
        "refuse",
        "programs' requests with Forwarded, Via or X-Real-IP; the agent reads it when it starts",
    ),
    known(
        ENVIRONMENT,
        Holds::Text,
        "AzurePublicCloud",
        "azEnvironment of the instance document, by which some clients choose a cloud; read with the connection",
    ),
    known("extensions.allowlist", Holds::List, "", "kept, not used"),
    known("extensions.blocklist", Holds::List, "", "kept, not used"),
    known("guestconfiguration.enabled", Holds::Switch, "true", "kept, not used"),
    known("extensions.enabled", Holds::Switch, "true", "kept, not used"),
    known("config.mode", Holds::OneOf(&["full", "monitor"]), "full", "kept, not used"),
    known("guestconfiguration.agent.cpulimit", Holds::Percent, "5", "kept, not used"),
    known("extensions.agent.cpulimit", Holds::Percent, "5", "kept, not used"),
];

/// The settings as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Value>);

/// A proxy's address may hold a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(KNOWN.iter().map(|known| (known.name, self.shown(known)))).finish()
    }
}

impl Settings {
    pub fn load(place: &Place) -> Result<Self, Failure> {
        Ok(Self(place.read(FILE)?.unwrap_or_default()))
    }

    pub fn proxy(&self) -> Option<&str> {
        self.0.get(PROXY).and_then(Value::as_str).filter(|url| !url.is_empty())
    }

    pub fn proxy_bypass(&self) -> Vec<String> {
        self.list("proxy.bypass")
    }

    /// Whether the environment's proxy is left alone too.
    pub fn is_direct(&self) -> bool {
        self.0.get("connection.type").and_then(Value::as_str) == Some("direct")
    }

    /// Seconds after which the machine's key is replaced; `None`: never.
    pub fn key_rotation(&self) -> Option<i64> {
        let set = self.0.get("key.rotation").and_then(Value::as_str).unwrap_or("90d");
        period(set).unwrap_or_default()
    }

    /// A04.
    pub fn proxy_headers(&self) -> ProxyHeaders {
        match self.0.get(PROXY_HEADERS).and_then(Value::as_str) {
            Some("accept") => ProxyHeaders::Accepted,
            _ => ProxyHeaders::Refused,
        }
    }

    /// What the instance document calls the cloud; empty: as by default.
    pub fn environment(&self) -> String {
        self.0.get(ENVIRONMENT).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    /// As it is shown, also to root: what is printed ends up in scripts' logs.
    fn shown(&self, known: &Known) -> String {
        match (known.holds, self.0.get(known.name)) {
            (_, Some(Value::String(url))) if known.name == PROXY => redact::masked(url),
            (Holds::List, _) => format!("[{}]", self.list(known.name).join(" ")),
            (_, Some(Value::String(text))) => text.clone(),
            (_, Some(value)) => value.to_string(),
            (_, None) => known.default.to_owned(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
pub fn config(args: &ConfigArgs, as_json: bool) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    let mut settings = Settings::load(&place)?;
    match &args.verb {
        ConfigVerb::List if as_json => {
            let all: serde_json::Map<_, _> =
                KNOWN.iter().map(|k| (k.name.to_owned(), json!(settings.shown(k)))).collect();
            println!("{}", Value::Object(all));
        }
        ConfigVerb::List => {
            println!("Local Configuration Settings");
            for known in KNOWN {
                let label = format!("{}{}", known.name, known.note);
                println!("  {label:<40}: {}", settings.shown(known));
            }
        }
        ConfigVerb::Get { property } => println!("{}", settings.shown(find(property)?)),
        ConfigVerb::Info { property } => {
            let wanted = property.as_deref().map(find).transpose()?;
            for known in KNOWN.iter().filter(|k| wanted.is_none_or(|w| w.name == k.name)) {
                println!("{}: {}", known.name, known.about);
            }
        }
        ConfigVerb::Set { property, value, add, remove } => {
            let known = find(property)?;
            let value = if value == "-" { standard_input(known.name)? } else { value.clone() };
            let new = changed(&settings, known, &value, *add, *remove)?;
            settings.0.insert(known.name.to_owned(), new);
            keep(&place, &settings)?;
            println!("Config property {} set to value {}", known.name, settings.shown(known));
        }
        ConfigVerb::Clear { property } => {
            let known = find(property)?;
            settings.0.remove(known.name);
            keep(&place, &settings)?;
            println!("Config property {} cleared", known.name);
        }
    }
    Ok(())
}

fn keep(place: &Place, settings: &Settings) -> Result<(), Failure> {
    let _lock = place.lock()?;
    let text = serde_json::to_vec_pretty(&settings.0).unwrap_or_default();
    // A proxy's address may hold a password.
    place.write(FILE, &text, 0o600)
}

/// Seconds; `Some(None)` for `off`.
fn period(text: &str) -> Option<Option<i64>> {
    let text = text.to_ascii_lowercase();
    if text == "off" {
        return Some(None);
    }
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    (number > 0).then(|| Some(i64::from(number) * unit))
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn find(name: &str) -> Result<&'static Known, Failure> {
    KNOWN.iter().find(|k| k.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("there is no property {name}"))
            .code("AZCM0023")
            .hint("`csagent config list` shows them")
    })
}

fn changed(
    settings: &Settings,
    known: &Known,
    value: &str,
    add: bool,
    remove: bool,
) -> Result<Value, Failure> {
    let bad = |what: &str| {
        Err(Failure::new(Kind::Usage, format!("{}: '{value}' is not {what}", known.name)).code("AZCM0023"))
    };
    if (add || remove) && known.holds != Holds::List {
        return Err(Failure::new(Kind::Usage, format!("{} is not a list", known.name)).code("AZCM0023"));
    }
    match known.holds {
        // A value that was copied from what is shown would put a word in the password's place.
        Holds::Text
            if known.name == PROXY
                && (reqwest::Proxy::all(value).is_err() || value.contains(redact::GONE)) =>
        {
            let failure = Failure::new(Kind::Usage, format!("{PROXY}: this is not the address of a proxy"));
            Err(failure.code("AZCM0023").hint(
                "it looks like http://NAME:PASSWORD@proxy.example.com:3128; what is no letter or digit of a password is written as %40",
            ))
        }
        Holds::Text if known.name == ENVIRONMENT && !is_word(value) => bad("a name"),
        Holds::Text => Ok(json!(value)),
        Holds::Switch => match value.to_ascii_lowercase().as_str() {
            on @ ("true" | "false") => Ok(json!(on == "true")),
            _ => bad("true or false"),
        },
        Holds::OneOf(all) => match all.iter().find(|a| a.eq_ignore_ascii_case(value)) {
            Some(one) => Ok(json!(one)),
            None => bad(&format!("one of {}", all.join(", "))),
        },
        Holds::Percent => match value.parse::<u8>() {
            Ok(number @ 1..=100) => Ok(json!(number.to_string())),
            _ => bad("a number from 1 to 100"),
        },
        Holds::Period => match period(value) {
            Some(_) => Ok(json!(value.to_ascii_lowercase())),
            None => bad("a time such as 90d, 12h, 30m or 60s, or off"),
        },
        Holds::List => {
            let given = value.trim_matches(['[', ']']).split([',', ' ']).map(str::trim);
            let given: Vec<String> = given.filter(|g| !g.is_empty()).map(str::to_owned).collect();
            let mut list = if add || remove { settings.list(known.name) } else { Vec::new() };
            list.retain(|item| !given.contains(item));
            if !remove {
                list.extend(given);
            }
            Ok(json!(list))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &mut Settings, name: &str, value: &str, add: bool, remove: bool) -> Result<(), Failure> {
        let known = find(name)?;
        let new = changed(settings, known, value, add, remove)?;
        settings.0.insert(known.name.to_owned(), new);
        Ok(())
    }

    #[test]
    fn lists_grow_and_shrink() {
        let mut settings = Settings::default();
        set(&mut settings, "proxy.bypass", "a,b", false, false).unwrap();
        set(&mut settings, "Proxy.Bypass", "c", true, false).unwrap();
        set(&mut settings, "proxy.bypass", "a", false, true).unwrap();
        assert_eq!(settings.proxy_bypass(), ["b", "c"]);
        assert_eq!(settings.shown(find("proxy.bypass").unwrap()), "[b c]");
    }

    #[test]
    fn h04_a_proxys_password_is_kept_and_shown_nowhere() {
        for (url, shown) in [
            ("http://agent:hunter2@proxy:3128", "http://[redacted]@proxy:3128"),
            ("agent:hunter2@proxy:3128", "[redacted]@proxy:3128"),
        ] {
            let mut settings = Settings::default();
            set(&mut settings, PROXY, url, false, false).unwrap();
            assert_eq!((settings.proxy(), settings.shown(find(PROXY).unwrap()).as_str()), (Some(url), shown));
            assert!(!format!("{settings:?}").contains("hunter2"));
            let again = set(&mut settings, PROXY, shown, false, false).unwrap_err();
            assert_eq!(again.kind, Kind::Usage, "what is shown is no value");
        }
        let wrong =
            set(&mut Settings::default(), PROXY, "http://agent:hunter2@:x", false, false).unwrap_err();
        assert!(!wrong.message.contains("hunter2"), "{}", wrong.message);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut settings = Settings::default();
        for (name, value, add) in [
            ("nothing", "x", false),
            ("config.mode", "half", false),
            ("extensions.enabled", "maybe", false),
            ("guestconfiguration.agent.cpulimit", "0", false),
            ("key.rotation", "0d", false),
            ("key.rotation", "soon", false),
            ("key.rotation", "é", false),
            ("requests.proxyheaders", "maybe", false),
            ("metadata.azenvironment", "a b", false),
            ("metadata.azenvironment", "", false),
            ("proxy.url", "::", false),
            ("proxy.url", "http://p:1", true),
        ] {
            assert_eq!(
                set(&mut settings, name, value, add, false).unwrap_err().kind,
                Kind::Usage,
                "{name} {value}"
            );
        }
        set(&mut settings, "config.mode", "Monitor", false, false).unwrap();
        assert_eq!(settings.shown(find("config.mode").unwrap()), "monitor");
        assert_eq!(settings.proxy_headers(), ProxyHeaders::Refused);
        set(&mut settings, "requests.ProxyHeaders", "Accept", false, false).unwrap();
        assert_eq!(settings.proxy_headers(), ProxyHeaders::Accepted);
        assert_eq!(settings.key_rotation(), Some(90 * 86_400));
        set(&mut settings, "key.rotation", "12H", false, false).unwrap();
        assert_eq!(settings.key_rotation(), Some(12 * 3600));
        set(&mut settings, "key.rotation", "off", false, false).unwrap();
        assert_eq!(settings.key_rotation(), None);
    }
}
