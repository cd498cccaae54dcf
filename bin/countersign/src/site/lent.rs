//! Sockets in the data directory by which a running site lends its listeners to `countersign run`.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use crate::site::ready::Ready;

/// The folder of the sockets, below the data directory; its mode keeps others out.
pub const FOLDER: &str = "sockets";

/// The listeners of a running site, as found on a data directory.
pub struct Lent {
    pub ready: Ready,
    pub site: PathBuf,
    pub himds: PathBuf,
    pub imds: PathBuf,
}

/// The site that runs on this data directory, if it answers.
pub fn find(data: &Path) -> Option<Lent> {
    let folder = data.join(FOLDER);
    let ready = serde_json::from_slice(&std::fs::read(folder.join("ready.json")).ok()?).ok()?;
    let lent = Lent { ready, site: folder.join("site"), himds: folder.join("himds"), imds: folder.join("imds") };
    UnixStream::connect(&lent.site).ok()?;
    Some(lent)
}

impl Lent {
    /// The ready document with the ports and places it has inside a private machine.
    pub fn as_seen_inside(&self, https_port: u16, challenges: &Path) -> Ready {
        let mut ready = self.ready.clone();
        let outside = format!(":{}", ready.https_port);
        let port = if https_port == 443 { String::new() } else { format!(":{https_port}") };
        for url in [
            &mut ready.authority,
            &mut ready.resource_manager,
            &mut ready.graph,
            &mut ready.console,
            &mut ready.vault_suffix,
            &mut ready.blob_suffix,
        ] {
            *url = url.replace(&outside, &port);
        }
        ready.https_port = https_port;
        ready.himds = "http://127.0.0.1:40342".to_owned();
        ready.imds = "http://169.254.169.254".to_owned();
        ready.challenge_directory = challenges.to_owned();
        ready
    }
}
