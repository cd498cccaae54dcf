//! A PostgreSQL of our own: a new cluster in a temporary folder, on loopback, gone after the step.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
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
    files: tempfile::TempDir,
    port: u16,
    programs: PathBuf,
}

/// A cluster that is not running yet.
struct Cluster {
    programs: PathBuf,
    files: tempfile::TempDir,
    user: Option<(u32, u32)>,
}

impl Cluster {
    fn make(log: &mut Log) -> Result<Self> {
        let programs = programs(log)?;
        Self::with(programs, folder()?, log)
    }

    /// Of programs that lie where the unprivileged user may not be able to go: they are copied.
    fn of(native: &Path, log: &mut Log) -> Result<Self> {
        let files = folder()?;
        log.run(Command::new("cp").arg("-a").arg(native).arg(files.path().join("native")))?;
        Self::with(files.path().join("native/bin"), files, log)
    }

    fn with(programs: PathBuf, files: tempfile::TempDir, log: &mut Log) -> Result<Self> {
        let user = unprivileged(files.path())?;
        let cluster = Self { programs, files, user };
        let mut initdb = cluster.program("initdb");
        initdb.args(["--username=countersign", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"]);
        log.run(initdb.arg(cluster.data()))?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.files.path()).env("LC_ALL", "C");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn start(self, settings: &[String], log: &mut Log) -> Result<Postgres> {
        let port = free_port()?;
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        // INT is PostgreSQL's "fast shutdown": open sessions are ended, not waited for.
        let server = Service::start(&mut server, port, "-INT", log)?;
        Ok(Postgres { _server: server, files: self.files, port, programs: self.programs })
    }
}

impl Postgres {
    pub fn start(log: &mut Log) -> Result<Self> {
        let settings = ["unix_socket_directories=", "max_connections=200"].map(str::to_owned);
        Cluster::make(log)?.start(&settings, log)
    }

    /// One that logs in whom the gateway vouches for: by its certificate over TLS, by peer on a socket. The superuser
    /// comes by the socket without proof, so the folder is for tests only.
    pub fn behind_gateway(log: &mut Log) -> Result<Self> {
        Self::trusting(Cluster::make(log)?, log)
    }

    /// The same of another version, whose programs lie in `native`.
    pub fn behind_gateway_of(native: &Path, log: &mut Log) -> Result<Self> {
        Self::trusting(Cluster::of(native, log)?, log)
    }

    fn trusting(cluster: Cluster, log: &mut Log) -> Result<Self> {
        let folder = cluster.files.path();
        // Ours, so that the test may tell it whom to trust; the server only reads it.
        fs::create_dir(folder.join("trust"))?;
        certificates(folder, log)?;
        // Clients come in by the sockets in it.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        if let Some((uid, gid)) = cluster.user {
            chown(folder.join("server.key"), Some(uid), Some(gid))?;
        }
        fs::write(cluster.data().join("pg_hba.conf"), HBA)?;
        let me = own_name()?;
        let map: String = ROLES.iter().map(|role| format!("gateway {me} \"{role}\"\n")).collect();
        fs::write(cluster.data().join("pg_ident.conf"), map)?;
        let file = |name: &str| folder.join(name).display().to_string();
        let settings = [
            "max_connections=200".to_owned(),
            "wal_level=logical".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.crt")),
            format!("ssl_key_file={}", file("server.key")),
            format!("ssl_ca_file={}", file("trust/clients.crt")),
            format!("unix_socket_directories={}", folder.display()),
        ];
        cluster.start(&settings, log)
    }

    /// A program of the server's package.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("postgres://countersign@127.0.0.1:{}/postgres", self.port)
    }
}

/// Whom the socket's map knows, a line each, as versions before 16 need it.
const ROLES: [&str; 2] = ["lab-machine", "Data Team"];

/// Whom a server behind the gateway lets in. Roles of people and machines are in the group `entra`; `direct` is what
/// measurements compare with.
const HBA: &str = "\
local   all          countersign                trust
local   all          +entra                     peer map=gateway
hostssl all          +entra       127.0.0.1/32  cert
hostssl replication  +entra       127.0.0.1/32  cert
hostssl all          direct       127.0.0.1/32  scram-sha-256
";

/// Not below target/: the checkout may lie where the unprivileged user cannot go.
fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("countersign-postgres-").tempdir()?)
}

/// A CA of the server's own and a certificate for `localhost`, and a first file of trusted client authorities, which
/// must hold one.
fn certificates(folder: &Path, log: &mut Log) -> Result<()> {
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let mut openssl =
        |arguments: &[&str]| log.run(Command::new("openssl").current_dir(folder).args(arguments));
    let authority = ["-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test", "-days", "2"];
    openssl(&[&["req"], &key[..], &authority].concat())?;
    openssl(
        &[&["req"], &key[..], &["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"]]
            .concat(),
    )?;
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(&[&sign[..], &["-out", "server.crt", "-days", "2", "-extfile", "names"]].concat())?;
    fs::copy(folder.join("ca.crt"), folder.join("trust/clients.crt"))?;
    Ok(())
}

/// The name of who runs this, as a server sees it on a socket.
fn own_name() -> Result<String> {
    let uid = fs::metadata("/proc/self")?.uid().to_string();
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.split(':').nth(2) == Some(uid.as_str()));
    let name = line.and_then(|line| line.split(':').next());
    Ok(name.context("who runs this has no name")?.to_owned())
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
