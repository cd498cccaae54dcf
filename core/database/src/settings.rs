//! `properties` of a server: read and checked here, for whoever writes one and for whoever uses it.
//!
//! ```json
//! {"backend": {"host": "db1.lan", "port": 5432, "serverName": "db1.lan", "certificateAuthority": "-----BEGIN …"},
//!  "sessions": {"endAtTokenExpiry": false, "endOnRevocation": true, "idleSeconds": 0, "replication": false},
//!  "clientCertificates": {"lifeSeconds": 3600}}
//! ```
//!
//! Without `backend` the server stands on a local socket, which only the operator of the gateway can say (its
//! configuration): the server behind a socket trusts the gateway's process, whoever's resource it acts for.

use serde_json::{Map, Value};

/// Where a server's PostgreSQL is reached over the network: always by TLS, its certificate always checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backend {
    pub host: String,
    pub port: u16,
    /// The name its certificate must be for.
    pub server_name: String,
    /// Who signed its certificate, PEM.
    pub certificate_authority: String,
}

/// What a server's resource says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    pub backend: Option<Backend>,
    /// End a session when its token runs out and it is idle. Azure does not.
    pub end_at_token_expiry: bool,
    /// End a session within a second when its identity is disabled or its rule is gone.
    pub end_on_revocation: bool,
    /// End a session outside a transaction that moved no byte for so long; 0: never.
    pub idle_seconds: u32,
    /// Let clients ask for a replication connection.
    pub replication: bool,
    /// Machines may fetch client certificates for PostgreSQL's own `cert` authentication, which live this long at
    /// most, in seconds; `None`: they may not, and the gateway is the only way.
    pub certificate_seconds: Option<i64>,
}

/// A member that cannot be taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{member}' {why}")]
pub struct BadSetting {
    pub member: &'static str,
    pub why: &'static str,
}

/// A certificate lives for a minute at least, so that it can be used, and for a day at most: it is not asked for again
/// when its holder is disabled.
const CERTIFICATE_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;
/// A bundle of a few certificates; more is a mistake, in bytes.
const AUTHORITY_MAX_BYTES: usize = 64 * 1024;

impl ServerSettings {
    /// # Errors
    /// [`BadSetting`], for the first member that is wrong.
    pub fn read(properties: &Map<String, Value>) -> Result<Self, BadSetting> {
        let none = Map::new();
        let sessions = object(properties, "sessions")?.unwrap_or(&none);
        let idle = number(sessions, "idleSeconds", u64::from(u32::MAX))?.unwrap_or(0);
        Ok(Self {
            backend: object(properties, "backend")?.map(backend).transpose()?,
            end_at_token_expiry: flag(sessions, "endAtTokenExpiry")?.unwrap_or(false),
            end_on_revocation: flag(sessions, "endOnRevocation")?.unwrap_or(true),
            idle_seconds: u32::try_from(idle).unwrap_or(u32::MAX),
            replication: flag(sessions, "replication")?.unwrap_or(false),
            certificate_seconds: object(properties, "clientCertificates")?
                .map(certificate_life)
                .transpose()?
                .flatten(),
        })
    }
}

fn backend(members: &Map<String, Value>) -> Result<Backend, BadSetting> {
    let host = text(members, "host")?.ok_or(bad("host", "is required"))?;
    if !is_host(host) {
        return Err(bad("host", "must be a host name or an address; sockets are the gateway's own settings"));
    }
    let authority = text(members, "certificateAuthority")?
        .ok_or(bad("certificateAuthority", "is required: the server's certificate is always checked"))?;
    if authority.len() > AUTHORITY_MAX_BYTES || !authority.contains("-----BEGIN CERTIFICATE-----") {
        return Err(bad("certificateAuthority", "must be certificates in PEM, at most 64 KiB"));
    }
    let name = text(members, "serverName")?.unwrap_or(host);
    if !is_host(name) {
        return Err(bad("serverName", "must be a host name or an address"));
    }
    let port = number(members, "port", 65_535)?.unwrap_or(5432);
    Ok(Backend {
        host: host.to_owned(),
        port: u16::try_from(port).ok().filter(|p| *p > 0).ok_or(bad("port", "must be 1 to 65535"))?,
        server_name: name.to_owned(),
        certificate_authority: authority.to_owned(),
    })
}

