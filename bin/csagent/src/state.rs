//! What the agent keeps: its registration, its private key and a status, each in a file of its own, written whole.
//!
//! The registration holds no secret and everybody may read it, because everybody may `show`; the key is for its owner
//! alone (A21). The modes do not depend on the umask. A key without a registration is that of a `connect` which was
//! not finished: the site may know it already, so the next `connect` goes on with it.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub use cs_agent::registration::{State, Status, Upstream};
use cs_jose::{MachineKey, decode_any, encode_std};
use nix::fcntl::{Flock, FlockArg};
use serde::de::DeserializeOwned;

use crate::{
    entra::CREDENTIAL,
    failure::{Attempt, Failure, Kind, chain},
    rotation,
    whole::{self, Access},
};

pub const STATE: &str = "agentconfig.json";
pub const KEY: &str = "machine.key";
pub const STATUS: &str = "status.json";
const LOCK: &str = ".lock";
const DAEMON: &str = ".daemon.lock";

const PUT_BACK: &str = "put back a good copy of it, or give the connection up with `csagent disconnect --force-local-only`, delete the \
                        machine at the site and connect anew";

/// Where it lies.
#[derive(Debug, Clone)]
pub struct Place(PathBuf);

/// Which registration a file holds: another file or another time means another registration.
pub type Stamp = (u64, i64, i64);

impl Place {
    pub fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// # Errors
    /// A [`Failure`] for a file that cannot be read; `None` while not connected.
    pub fn load(&self) -> Result<Option<State>, Failure> {
        let Some(text) = self.read_bytes(STATE)? else { return Ok(None) };
        State::read(&text).map(Some).map_err(|why| {
            Failure::failed(format!("reading {}: {why}", self.at(STATE).display())).hint(PUT_BACK)
        })
    }

    pub fn connected(&self) -> Result<State, Failure> {
        self.load()?.ok_or_else(|| {
            Failure::new(Kind::WrongState, "this machine is not connected")
                .hint("run `csagent connect` first")
        })
    }

