//! The file that names the sources, read strictly: a misspelt key must not open a door wider than was meant.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::Deserialize;

/// What Azure's federated credentials name.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// More than a host has containers that need one each.
const SOURCES_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sources: Vec<WrittenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    name: String,
    kind: String,
    listen: Option<SocketAddr>,
    socket: Option<PathBuf>,
    identity: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    url: Option<String>,
    environment_file: Option<PathBuf>,
    group: Option<String>,
    mode: Option<String>,
    client_id: Option<String>,
    token_file: Option<PathBuf>,
    audience: Option<String>,
}

/// One source, as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub only: Option<Only>,
    pub environment_file: Option<PathBuf>,
    /// Of the files written for it, and of its socket.
    pub mode: u32,
    pub group: Option<u32>,
    pub what: What,
}

/// The only identity at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// The machine's own.
    System,
    /// By client id, object id or resource id.
    Named(String),
}

/// What a listener speaks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Himds,
    Imds,
    AppService,
    CloudShell,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Listener {
        service: Kind,
        at: At,
        hosts: Vec<String>,
        /// Where callers see it, if not where it listens.
        url: Option<String>,
    },
    Token {
        client: String,
        audience: String,
        file: PathBuf,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

/// Reads the sources of a file. `group` knows the number of a group by its name or number.
///
/// # Errors
/// What is wrong with it, and in which source.
pub fn read(text: &str, group: &dyn Fn(&str) -> Option<u32>) -> Result<Vec<Entry>, String> {
    let written: Written = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if written.sources.len() > SOURCES_MAX {
        return Err(format!("more than {SOURCES_MAX} sources"));
    }
    let mut all: Vec<Entry> = Vec::new();
    for entry in written.sources {
        let name = entry.name.clone();
        let entry = meant(entry, group).map_err(|why| format!("source {name:?}: {why}"))?;
        if all.iter().any(|other| other.name == entry.name) {
            return Err(format!("two sources are called {name:?}"));
        }
        all.push(entry);
    }
    Ok(all)
}

fn meant(entry: WrittenEntry, group: &dyn Fn(&str) -> Option<u32>) -> Result<Entry, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if entry.name.is_empty() || entry.name.len() > 32 || !entry.name.chars().all(fits) {
        return Err("a name is up to 32 of a-z, 0-9 and -".to_owned());
    }
    let only = entry.identity.as_deref().map(|id| match id {
        "system" => Only::System,
        id => Only::Named(id.to_owned()),
    });
    let mode = match entry.mode.as_deref() {
        None => 0o640,
        Some(text) => match u32::from_str_radix(text, 8) {
            // Who is neither owner nor group gets nothing: these files and sockets give tokens away.
            Ok(mode @ (0o600 | 0o640 | 0o660)) => mode,
            _ => return Err(format!("mode {text:?} must be one of 0600, 0640, 0660")),
        },
    };
    let group = match entry.group.as_deref() {
        None => group("himds"),
        Some(name) => Some(group(name).ok_or_else(|| format!("there is no group {name:?}"))?),
    };
    let written = [&entry.environment_file, &entry.token_file, &entry.socket];
    if let Some(path) = written.into_iter().flatten().find(|path| !path.is_absolute()) {
        return Err(format!("{} is not an absolute path", path.display()));
    }
    let (name, environment_file) = (entry.name.clone(), entry.environment_file.clone());
    let what = if entry.kind == "workload-identity" { token(entry)? } else { listener(entry)? };
    Ok(Entry { name, only, environment_file, mode, group, what })
}

fn token(entry: WrittenEntry) -> Result<What, String> {
    if entry.listen.is_some() || entry.socket.is_some() || entry.url.is_some() || !entry.hosts.is_empty() {
        return Err("a workload identity is a file; it listens nowhere".to_owned());
    }
    let client = entry.client_id.ok_or("client_id is missing: who trusts this machine's identity")?;
    let file = entry.token_file.ok_or("token_file is missing")?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let audience = entry.audience.unwrap_or_else(|| AUDIENCE.to_owned());
    if !plain(&client) || !plain(&audience) {
        return Err("client_id and audience hold no blanks".to_owned());
    }
    Ok(What::Token { client, audience, file })
}

