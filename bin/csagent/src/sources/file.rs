//! The file that names the sources, and what it means here.

use std::path::Path;

use cs_agent::sources::{self, Entry, Only};
use cs_metadata::{Pinned, Service};

use crate::{
    failure::{Failure, Kind},
    whole::{self, Access},
};

pub const FILE: &str = "sources.json";

/// The sources of a file; none where there is no such file and nobody has named it.
pub fn load(path: &Path, named: bool) -> Result<Vec<Entry>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(Vec::new()),
        other => other.map_err(|e| Failure::new(Kind::Usage, format!("reading {}: {e}", path.display())))?,
    };
    sources::read(&text, &|name| whole::group(name).map(nix::unistd::Gid::as_raw)).map_err(|why| {
        Failure::new(Kind::Usage, format!("{}: {why}", path.display()))
            .hint("docs/machine.md shows how sources are written")
    })
}

pub fn service(kind: sources::Kind) -> Service {
    match kind {
        sources::Kind::Himds => Service::Himds,
        sources::Kind::Imds => Service::Imds,
        sources::Kind::AppService => Service::AppService,
        sources::Kind::CloudShell => Service::CloudShell,
    }
}

pub fn pinned(entry: &Entry) -> Option<Pinned> {
    entry.only.as_ref().map(|only| match only {
        Only::System => Pinned::System,
        Only::Named(id) => Pinned::Named(id.clone()),
    })
}

/// Of the files written for a source, and of its socket.
pub fn access(entry: &Entry) -> Access {
    Access { mode: entry.mode, user: None, group: entry.group.map(Into::into) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let missing = Path::new("/nowhere/sources.json");
        assert_eq!(load(missing, false).unwrap(), []);
        assert_eq!(load(missing, true).unwrap_err().kind, Kind::Usage);
    }
}
