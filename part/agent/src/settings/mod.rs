//! The settings of a machine, as `localconfig.json` keeps them (metadata.md 7.2): what there is to set, what fits, and how it
//! is shown. People write in that file too, so it is read as strictly as what they give to `config set`.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::{Value, json};

use crate::redact;

mod known;

use self::known::{ENVIRONMENT, Holds, PROXY, PROXY_HEADERS, period};
pub use self::known::{KNOWN, Known, Unfit, find};

/// The settings as they are.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Settings(BTreeMap<String, Value>);

/// A proxy's address may hold a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(KNOWN.iter().map(|known| (known.name, self.shown(known)))).finish()
    }
}

impl Settings {
    /// Reads the file's text; whether the values fit is [`Settings::checked`]'s to say.
    ///
    /// # Errors
    /// Where it is no JSON object.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        match serde_json::from_slice(text) {
            Ok(Value::Object(all)) => Ok(Self(all.into_iter().collect())),
            Ok(_) => Err("it is no JSON object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// These settings, if every one that is used holds what it may.
    ///
    /// # Errors
    /// The first that does not.
    pub fn checked(self) -> Result<Self, Unfit> {
        for known in KNOWN.iter().filter(|known| known.is_used()) {
            if let Some(value) = self.0.get(known.name) {
                known.check(value)?;
            }
        }
        Ok(self)
    }

    /// What stands in the file and is no setting.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| KNOWN.iter().all(|known| known.name != *name))
    }

    pub fn proxy(&self) -> Option<&str> {
        self.0.get(PROXY).and_then(Value::as_str).map(str::trim).filter(|url| !url.is_empty())
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

    /// A04: whether requests that a proxy on the machine has written in are taken.
    pub fn accepts_proxy_headers(&self) -> bool {
        self.0.get(PROXY_HEADERS).and_then(Value::as_str) == Some("accept")
    }

    /// What the instance document calls the cloud; empty: as by default.
    pub fn environment(&self) -> String {
        self.0.get(ENVIRONMENT).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    /// The file as it may leave the machine.
    pub fn archived(&self) -> String {
        let shown = |(name, value): (&String, &Value)| {
            let masked = value.as_str().filter(|_| name == PROXY).map(redact::masked);
            (name.clone(), masked.map_or_else(|| value.clone(), Value::String))
        };
        Value::Object(self.0.iter().map(shown).collect()).to_string()
    }

    /// As it is shown, also to root: what is printed ends up in scripts' logs.
    pub fn shown(&self, known: &Known) -> String {
        match (known.holds, self.0.get(known.name)) {
            (_, Some(Value::String(url))) if known.name == PROXY => redact::masked(url),
            (Holds::List, _) => format!("[{}]", self.list(known.name).join(" ")),
            (_, Some(Value::String(text))) => text.clone(),
            (_, Some(value)) => value.to_string(),
            (_, None) => known.default.to_owned(),
        }
    }

    /// Sets one; a list is replaced by what the value names, or with `Change::Add` and `Change::Remove` changed by it.
    ///
    /// # Errors
    /// Why the value does not fit.
    pub fn set(&mut self, known: &Known, value: &str, change: Change) -> Result<(), Unfit> {
        let new = match (known.holds, change) {
            (Holds::List, _) => {
                let given = value.trim_matches(['[', ']']).split([',', ' ']).map(str::trim);
                let given: Vec<String> = given.filter(|g| !g.is_empty()).map(str::to_owned).collect();
                let mut list = if change == Change::Replace { Vec::new() } else { self.list(known.name) };
                list.retain(|item| !given.contains(item));
                if change != Change::Remove {
                    list.extend(given);
                }
                json!(list)
            }
            (_, Change::Replace) => known.value(value.trim())?,
            _ => return Err(Unfit { why: format!("{} is not a list", known.name), hint: None }),
        };
        self.0.insert(known.name.to_owned(), new);
        Ok(())
    }

    /// Sets one back to what it is by default.
    pub fn clear(&mut self, known: &Known) {
        self.0.remove(known.name);
    }
}

/// What becomes of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Replace,
    Add,
    Remove,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &mut Settings, name: &str, value: &str, change: Change) -> Result<(), Unfit> {
        let known = find(name).ok_or(Unfit { why: "there is none".to_owned(), hint: None })?;
        settings.set(known, value, change)
    }