fn listener(entry: WrittenEntry) -> Result<What, String> {
    if entry.client_id.is_some() || entry.token_file.is_some() || entry.audience.is_some() {
        return Err(format!("client_id, token_file and audience are not of {}", entry.kind));
    }
    let service = match entry.kind.as_str() {
        "himds" => Kind::Himds,
        "imds" => Kind::Imds,
        "app-service" => Kind::AppService,
        "cloud-shell" => Kind::CloudShell,
        other => {
            return Err(format!(
                "kind {other:?} is none of himds, imds, app-service, cloud-shell, workload-identity"
            ));
        }
    };
    let mut hosts = entry.hosts;
    let at = match (entry.listen, entry.socket) {
        (Some(address), None) => {
            reachable_by_the_right_ones(service, address.ip())?;
            hosts.push(match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
            At::Tcp(address)
        }
        (None, Some(path)) => At::Socket(path),
        _ => return Err("one of listen and socket says where".to_owned()),
    };
    if entry
        .url
        .as_deref()
        .is_some_and(|url| !url.starts_with("http://") || url.contains(char::is_whitespace))
    {
        return Err("a url starts with http://".to_owned());
    }
    if let (At::Socket(_), Some(_), None) = (&at, &entry.environment_file, &entry.url) {
        return Err("behind a socket, url says what callers see".to_owned());
    }
    Ok(What::Listener { service, at, hosts, url: entry.url.map(|u| u.trim_end_matches('/').to_owned()) })
}

/// Plain HTTP goes no further than this host; and only App Service asks callers for a secret.
fn reachable_by_the_right_ones(service: Kind, ip: IpAddr) -> Result<(), String> {
    let (loopback, link_local, private) = match ip {
        IpAddr::V4(v4) => (v4.is_loopback(), v4.is_link_local(), v4.is_private()),
        IpAddr::V6(v6) => (v6.is_loopback(), v6.is_unicast_link_local(), v6.is_unique_local()),
    };
    match service {
        Kind::Himds if !loopback => Err("himds listens on loopback, or on a socket".to_owned()),
        Kind::Imds | Kind::CloudShell if !loopback && !link_local => Err(format!(
            "{ip} may be reached by others, and this kind asks them for nothing: use app-service, or a socket"
        )),
        Kind::AppService if !loopback && !link_local && !private => {
            Err(format!("{ip} may be reached from elsewhere: the secret would travel in the clear"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(name: &str) -> Option<u32> {
        (name == "himds").then_some(998)
    }

    fn one(text: &str) -> Result<Entry, String> {
        Ok(read(&format!(r#"{{"sources": [{text}]}}"#), &groups)?.remove(0))
    }

    #[test]
    fn what_the_documentation_shows_is_read() {
        let web =
            one(r#"{"name": "web", "kind": "app-service", "listen": "10.88.0.1:41001", "identity": "system",
            "environment_file": "/run/csagent/web.env", "mode": "0660"}"#)
            .unwrap();
        assert_eq!((web.only, web.mode), (Some(Only::System), 0o660));
        let What::Listener { service, hosts, .. } = web.what else { panic!("a listener") };
        assert_eq!((service, hosts), (Kind::AppService, vec!["10.88.0.1".to_owned()]));
        let job = one(
            r#"{"name": "job", "kind": "workload-identity", "client_id": "a-b", "token_file": "/run/t"}"#,
        )
        .unwrap();
        assert!(matches!(job.what, What::Token { audience, .. } if audience == AUDIENCE));
        let pod = one(
            r#"{"name": "pod", "kind": "imds", "socket": "/run/pod.sock", "identity": "/subscriptions/x"}"#,
        )
        .unwrap();
        assert_eq!(pod.only, Some(Only::Named("/subscriptions/x".into())));
    }

    #[test]
    fn nothing_is_opened_wider_than_was_meant() {
        for (bad, why) in [
            (r#"{"name": "a", "kind": "imds", "listen": "10.0.0.1:80"}"#, "may be reached by others"),
            (
                r#"{"name": "a", "kind": "cloud-shell", "listen": "0.0.0.0:50342"}"#,
                "may be reached by others",
            ),
            (r#"{"name": "a", "kind": "app-service", "listen": "0.0.0.0:80"}"#, "in the clear"),
            (r#"{"name": "a", "kind": "app-service", "listen": "203.0.113.1:80"}"#, "in the clear"),
            (r#"{"name": "a", "kind": "himds", "listen": "169.254.1.1:80"}"#, "loopback"),
            (r#"{"name": "a", "kind": "imds", "listen": "127.0.0.1:1", "identiti": "x"}"#, "unknown field"),
            (
                r#"{"name": "a", "kind": "imds", "listen": "127.0.0.1:1", "socket": "/s"}"#,
                "one of listen and socket",
            ),
            (r#"{"name": "a", "kind": "imds"}"#, "one of listen and socket"),
            (r#"{"name": "a", "kind": "imds", "socket": "s"}"#, "absolute"),
            (r#"{"name": "a", "kind": "imds", "socket": "/s", "mode": "0666"}"#, "must be one of"),
            (r#"{"name": "a", "kind": "imds", "socket": "/s", "mode": "0777"}"#, "must be one of"),
            (
                r#"{"name": "a", "kind": "imds", "socket": "/s", "environment_file": "/e"}"#,
                "what callers see",
            ),
            (r#"{"name": "a", "kind": "imds", "socket": "/s", "url": "https://x"}"#, "http://"),
            (r#"{"name": "a", "kind": "imds", "socket": "/s", "group": "nobody knows this"}"#, "no group"),
            (r#"{"name": "A", "kind": "imds", "socket": "/s"}"#, "a name is"),
            (r#"{"name": "../a", "kind": "imds", "socket": "/s"}"#, "a name is"),
            (r#"{"name": "a", "kind": "arc", "socket": "/s"}"#, "is none of"),
            (r#"{"name": "a", "kind": "workload-identity", "token_file": "/t"}"#, "client_id is missing"),
            (
                r#"{"name": "a", "kind": "workload-identity", "client_id": "a b", "token_file": "/t"}"#,
                "no blanks",
            ),
            (
                r#"{"name": "a", "kind": "workload-identity", "client_id": "a", "token_file": "/t", "socket": "/s"}"#,
                "listens nowhere",
            ),
            (
                r#"{"name": "a", "kind": "imds", "socket": "/s"}, {"name": "a", "kind": "imds", "socket": "/t"}"#,
                "two sources",
            ),
        ] {
            let said = one(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in ".{0,200}", kind in "[a-z-]{0,18}", listen in "[0-9.:]{0,21}") {
            let _ = read(&text, &groups);
            let _ = one(&format!(r#"{{"name": "a", "kind": "{kind}", "listen": "{listen}"}}"#));
        }
    }
}
