//! What there is to set, and what fits.

use serde_json::{Value, json};
use url::Url;

use crate::redact;

/// What a setting holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Switch,
    List,
    OneOf(&'static [&'static str]),
    Percent,
    /// `90d`, `12h`, `30m`, `60s`, or `off`.
    Period,
}

/// One setting.
pub struct Known {
    pub name: &'static str,
    /// Shown behind the name, as the original does.
    pub note: &'static str,
    pub(super) holds: Holds,
    pub(super) default: &'static str,
    pub about: &'static str,
}

const fn known(name: &'static str, holds: Holds, default: &'static str, about: &'static str) -> Known {
    Known { name, note: "", holds, default, about }
}

pub(super) const PROXY: &str = "proxy.url";

pub(super) const PROXY_HEADERS: &str = "requests.proxyheaders";

pub(super) const ENVIRONMENT: &str = "metadata.azenvironment";

/// What is said of a setting that scripts of azcmagent set and that means nothing here.
const NOT_USED: &str = "kept, not used";

/// In the order they are listed. What this agent has no use for is kept for scripts that set it.
pub const KNOWN: &[Known] = &[
    Known {
        name: "incomingconnections.enabled",
        note: " (preview)",
        holds: Holds::Switch,
        default: "true",
        about: NOT_USED,
    },
    Known {
        name: "incomingconnections.ports",
        note: " (preview)",
        holds: Holds::List,
        default: "",
        about: NOT_USED,
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
    known("extensions.allowlist", Holds::List, "", NOT_USED),
    known("extensions.blocklist", Holds::List, "", NOT_USED),
    known("guestconfiguration.enabled", Holds::Switch, "true", NOT_USED),
    known("extensions.enabled", Holds::Switch, "true", NOT_USED),
    known("config.mode", Holds::OneOf(&["full", "monitor"]), "full", NOT_USED),
    known("guestconfiguration.agent.cpulimit", Holds::Percent, "5", NOT_USED),
    known("extensions.agent.cpulimit", Holds::Percent, "5", NOT_USED),
];

/// Why a value does not fit, and what would. Repeats no value that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub why: String,
    pub hint: Option<&'static str>,
}

/// The setting of this name, whatever its case.
pub fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

impl Known {
    /// A written value as it is kept. Lists are not written so.
    pub(super) fn value(&self, text: &str) -> Result<Value, Unfit> {
        let unfit = |what: &str| Unfit { why: format!("{}: '{text}' is not {what}", self.name), hint: None };
        match self.holds {
            // A value that was copied from what is shown would put a word in the password's place.
            Holds::Text if self.name == PROXY && (!is_proxy(text) || text.contains(redact::GONE)) => {
                Err(Unfit {
                    why: format!("{PROXY}: this is not the address of a proxy"),
                    hint: Some(
                        "it looks like http://NAME:PASSWORD@proxy.example.com:3128, with http or https; what is no letter or digit of a password is written as %40",
                    ),
                })
            }
            Holds::Text if self.name == ENVIRONMENT && !is_word(text) => Err(unfit("a name")),
            Holds::Text => Ok(json!(text)),
            Holds::Switch => match text.to_ascii_lowercase().as_str() {
                on @ ("true" | "false") => Ok(json!(on == "true")),
                _ => Err(unfit("true or false")),
            },
            Holds::OneOf(all) => match all.iter().find(|a| a.eq_ignore_ascii_case(text)) {
                Some(one) => Ok(json!(one)),
                None => Err(unfit(&format!("one of {}", all.join(", ")))),
            },
            Holds::Percent => match text.parse::<u8>() {
                Ok(number @ 1..=100) => Ok(json!(number.to_string())),
                _ => Err(unfit("a number from 1 to 100")),
            },
            Holds::Period => match period(text) {
                Some(_) => Ok(json!(text.to_ascii_lowercase())),
                None => Err(unfit("a time such as 90d, 12h, 30m or 60s, or off")),
            },
            Holds::List => Err(unfit("a list")),
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.about != NOT_USED
    }

    /// Whether a value of the file is one that could have been set.
    pub(super) fn check(&self, value: &Value) -> Result<(), Unfit> {
        let texts = |all: &Vec<Value>| all.iter().all(Value::is_string);
        let fits = match value {
            Value::Array(all) => self.holds == Holds::List && texts(all),
            Value::Bool(_) => self.holds == Holds::Switch,
            Value::Number(number) if self.holds == Holds::Percent => {
                return self.value(&number.to_string()).map(drop);
            }
            // Earlier versions took an address with a path, which nobody looks at, or with a blank behind it.
            Value::String(text) if self.name == PROXY && leads_to_a_proxy(text.trim()) => true,
            // As if it were not there.
            Value::String(text) if self.holds == Holds::Text && text.is_empty() => true,
            // Cases are folded where a value is set; who writes one into the file writes it as it is.
            Value::String(text) if self.holds != Holds::List => {
                let kept = self.value(text)?;
                kept == *value || self.holds == Holds::Switch
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(Unfit { why: format!("{} holds no such value", self.name), hint: None })
        }
    }
}

/// Whether this is the address of a proxy that is spoken to by HTTP. One of another kind would be passed by without a word.
fn is_proxy(text: &str) -> bool {
    let plain = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    proxy(text).is_some_and(|url| plain(&url)) && !text.contains(char::is_whitespace)
}

fn leads_to_a_proxy(text: &str) -> bool {
    proxy(text).is_some()
}

fn proxy(text: &str) -> Option<Url> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    Url::parse(&with_scheme).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Seconds; `Some(None)` for `off`.
pub(super) fn period(text: &str) -> Option<Option<i64>> {
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