    #[test]
    fn lists_grow_and_shrink() {
        let mut settings = Settings::default();
        set(&mut settings, "proxy.bypass", "a,b", Change::Replace).unwrap();
        set(&mut settings, "Proxy.Bypass", "c", Change::Add).unwrap();
        set(&mut settings, "proxy.bypass", "a", Change::Remove).unwrap();
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
            set(&mut settings, PROXY, url, Change::Replace).unwrap();
            assert_eq!((settings.proxy(), settings.shown(find(PROXY).unwrap()).as_str()), (Some(url), shown));
            assert!(!format!("{settings:?}").contains("hunter2"));
            let again = set(&mut settings, PROXY, shown, Change::Replace).unwrap_err();
            assert!(again.hint.is_some(), "what is shown is no value");
        }
        let wrong =
            set(&mut Settings::default(), PROXY, "http://agent:hunter2@:x", Change::Replace).unwrap_err();
        assert!(!wrong.why.contains("hunter2"), "{}", wrong.why);
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
            ("proxy.url", "socks5://proxy:1080", false),
            ("proxy.url", "ftp://proxy:1", false),
            ("proxy.url", "http://proxy:1/path", false),
            ("proxy.url", "http://proxy:1/ x", false),
            ("proxy.url", "http://proxy:99999", false),
            ("proxy.url", "http://", false),
            ("proxy.url", "", false),
            ("proxy.url", "http://p:1", true),
        ] {
            let change = if add { Change::Add } else { Change::Replace };
            assert!(set(&mut settings, name, value, change).is_err(), "{name} {value}");
        }
        set(&mut settings, "config.mode", "Monitor", Change::Replace).unwrap();
        assert_eq!(settings.shown(find("config.mode").unwrap()), "monitor");
        assert!(!settings.accepts_proxy_headers());
        set(&mut settings, "requests.ProxyHeaders", "Accept", Change::Replace).unwrap();
        assert!(settings.accepts_proxy_headers());
        assert_eq!(settings.key_rotation(), Some(90 * 86_400));
        set(&mut settings, "key.rotation", "12H", Change::Replace).unwrap();
        assert_eq!(settings.key_rotation(), Some(12 * 3600));
        set(&mut settings, "key.rotation", "off", Change::Replace).unwrap();
        assert_eq!(settings.key_rotation(), None);
    }

    #[test]
    fn what_people_write_into_the_file_is_held_to_the_same() {
        let read = |text: &str| Settings::read(text.as_bytes());
        for good in [
            "{}",
            r#"{"proxy.url": "https://proxy", "proxy.bypass": ["a"], "key.rotation": "off", "config.mode": "monitor"}"#,
            r#"{"extensions.enabled": false, "guestconfiguration.agent.cpulimit": 7, "extensions.agent.cpulimit": "7"}"#,
            r#"{"proxy.url": "", "metadata.azenvironment": ""}"#,
            r#"{"of.a.later.version": {"x": 1}}"#,
            // Nobody reads these, and an agent that does not start for them is no help.
            r#"{"incomingconnections.ports": [22, 3389], "config.mode": "Monitor", "extensions.agent.cpulimit": 0}"#,
            // As earlier versions took it.
            r#"{"proxy.url": "http://proxy:3128/x "}"#,
        ] {
            read(good).unwrap().checked().unwrap();
        }
        for (bad, what) in [
            (r#"{"key.rotation": "soon"}"#, "key.rotation"),
            (r#"{"key.rotation": 90}"#, "key.rotation"),
            (r#"{"proxy.url": 5}"#, "proxy.url"),
            (r#"{"proxy.url": "socks5://proxy"}"#, "proxy.url"),
            (r#"{"proxy.bypass": "a"}"#, "proxy.bypass"),
            (r#"{"connection.type": "Direct"}"#, "connection.type"),
            (r#"{"requests.proxyheaders": true}"#, "requests.proxyheaders"),
        ] {
            let said = read(bad).unwrap().checked().unwrap_err();
            assert!(said.why.contains(what), "{bad}: {}", said.why);
        }
        for none in ["", "[]", "\"http://u:hunter2@p\"", "{\"a\":"] {
            assert!(!read(none).unwrap_err().contains("hunter2"), "{none}");
        }
        let typo = read(r#"{"proxy.ulr": "x"}"#).unwrap();
        assert_eq!(typo.unknown().collect::<Vec<_>>(), ["proxy.ulr"]);
    }
}
