//! Sources that listen: an address, or a socket that crosses network namespaces.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use cs_agent::sources::{At, Entry, What};
use cs_metadata::{Metadata, Secret, Service, Source};
use cs_serve::{Limits, Listener, Protocol, Shutdown};
use cs_time::{Chance, MachineChance};
use tokio::net::{TcpListener, UnixListener};

use super::{
    environment,
    file::{access, pinned, service},
};
use crate::{
    failure::{Attempt, Failure, Kind},
    ports,
    state::Place,
    whole::{self, Access},
};

/// A source that is bound and not served yet.
pub struct Bound {
    name: String,
    listener: Listener,
    source: Source,
    at: At,
}

/// Binds what listens, and writes the variables by which its callers find it.
pub async fn bind(entries: &[Entry], place: &Place) -> Result<Vec<Bound>, Failure> {
    let mut all = Vec::new();
    for entry in entries {
        if let What::Listener { service: kind, at, hosts, url } = &entry.what {
            let (service, access) = (service(*kind), access(entry));
            let (listener, at) = listener(at, access).await.map_err(|f| of(&entry.name, f))?;
            let header = match service {
                Service::AppService => Some(header(place, &entry.name)?),
                Service::Himds | Service::Imds | Service::CloudShell => None,
            };
            if let Some(file) = &entry.environment_file {
                let url = url.clone().unwrap_or_else(|| address_of(&at));
                let lines = environment(&variables(service, &url, header.as_deref()));
                whole::write(file, lines.as_bytes(), access).attempt(format_args!(
                    "source {}: writing {}",
                    entry.name,
                    file.display()
                ))?;
            }
            let source = Source {
                service,
                header: header.map(Secret::from),
                only: pinned(entry),
                hosts: hosts.clone(),
            };
            all.push(Bound { name: entry.name.clone(), listener, source, at });
        }
    }
    Ok(all)
}

impl Bound {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, or its socket's path.
    pub fn at(&self) -> String {
        address_of(&self.at)
    }

    pub fn serve(self, parts: &Arc<Metadata>, limits: Limits, shutdown: &Shutdown) {
        self.listener.serve(Protocol::PlainTitleCase, parts.source(self.source), limits, shutdown);
    }
}

fn of(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("source {name}: {}", failure.message), ..failure }
}

async fn listener(at: &At, access: Access) -> Result<(Listener, At), Failure> {
    match at {
        At::Tcp(address) => {
            let bound = TcpListener::bind(address)
                .await
                .map_err(|e| ports::taken(*address, "name another in \"listen\"", &e))?;
            let address = bound.local_addr().unwrap_or(*address);
            Ok((Listener::Tcp(bound), At::Tcp(address)))
        }
        At::Socket(path) => {
            let what = format!("listening on {}", path.display());
            make_room(path).attempt(&what)?;
            // Nobody may connect before the socket has its group and mode: it is made under a name of its own.
            let making = path.with_extension("making");
            drop(fs::remove_file(&making));
            let bound = UnixListener::bind(&making).attempt(&what)?;
            let given = || {
                nix::unistd::chown(&making, access.user, access.group)?;
                // Connecting needs the right to write.
                let mode = access.mode | (access.mode & 0o440) >> 1;
                fs::set_permissions(&making, fs::Permissions::from_mode(mode))?;
                fs::rename(&making, path)
            };
            given().attempt(&what)?;
            Ok((Listener::Unix(bound), At::Socket(path.clone())))
        }
    }
}

/// Takes away the socket of an agent that was killed; what somebody listens on, and what is no socket, stays.
fn make_room(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(std::io::Error::other("something that is no socket lies there: remove it, or name another"))
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            Err(std::io::Error::other("another process listens there already"))
        }
        Ok(_) => fs::remove_file(path),
    }
}

