//! `csagent database`: client certificates for PostgreSQL's own `cert` authentication, the way to a database that
//! needs no gateway.
//!
//! The private key is made on this machine and stays here; the site signs what it may be used for, for an hour or so.
//! [`folder`] keeps the files where libpq finds them, [`kept`] remembers which are kept fresh and does so in the daemon.

mod folder;
mod kept;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cs_broker::Identity;
use cs_time::{Chance, MachineChance};
use reqwest::Method;
use serde_json::{Value, json};

use self::folder::Folder;
pub use self::kept::keep_fresh;
use crate::{
    cli::DataArgs,
    config,
    failure::{Failure, Kind},
    issuer::{self, SiteIssuer},
    site,
    state::{Place, State},
};

const API_VERSION: &str = "2024-08-01";
const SERVERS: &str = "providers/Microsoft.DBforPostgreSQL/flexibleServers";

#[derive(Args, Clone)]
pub struct DatabaseArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(subcommand)]
    verb: DatabaseVerb,
}

#[derive(Subcommand, Clone)]
enum DatabaseVerb {
    /// Fetch a client certificate for a role of a database server
    #[command(
        before_help = "Example:\n  csagent database certificate lab-machine --server lab --owner app --keep\n  PGSERVICEFILE=/var/opt/azcmagent/databases/lab/lab-machine/service.conf psql 'service=lab dbname=lab'"
    )]
    Certificate(CertificateArgs),
    /// List what the daemon keeps fresh
    #[command(before_help = "Example:\n  csagent database list -j")]
    List,
    /// Keep a certificate fresh no longer, and remove its files
    #[command(before_help = "Example:\n  csagent database forget lab-machine --server lab")]
    Forget {
        role: String,
        #[arg(long, value_name = "NAME|ID")]
        server: String,
    },
}

#[derive(Args, Clone)]
struct CertificateArgs {
    /// The role to log in as
    role: String,
    /// The server: its resource id, or its name where it lies in this machine's resource group
    #[arg(long, value_name = "NAME|ID")]
    server: String,
    /// Where the files go [default: databases/SERVER/ROLE below the agent's data]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Whose files they are [default: who runs this]
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Client id of a user-assigned identity of this machine [default: the machine's own identity]
    #[arg(long, value_name = "UUID")]
    identity: Option<String>,
    /// A shorter life than the server allows
    #[arg(long, value_name = "N")]
    life_seconds: Option<i64>,
    /// Have the daemon (`csagent run`) renew it from now on
    #[arg(long)]
    keep: bool,
}

/// A certificate that is wanted: what is asked for, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Wanted {
    /// The server's resource id.
    pub server: String,
    pub role: String,
    pub directory: PathBuf,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub identity: Option<String>,
    #[serde(default)]
    pub life_seconds: Option<i64>,
}

/// What the site gave.
pub(crate) struct Given {
    pub certificate: String,
    /// From when it came, in seconds.
    pub life_seconds: i64,
    pub not_after: String,
    pub backend: Option<Backend>,
}

pub(crate) struct Backend {
    pub host: String,
    pub port: u64,
    pub server_name: String,
    pub authority: String,
}

