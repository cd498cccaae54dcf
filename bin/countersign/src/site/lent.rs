//! Sockets in the data directory by which a running site lends its listeners to `countersign run`.

use std::{
    fs::File,
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use cs_sandbox::bridge;

use super::{
    data::{self, DataDirectory},
    listen::Bound,
    ready::Ready,
};
use crate::failure::Failure;

/// The folder of the sockets, below the data directory; its mode keeps others out.
pub const FOLDER: &str = "sockets";

/// The listeners of a running site, as found on a data directory.
pub struct Lent {
    pub ready: Ready,
    pub site: PathBuf,
    pub himds: PathBuf,
    pub imds: PathBuf,
    pub postgres: PathBuf,
    _folder: Near,
}

/// A folder by a name that leaves room for a file's in a socket address (108 bytes, `unix(7)`), however deep it lies.
struct Near {
    path: PathBuf,
    /// Where the name is that of a descriptor, it leads there while this is open.
    _open: Option<File>,
}

/// What a folder's name may be long for sockets in it to be bound and reached by it.
const NEAR_BYTES: usize = 90;

impl Near {
    fn to(folder: &Path) -> Self {
        let open = Some(folder).filter(|f| f.as_os_str().len() > NEAR_BYTES).and_then(|f| File::open(f).ok());
        let descriptor =
            open.as_ref().map(|open| Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()));
        let path = descriptor.filter(|path| path.is_dir()).unwrap_or_else(|| folder.to_owned());
        Self { path, _open: open }
    }
}

/// The site that runs on this data directory, if it answers.
pub fn find(data: &Path) -> Option<Lent> {
    let folder = data.join(FOLDER);
    let ready = serde_json::from_slice(&std::fs::read(folder.join("ready.json")).ok()?).ok()?;
    let near = Near::to(&folder);
    let [site, himds, imds, postgres] = NAMES.map(|name| near.path.join(name));
    let lent = Lent { ready, site, himds, imds, postgres, _folder: near };
    UnixStream::connect(&lent.site).ok()?;
    Some(lent)
}

impl Lent {
    /// The ready document with the ports and places it has inside a private machine.
    pub fn as_seen_inside(&self, https_port: u16, challenges: &Path) -> Ready {
        Ready {
            himds: "http://127.0.0.1:40342".to_owned(),
            imds: "http://169.254.169.254".to_owned(),
            postgres: self.ready.postgres.as_ref().map(|_| "127.0.0.1:5432".to_owned()),
            challenge_directory: challenges.to_owned(),
            ..self.ready.reached_at(https_port)
        }
    }
}

/// The sockets a starting site makes.
pub struct Sockets {
    folder: PathBuf,
    listeners: Vec<(&'static str, std::os::unix::net::UnixListener)>,
}

/// The names of the sockets.
const NAMES: [&str; 4] = ["site", "himds", "imds", "postgres"];

impl Sockets {
    /// Makes them anew: whatever lies there belongs to a process that is gone, since the directory is ours.
    pub fn make(data: &DataDirectory, ready: &Ready) -> Result<Self, Failure> {
        let folder = data.folder(FOLDER)?;
        let near = Near::to(&folder);
        let mut listeners = Vec::new();
        for name in NAMES {
            let path = near.path.join(name);
            drop(std::fs::remove_file(&path));
            // Without a socket only `countersign run` cannot come in.
            match std::os::unix::net::UnixListener::bind(&path) {
                Ok(listener) => listeners.push((name, listener)),
                Err(error) => tracing::warn!(%error, name, "no socket for countersign run"),
            }
        }
        data::write_whole(&folder.join("ready.json"), ready.to_json().as_bytes(), 0o600)?;
        Ok(Self { folder, listeners })
    }

    /// Passes each socket's connections to the listener of that name, but HIMDS's.
    pub fn lend(&mut self, bound: &Bound) -> Vec<tokio::task::JoinHandle<()>> {
        let pairs = [
            ("site", bound.https_address()),
            ("imds", Some(bound.imds_address())),
            ("postgres", bound.postgres_address()),
        ];
        let lent = pairs.into_iter().filter_map(|(name, address)| Some((self.take(name)?, address?)));
        lent.map(|(socket, address)| tokio::spawn(bridge::lend(socket, address))).collect()
    }

    /// HIMDS's own socket. It is served, not passed on: inside, challenge files are seen at another place.
    pub fn himds(&mut self) -> Option<tokio::net::UnixListener> {
        self.take("himds")
    }

    fn take(&mut self, name: &str) -> Option<tokio::net::UnixListener> {
        let at = self.listeners.iter().position(|(known, _)| *known == name)?;
        let (_, listener) = self.listeners.swap_remove(at);
        let lent = listener.set_nonblocking(true).and_then(|()| tokio::net::UnixListener::from_std(listener));
        lent.inspect_err(|error| tracing::warn!(%error, name, "a socket cannot be lent")).ok()
    }

    /// What to take away at the end.
    pub fn files(&self) -> Vec<PathBuf> {
        NAMES.into_iter().chain(["ready.json"]).map(|name| self.folder.join(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_reached_however_deep_its_folder_lies() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("deep".repeat(40));
        std::fs::create_dir(&deep).unwrap();
        for folder in [dir.path(), &deep] {
            let (made, found) = (Near::to(folder), Near::to(folder));
            let _listener = std::os::unix::net::UnixListener::bind(made.path.join("site")).unwrap();
            UnixStream::connect(found.path.join("site")).unwrap();
            assert!(folder.join("site").exists());
        }
    }
}