fn certificate_life(members: &Map<String, Value>) -> Result<Option<i64>, BadSetting> {
    match number(members, "lifeSeconds", *CERTIFICATE_SECONDS.end())? {
        None | Some(0) => Ok(None),
        Some(life) if CERTIFICATE_SECONDS.contains(&life) => Ok(i64::try_from(life).ok()),
        Some(_) => Err(bad("lifeSeconds", "must be 60 to 86400, or 0 for no certificates")),
    }
}

/// A name or address, and nothing that a resolver or a path could read another way.
fn is_host(text: &str) -> bool {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
        })
}

const fn bad(member: &'static str, why: &'static str) -> BadSetting {
    BadSetting { member, why }
}

fn object<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m Map<String, Value>>, BadSetting> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(value)) => Ok(Some(value)),
        Some(_) => Err(bad(name, "must be an object")),
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &'static str) -> Result<Option<&'m str>, BadSetting> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(bad(name, "must be a string")),
    }
}

fn flag(members: &Map<String, Value>, name: &'static str) -> Result<Option<bool>, BadSetting> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(bad(name, "must be true or false")),
    }
}

fn number(members: &Map<String, Value>, name: &'static str, at_most: u64) -> Result<Option<u64>, BadSetting> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|n| *n <= at_most) {
            Some(number) => Ok(Some(number)),
            None => Err(bad(name, "must be a whole number in range")),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

    fn read(value: &Value) -> Result<ServerSettings, BadSetting> {
        ServerSettings::read(value.as_object().unwrap())
    }

    #[test]
    fn what_is_not_said_is_safe() {
        let settings = read(&json!({})).unwrap();
        assert_eq!(settings.backend, None);
        assert!(settings.end_on_revocation && !settings.end_at_token_expiry && !settings.replication);
        assert_eq!(settings.certificate_seconds, None);
        let life = |n: u32| read(&json!({"clientCertificates": {"lifeSeconds": n}})).unwrap();
        assert_eq!((life(0).certificate_seconds, life(60).certificate_seconds), (None, Some(60)));
        let backend = read(&json!({"backend": {"host": "db1.lan", "certificateAuthority": PEM}})).unwrap();
        let backend = backend.backend.unwrap();
        assert_eq!((backend.port, backend.server_name.as_str()), (5432, "db1.lan"));
    }

    #[test]
    fn a_backend_without_a_checked_certificate_or_on_a_socket_is_refused() {
        for (wrong, member) in [
            (json!({"backend": {"host": "db1.lan"}}), "certificateAuthority"),
            (json!({"backend": {"host": "/var/run/postgresql", "certificateAuthority": PEM}}), "host"),
            (json!({"backend": {"host": "db1.lan:5432", "certificateAuthority": PEM}}), "host"),
            (json!({"backend": {"host": "a b", "certificateAuthority": PEM}}), "host"),
            (json!({"backend": {"host": "", "certificateAuthority": PEM}}), "host"),
            (json!({"backend": {"host": "h", "port": 0, "certificateAuthority": PEM}}), "port"),
            (json!({"backend": {"host": "h", "port": 70000, "certificateAuthority": PEM}}), "port"),
            (json!({"backend": {"host": "h", "certificateAuthority": "x"}}), "certificateAuthority"),
            (json!({"backend": []}), "backend"),
            (json!({"sessions": {"endAtTokenExpiry": "yes"}}), "endAtTokenExpiry"),
            (json!({"sessions": {"idleSeconds": -1}}), "idleSeconds"),
            (json!({"clientCertificates": {"lifeSeconds": 59}}), "lifeSeconds"),
            (json!({"clientCertificates": {"lifeSeconds": 86_401}}), "lifeSeconds"),
            (json!({"clientCertificates": true}), "clientCertificates"),
        ] {
            assert_eq!(read(&wrong).unwrap_err().member, member, "{wrong}");
        }
    }
}
