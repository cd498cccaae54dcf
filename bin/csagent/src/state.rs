//! What the agent keeps: its registration and its private key, each in a file of its own, mode 0600, written whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use cs_jose::{MachineKey, decode_any, encode_std};
use serde::{Deserialize, Serialize};

use crate::failure::{Attempt, Failure, Kind};

const STATE: &str = "agentconfig.json";
const KEY: &str = "machine.key";
const VERSION: u32 = 1;

/// The registration of this machine.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct State {
    pub version: u32,
    /// The resource manager's address, no slash at the end.
    pub site: String,
    /// PEM text of the CA to trust beside the system's roots.
    pub ca: Option<String>,
    /// `https://login…/`
    pub authority: String,
    /// What the resource manager's tokens are for.
    pub audience: String,
    pub tenant_id: String,
    pub subscription_id: String,
    pub resource_group: String,
    pub resource_name: String,
    pub resource_id: String,
    pub location: String,
    pub vm_id: String,
    pub principal_id: String,
    pub client_id: String,
    /// As last heard from the site.
    pub tags: Vec<(String, String)>,
    pub last_heartbeat: Option<String>,
}

/// Where it lies.
pub struct Place(PathBuf);

impl Place {
    pub fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// # Errors
    /// A [`Failure`] for a file that cannot be read; `None` while not connected.
    pub fn load(&self) -> Result<Option<State>, Failure> {
        let path = self.0.join(STATE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::failed(format!("reading {}: {error}", path.display()))),
        };
        let state: State =
            serde_json::from_slice(&text).attempt(format_args!("reading {}", path.display()))?;
        if state.version > VERSION {
            return Err(Failure::failed(format!("{} was written by a newer agent", path.display())));
        }
        Ok(Some(state))
    }

    pub fn connected(&self) -> Result<State, Failure> {
        self.load()?.ok_or_else(|| {
            Failure::new(Kind::WrongState, "this machine is not connected")
                .hint("run `csagent connect` first")
        })
    }

    pub fn save(&self, state: &State) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(state).attempt("writing the registration")?;
        self.write(STATE, &text)
    }

    pub fn save_key(&self, key: &MachineKey) -> Result<(), Failure> {
        self.write(KEY, encode_std(key.pkcs8()).as_bytes())
    }

    pub fn key(&self) -> Result<MachineKey, Failure> {
        let path = self.0.join(KEY);
        let text = fs::read_to_string(&path).attempt(format_args!("reading {}", path.display()))?;
        let der = decode_any(text.trim()).unwrap_or_default();
        MachineKey::from_pkcs8(&der).attempt(format_args!("reading {}", path.display()))
    }

    pub fn forget(&self) -> Result<(), Failure> {
        for name in [STATE, KEY] {
            match fs::remove_file(self.0.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Failure::failed(format!("removing {name}: {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// A temporary name, synced, renamed, the folder synced: whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.0.join(name);
        let attempt = || -> std::io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.0)?;
            let temporary = self.0.join(format!(".{name}.{}", std::process::id()));
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            File::open(&self.0)?.sync_all()
        };
        attempt().attempt(format_args!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a21_the_machines_key_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("agent"));
        let key = MachineKey::generate().unwrap();
        place.save_key(&key).unwrap();
        assert_eq!(place.key().unwrap().public(), key.public());
        let mode = fs::metadata(place.folder().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        place.forget().unwrap();
        assert!(place.key().is_err() && place.load().unwrap().is_none());
    }
}