    pub fn save(&self, state: &State) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(state).attempt("writing the registration")?;
        self.write(STATE, &text, 0o644)
    }

    /// Which registration there is now; costs one `stat`.
    pub fn stamp(&self) -> Option<Stamp> {
        fs::metadata(self.at(STATE)).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec()))
    }

    pub fn save_key(&self, key: &MachineKey) -> Result<(), Failure> {
        self.save_key_in(KEY, key)
    }

    pub fn save_key_in(&self, name: &str, key: &MachineKey) -> Result<(), Failure> {
        self.write(name, encode_std(key.pkcs8()).as_bytes(), 0o600)
    }

    pub fn key(&self) -> Result<MachineKey, Failure> {
        self.key_in(KEY)
    }

    pub fn key_in(&self, name: &str) -> Result<MachineKey, Failure> {
        let path = self.at(name);
        let read = |error: &dyn std::error::Error| {
            Failure::failed(format!("reading {}: {}", path.display(), chain(error))).hint(PUT_BACK)
        };
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => read(&error).code("AZCM0018").hint("run it as root"),
            _ => read(&error),
        })?;
        let der = decode_any(text.trim()).unwrap_or_default();
        MachineKey::from_pkcs8(&der).map_err(|error| read(&error))
    }

    /// The key of a `connect` that was not finished.
    pub fn unfinished_key(&self) -> Option<MachineKey> {
        self.key().ok()
    }

    /// The key that the site is to know this machine by: the one of a `connect` that was not finished, or of `genkey`, else
    /// a new one.
    pub fn key_to_connect_with(&self) -> Result<MachineKey, Failure> {
        if let Some(key) = self.unfinished_key() {
            return Ok(key);
        }
        let made = MachineKey::generate().map_err(|error| {
            Failure::failed(format!("making the machine's key: {error}")).code("AZCM0103")
        })?;
        self.forget_heartbeat()?;
        self.save_key(&made)?;
        Ok(made)
    }

    pub fn status(&self) -> Status {
        self.read(STATUS).ok().flatten().unwrap_or_default()
    }

    pub fn save_status(&self, status: &Status) {
        let text = serde_json::to_vec(status).unwrap_or_default();
        if let Err(failure) = self.write(STATUS, &text, 0o644) {
            tracing::warn!(cause = failure.message, "the status could not be written");
        }
    }

    pub fn forget(&self) -> Result<(), Failure> {
        const KEPT: [&str; 7] =
            [STATE, KEY, rotation::NEXT, rotation::PREVIOUS, rotation::BEATS, CREDENTIAL, STATUS];
        for name in KEPT {
            self.remove(name)?;
        }
        // Whoever was killed while writing one left a piece beside it, which may be the whole key.
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if whole::piece_of(&name).is_some_and(|of| KEPT.contains(&of)) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    pub fn forget_key(&self) -> Result<(), Failure> {
        self.remove(KEY)
    }

    /// Left by a registration before this one.
    pub fn forget_heartbeat(&self) -> Result<(), Failure> {
        self.remove(rotation::BEATS)
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Only one command at a time changes what is kept here.
    ///
    /// # Errors
    /// A [`Failure`] when another one does, or when nothing may be written here.
    pub fn lock(&self) -> Result<Flock<File>, Failure> {
        self.lock_by(LOCK, "another command works on", "wait for it to end")
    }

    /// Only one daemon beats for a machine: two that count in one file would look like two machines (C04).
    ///
    /// # Errors
    /// As [`Place::lock`].
    pub fn lock_for_daemon(&self) -> Result<Flock<File>, Failure> {
        self.lock_by(
            DAEMON,
            "another agent serves",
            "end that one first, or name another directory with --data DIR",
        )
    }

    fn lock_by(&self, name: &str, what: &str, hint: &str) -> Result<Flock<File>, Failure> {
        let opened = self.make_folder().and_then(|()| {
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
                .open(self.at(name))
        });
        let file = opened.map_err(|error| not_writable(&self.0, &error))?;
        // Whoever owns the folder may have put another name of somebody's file there, which is not to be given to them.
        if !file.metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1) {
            let odd = format!("{} is no file of this program's own", self.at(name).display());
            return Err(Failure::failed(odd).hint("remove it"));
        }
        // As with all that root writes here: the packaged daemon could not lock root's file.
        let given = self.owners(0o600).and_then(|to| Ok(nix::unistd::fchown(&file, to.user, to.group)?));
        given.map_err(|error| not_writable(&self.0, &error))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|_| Failure::new(Kind::WrongState, format!("{what} {}", self.0.display())).hint(hint))
    }

    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.read_bytes(name)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).attempt(format_args!("reading {}", self.at(name).display()))
    }

    pub fn read_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.at(name);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let failure = Failure::failed(format!("reading {}: {error}", path.display()));
                Err(match error.kind() {
                    ErrorKind::PermissionDenied => failure.code("AZCM0018").hint("run it as root"),
                    _ => failure,
                })
            }
        }
    }

    /// A temporary name, synced, renamed, the folder synced: whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Failure> {
        let path = self.at(name);
        let attempt = || -> std::io::Result<()> {
            self.make_folder()?;
            whole::write(&path, bytes, self.owners(mode)?)
        };
        attempt().map_err(|error| not_writable(&path, &error))
    }

    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.at(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(not_writable(&path, &error)),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::failed(format!("removing {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// What root writes here belongs to whom the folder belongs to: the packaged daemon is not root.
    fn owners(&self, mode: u32) -> std::io::Result<Access> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Access::mode(mode));
        }
        let folder = fs::metadata(&self.0)?;
        Ok(Access { mode, user: Some(folder.uid().into()), group: Some(folder.gid().into()) })
    }

    /// Everybody may look into it, as into the original's: `show` needs no root.
    fn make_folder(&self) -> std::io::Result<()> {
        if self.0.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.0)?;
        fs::set_permissions(&self.0, Permissions::from_mode(0o755))
    }
}

