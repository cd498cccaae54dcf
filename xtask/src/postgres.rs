//! A PostgreSQL of our own: a new cluster in a temporary folder, on loopback, gone after the step.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec::Log;
use crate::service::{Service, free_port};
use crate::tools;

pub struct Postgres {
    // Fields are dropped in this order: first the server, then its files.
    _server: Service,
    _files: tempfile::TempDir,
    port: u16,
    programs: PathBuf,
}

impl Postgres {
    pub fn start(log: &mut Log) -> Result<Self> {
        let programs = programs(log)?;
        // Not below target/: the checkout may lie where the unprivileged user cannot go.
        let files = tempfile::Builder::new().prefix("countersign-postgres-").tempdir()?;
        let user = unprivileged(files.path())?;
        let data = files.path().join("data");
        let run_as = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(files.path()).env("LC_ALL", "C");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let mut initdb = run_as("initdb");
        initdb.args(["--username=countersign", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"]);
        log.run(initdb.arg(&data))?;
        let port = free_port()?;
        let mut server = run_as("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", "unix_socket_directories=", "-c", "max_connections=200"]);
        // INT is PostgreSQL's "fast shutdown": open sessions are ended, not waited for.
        let server = Service::start(&mut server, port, "-INT", log)?;
        Ok(Self { _server: server, _files: files, port, programs })
    }

    /// A program of the server's package.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub fn url(&self) -> String {
        format!("postgres://countersign@127.0.0.1:{}/postgres", self.port)
    }
}

/// The folder of the server's programs, installing Debian's package where there is none.
fn programs(log: &mut Log) -> Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    tools::debian(&[("/", "postgresql")], log)?;
    installed().context("the package postgresql brought no initdb")
}

/// Debian keeps them off the path, one folder a major version; the newest wins.
fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.into_iter().rev().chain(std::env::split_paths(&path)).find(|dir| dir.join("initdb").is_file())
}

/// PostgreSQL refuses to run as root: then it runs as its own user, or as nobody, who is given `files`.
fn unprivileged(files: &Path) -> Result<Option<(u32, u32)>> {
    let root = fs::metadata(files)?.uid() == 0;
    if !root {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let (uid, gid) =
        ["postgres", "nobody"].iter().find_map(|name| ids_of(&users, name)).context("no user for it")?;
    chown(files, Some(uid), Some(gid))?;
    Ok(Some((uid, gid)))
}

fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0::/:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:,,,:/var:/bin/bash\n";
        assert_eq!(super::ids_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(super::ids_of(passwd, "nobody"), None);
    }
}