/// The secret of an App Service source stays what it is, so that its containers outlive a restart of the agent.
fn header(place: &Place, name: &str) -> Result<String, Failure> {
    let file = format!("source-{name}.secret");
    match place.read::<String>(&file) {
        Ok(Some(known)) if known.len() >= 32 => return Ok(known),
        Ok(_) => {}
        Err(failure) if failure.kind == Kind::Failed && failure.code.is_some() => return Err(failure),
        Err(failure) => tracing::warn!(cause = failure.message, "the secret of a source is made anew"),
    }
    let mut drawn = [0; 32];
    MachineChance.fill(&mut drawn);
    let new = cs_jose::encode_url(drawn);
    place.write(&file, serde_json::json!(new).to_string().as_bytes(), 0o600)?;
    Ok(new)
}

fn address_of(at: &At) -> String {
    match at {
        At::Tcp(SocketAddr::V6(address)) if address.port() == 80 => format!("http://[{}]", address.ip()),
        At::Tcp(address) if address.port() == 80 => format!("http://{}", address.ip()),
        At::Tcp(address) => format!("http://{address}"),
        At::Socket(path) => path.display().to_string(),
    }
}

/// How a client of each source is told (metadata.md 5).
fn variables(service: Service, url: &str, header: Option<&str>) -> Vec<(&'static str, String)> {
    match service {
        Service::Himds => vec![
            ("IDENTITY_ENDPOINT", format!("{url}/metadata/identity/oauth2/token")),
            ("IMDS_ENDPOINT", url.to_owned()),
        ],
        Service::Imds => vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", url.to_owned())],
        Service::AppService => vec![
            ("IDENTITY_ENDPOINT", format!("{url}/msi/token")),
            ("IDENTITY_HEADER", header.unwrap_or_default().to_owned()),
        ],
        Service::CloudShell => vec![("MSI_ENDPOINT", format!("{url}/oauth2/token"))],
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::sources::file;

    fn place() -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("agent"));
        (dir, place)
    }

    fn entries(text: &str, dir: &Path) -> Vec<Entry> {
        let path = dir.join("sources.json");
        fs::write(&path, text).unwrap();
        file::load(&path, true).unwrap()
    }

    #[tokio::test]
    async fn a_secret_outlives_a_restart_and_stands_in_the_environment_file() {
        let (dir, place) = place();
        let env = dir.path().join("web.env");
        let gid = nix::unistd::getgid();
        let text = format!(
            r#"{{"sources": [{{"name": "web", "kind": "app-service", "listen": "127.0.0.1:0",
            "environment_file": "{}", "group": "{gid}"}}]}}"#,
            env.display()
        );
        let mut seen = Vec::new();
        for _ in 0..2 {
            let bound = bind(&entries(&text, dir.path()), &place).await.unwrap();
            let lines = fs::read_to_string(&env).unwrap();
            assert!(
                lines
                    .starts_with(&format!("IDENTITY_ENDPOINT={}/msi/token\nIDENTITY_HEADER=", bound[0].at()))
            );
            assert_eq!(fs::metadata(&env).unwrap().permissions().mode() & 0o777, 0o640);
            seen.push(lines.split("HEADER=").nth(1).unwrap().to_owned());
        }
        assert!(seen[0] == seen[1] && seen[0].len() > 40);
        let kept = fs::metadata(place.at("source-web.secret")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_socket_is_for_its_group_and_a_dead_one_makes_room() {
        let (dir, place) = place();
        let path: PathBuf = dir.path().join("pod.sock");
        let text = format!(
            r#"{{"sources": [{{"name": "pod", "kind": "imds", "socket": "{}", "group": "{}"}}]}}"#,
            path.display(),
            nix::unistd::getgid()
        );
        let entries = entries(&text, dir.path());
        drop(bind(&entries, &place).await.unwrap());
        let held = bind(&entries, &place).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let Err(second) = bind(&entries, &place).await else { panic!("somebody listens there") };
        assert!(second.message.starts_with("source pod: listening on"), "{}", second.message);
        drop(held);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file of somebody's").unwrap();
        assert!(bind(&entries, &place).await.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody's");
    }
}