fn not_writable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::failed(format!("writing {}: {error}", path.display()));
    match error.kind() {
        ErrorKind::PermissionDenied => {
            failure.code("AZCM0018").hint("run it as root, or name a directory of your own with --data DIR")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            failure.hint("make room there: nothing was changed, and the same command run again goes on")
        }
        _ => failure.hint("name a directory that can be written with --data DIR"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("agent"));
        (dir, place)
    }

    #[test]
    fn a21_the_machines_key_is_its_owners_alone() {
        let (_dir, place) = place();
        let key = MachineKey::generate().unwrap();
        place.save_key(&key).unwrap();
        assert_eq!(place.key().unwrap().public(), key.public());
        let mode = |name| fs::metadata(place.at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(KEY), 0o600);
        place.save_status(&Status::default());
        assert_eq!(mode(STATUS), 0o644, "everybody may show");
        // Of one that was killed while it wrote, and something of somebody else's.
        for left in [".machine.key.4711", ".machine.key.old", ".notes.1"] {
            place.write(left, b"x", 0o600).unwrap();
        }
        place.forget().unwrap();
        assert!(place.key().is_err() && place.load().unwrap().is_none());
        let mut left: Vec<_> =
            fs::read_dir(place.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".machine.key.old", ".notes.1"]);
    }

    #[test]
    fn a19_a_lock_is_no_other_name_of_somebodys_file_and_no_pipe() {
        let (_dir, place) = place();
        drop(place.lock().unwrap());
        let (victim, lock) = (place.at("victim"), place.at(LOCK));
        fs::write(&victim, "untouched").unwrap();
        fs::remove_file(&lock).unwrap();
        fs::hard_link(&victim, &lock).unwrap();
        assert_eq!(place.lock().unwrap_err().kind, Kind::Failed);
        fs::remove_file(&lock).unwrap();
        nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(place.lock().is_err(), "with nobody who reads it");
        let _reader = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(&lock).unwrap();
        assert_eq!(place.lock().unwrap_err().kind, Kind::Failed);
    }

    #[test]
    fn one_command_at_a_time() {
        let (_dir, place) = place();
        let held = place.lock().unwrap();
        assert_eq!(place.lock().unwrap_err().kind, Kind::WrongState);
        drop(held);
        assert!(place.lock().is_ok());
    }

    /// The files as the first version wrote them: the same machine speaks, with the same key, and what is written anew is
    /// read again.
    #[test]
    fn files_of_the_first_version_keep_the_identity() {
        let (_dir, place) = place();
        let file = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/first").join(name);
        for name in [STATE, KEY] {
            place.write(name, &fs::read(file(name)).unwrap(), 0o600).unwrap();
        }
        let state = place.connected().unwrap();
        assert_eq!(state.client_id, "c1c10000-0000-4000-8000-000000000005");
        assert_eq!(state.vm_id, "5f4d0000-0000-4000-8000-000000000003");
        assert_eq!((state.cloud.as_str(), state.tags.len(), &state.upstream), ("", 1, &None));
        assert_eq!(place.key().unwrap().public().thumbprint(), "3kTqRoHNfs3AsftF-lMx2PcDRJ_0GcrhV9Br3Wfh-Hk");
        // It had neither a status nor heartbeats.
        assert_eq!(place.status(), Status::default());
        assert_eq!(place.beats().unwrap().generation, 1);
        crate::issuer::SiteIssuer::of(&state, &place, &crate::config::Settings::default()).unwrap();
        place.save(&state).unwrap();
        assert_eq!(place.connected().unwrap(), state);
        let mut newer: serde_json::Value = serde_json::from_slice(&fs::read(file(STATE)).unwrap()).unwrap();
        newer["version"] = 2.into();
        place.write(STATE, newer.to_string().as_bytes(), 0o600).unwrap();
        assert!(place.connected().unwrap_err().message.contains("newer agent"));
    }
}
