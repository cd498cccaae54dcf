//! Sockets in the data directory by which a running site lends its listeners to `countersign run`.

use std::{
    os::unix::net::UnixStream,
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
}

/// The site that runs on this data directory, if it answers.
pub fn find(data: &Path) -> Option<Lent> {
    let folder = data.join(FOLDER);
    let ready = serde_json::from_slice(&std::fs::read(folder.join("ready.json")).ok()?).ok()?;
    let [site, himds, imds, postgres] = NAMES.map(|name| folder.join(name));
    let lent = Lent { ready, site, himds, imds, postgres };
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
    listeners: Vec<(PathBuf, std::os::unix::net::UnixListener)>,
}

/// The names of the sockets, in the order of [`Bound`]'s listeners.
const NAMES: [&str; 4] = ["site", "himds", "imds", "postgres"];

impl Sockets {
    /// Makes them anew: whatever lies there belongs to a process that is gone, since the directory is ours.
    pub fn make(data: &DataDirectory, ready: &Ready) -> Result<Self, Failure> {
        let folder = data.folder(FOLDER)?;
        let mut listeners = Vec::new();
        for name in NAMES {
            let path = folder.join(name);
            drop(std::fs::remove_file(&path));
            // A path too long for a socket address only costs `countersign run` its way in.
            match std::os::unix::net::UnixListener::bind(&path) {
                Ok(listener) => listeners.push((path, listener)),
                Err(error) => tracing::warn!(%error, path = %path.display(), "no socket for countersign run"),
            }
        }
        data::write_whole(&folder.join("ready.json"), ready.to_json().as_bytes(), 0o600)?;
        Ok(Self { folder, listeners })
    }

    /// Passes each socket's connections to the listener of that name.
    pub fn lend(&self, bound: &Bound) -> Vec<tokio::task::JoinHandle<()>> {
        let addresses = [
            bound.https_address(),
            Some(bound.himds_address()),
            Some(bound.imds_address()),
            bound.postgres_address(),
        ];
        let mut tasks = Vec::new();
        for ((path, listener), address) in self.listeners.iter().zip(addresses) {
            let lent = listener.try_clone().and_then(|l| {
                l.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(l)
            });
            match (lent, address) {
                (Ok(socket), Some(address)) => tasks.push(tokio::spawn(bridge::lend(socket, address))),
                (Err(error), _) => tracing::warn!(%error, path = %path.display(), "a socket cannot be lent"),
                (Ok(_), None) => {}
            }
        }
        tasks
    }

    /// What to take away at the end.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = self.listeners.iter().map(|(path, _)| path.clone()).collect();
        all.push(self.folder.join("ready.json"));
        all
    }
}