pub async fn database(args: DatabaseArgs, as_json: bool) -> Result<(), Failure> {
    let place = Place::new(&args.data.data);
    match args.verb {
        DatabaseVerb::Certificate(args) => certificate(&place, args).await,
        DatabaseVerb::List => kept::list(&place, as_json),
        DatabaseVerb::Forget { role, server } => {
            kept::forget(&place, &server_id(&server, &place.connected()?)?, &role)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
async fn certificate(place: &Place, args: CertificateArgs) -> Result<(), Failure> {
    let state = place.connected()?;
    let server = server_id(&args.server, &state)?;
    let directory = match args.directory {
        Some(directory) => std::path::absolute(&directory)
            .map_err(|e| Failure::new(Kind::Usage, format!("--directory {}: {e}", directory.display())))?,
        None => {
            let own = place.at("databases").join(as_file_name(name_of(&server)));
            std::path::absolute(&own).unwrap_or(own).join(as_file_name(&args.role))
        }
    };
    let wanted = Wanted {
        server,
        role: args.role,
        directory,
        owner: args.owner,
        identity: args.identity,
        life_seconds: args.life_seconds,
    };
    let given = renew(place, &wanted).await?;
    if args.keep {
        kept::add(place, &wanted)?;
    }
    let told = json!({
        "role": wanted.role, "server": wanted.server, "notAfter": given.not_after,
        "sslcert": wanted.directory.join(folder::CERTIFICATE), "sslkey": wanted.directory.join(folder::KEY),
        "sslrootcert": given.backend.as_ref().map(|_| wanted.directory.join(folder::ROOT)),
        "serviceFile": given.backend.as_ref().map(|_| wanted.directory.join(folder::SERVICE)), "kept": args.keep,
    });
    println!("{}", serde_json::to_string_pretty(&told).unwrap_or_default());
    Ok(())
}

/// Asks for a certificate and puts it in its place. What the site refuses is taken away there, since it would soon
/// refuse logins in a way that nobody understands.
pub(crate) async fn renew(place: &Place, wanted: &Wanted) -> Result<Given, Failure> {
    let folder = Folder::open(&wanted.directory, wanted.owner.as_deref())?;
    let key = folder.key()?;
    let given = fetch(place, wanted, &folder::request(&key, &wanted.role)?).await;
    match given {
        Ok(given) => {
            folder.put(&given, wanted)?;
            Ok(given)
        }
        Err(failure) => {
            if failure.kind == Kind::Refused {
                folder.remove_certificate();
            }
            Err(failure)
        }
    }
}

async fn fetch(place: &Place, wanted: &Wanted, request: &str) -> Result<Given, Failure> {
    let state = place.connected()?;
    let issuer = SiteIssuer::of(&state, place, &config::load(place)?)?;
    let token = token(&issuer, &state, wanted.identity.as_deref()).await?;
    let url = format!("{}{}/signClientCertificate?api-version={API_VERSION}", state.site, wanted.server);
    let mut body = json!({"role": wanted.role, "certificateRequest": request});
    if let (Some(life), Some(members)) = (wanted.life_seconds, body.as_object_mut()) {
        members.insert("lifeSeconds".to_owned(), json!(life));
    }
    let what = format!("asking for a certificate of the role '{}'", wanted.role);
    let answer = site::call(issuer.http(), &what, Method::POST, &url, Some(&token), Some(&body)).await;
    read(&answer.map_err(|failure| match failure.kind {
        Kind::Refused => {
            failure.hint("a rule of the server (its administrators) must give this identity the role")
        }
        _ => failure,
    })?)
}

/// A token of the machine, or of an identity that is attached to it.
async fn token(issuer: &SiteIssuer, state: &State, identity: Option<&str>) -> Result<String, Failure> {
    let asked = match identity {
        None => issuer.token(&state.audience).await,
        Some(client) => {
            let client = client
                .parse()
                .map_err(|_| Failure::new(Kind::Usage, "--identity is not a client id (a UUID)"))?;
            let object = state
                .principal_id
                .parse()
                .map_err(|_| Failure::failed("the registration's principal id cannot be read"))?;
            let resource = String::new();
            let identity = Identity { client, object, resource, system_assigned: false };
            issuer.token_of(&identity, &state.audience, MachineChance.uuid().into()).await
        }
    };
    asked.map(|token| token.access_token).map_err(|error| issuer::failure("asking for a token", &error))
}

fn read(answer: &Value) -> Result<Given, Failure> {
    let missing = || Failure::failed("the site's answer holds no certificate");
    let text = |from: &Value, name: &str| from.get(name).and_then(Value::as_str).map(str::to_owned);
    let backend = answer.get("backend").and_then(|b| {
        Some(Backend {
            host: text(b, "host")?,
            port: b.get("port")?.as_u64()?,
            server_name: text(b, "serverName")?,
            authority: text(b, "certificateAuthority")?,
        })
    });
    Ok(Given {
        certificate: text(answer, "certificate").ok_or_else(missing)?,
        life_seconds: answer.get("lifeSeconds").and_then(Value::as_i64).ok_or_else(missing)?,
        not_after: text(answer, "notAfter").unwrap_or_default(),
        backend,
    })
}

/// The resource id of a server; a plain name is one of the machine's own group.
fn server_id(given: &str, state: &State) -> Result<String, Failure> {
    let whole = given.starts_with("/subscriptions/");
    let id = if whole {
        given.trim_end_matches('/').to_owned()
    } else {
        let (subscription, group) = (&state.subscription_id, &state.resource_group);
        format!("/subscriptions/{subscription}/resourceGroups/{group}/{SERVERS}/{given}")
    };
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "/._-()".contains(c));
    let segments: Vec<&str> = id.split('/').collect();
    let fits = segments.len() == 9
        && segments[5..8].join("/").eq_ignore_ascii_case(SERVERS)
        && !segments[8].is_empty()
        && !id.contains(odd);
    if fits {
        return Ok(id);
    }
    Err(Failure::new(
        Kind::Usage,
        format!("--server {given} is neither a name nor the resource id of a server"),
    ))
}

fn name_of(server: &str) -> &str {
    server.rsplit('/').next().unwrap_or_default()
}

/// A role may be called anything; a folder may not.
fn as_file_name(text: &str) -> String {
    let plain =
        |at: usize, b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || (b == b'.' && at > 0);
    let bytes = text.bytes().enumerate();
    bytes.map(|(at, b)| if plain(at, b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let text = r#"{"version":1,"site":"https://m","ca":null,"authority":"https://l","audience":"a","tenant_id":"t",
            "subscription_id":"sub","resource_group":"g","resource_name":"m","resource_id":"/m","location":"l",
            "vm_id":"v","principal_id":"p","client_id":"c","tags":[]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn servers_are_named_or_pointed_at() {
        let own =
            "/subscriptions/sub/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/lab";
        assert_eq!(server_id("lab", &state()).unwrap(), own);
        assert_eq!(server_id(&format!("{own}/"), &state()).unwrap(), own);
        for bad in ["", "a/b", "a?b", "../x", "/subscriptions/sub", "a#b", "a%2fb"] {
            assert_eq!(server_id(bad, &state()).unwrap_err().kind, Kind::Usage, "{bad}");
        }
    }

    #[test]
    fn no_role_leaves_its_folder() {
        assert_eq!(as_file_name("lab-machine"), "lab-machine");
        assert_eq!(as_file_name("../x"), "%2E.%2Fx");
        assert_eq!(as_file_name("Data Team"), "Data%20Team");
    }
}
