//! A PostgreSQL of the bench's own, with TLS and two doors: roles of the gateway come by its socket, the role `direct` by
//! TLS and a password, as clients without a gateway do.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use cs_names::SiteNames;
use cs_pki::CertificateAuthority;
use cs_time::{Clock, MachineClock};

use crate::process::Process;

/// Who the bench is at the gateway.
pub const ROLE: &str = "bench";
/// Rows of pgbench's largest table, in units of 100,000: small enough to lie in memory.
const SCALE: &str = "1";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

pub struct Postgres {
    _process: Process,
    folder: tempfile::TempDir,
    pub port: u16,
    programs: PathBuf,
}

impl Postgres {
    pub fn start() -> Result<Self> {
        let programs = programs().context("PostgreSQL is not installed: apt-get install postgresql")?;
        let folder = tempfile::Builder::new().prefix("countersign-bench-").tempdir()?;
        let at = folder.path();
        fs::set_permissions(at, fs::Permissions::from_mode(0o755))?;
        certificate(at)?;
        let user = unprivileged(at)?;
        let run = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(at).env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = at.join("data");
        let made = run("initdb")
            .args(["--username=owner", "--auth=trust", "--no-sync", "-D"])
            .arg(&data)
            .status()?;
        anyhow::ensure!(made.success(), "initdb ended with {made}");
        let hba = format!(
            "local all owner trust\nlocal all {ROLE} trust\nhostssl all direct 127.0.0.1/32 scram-sha-256\n"
        );
        fs::write(data.join("pg_hba.conf"), hba)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = run("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", "ssl=on", "-c", "fsync=off", "-c", "max_connections=200"]);
        for (name, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            server.arg("-c").arg(format!("{name}={}", at.join(file).display()));
        }
        server.arg("-c").arg(format!("unix_socket_directories={}", at.display()));
        let process = Process::new(server.spawn()?);
        let postgres = Self { _process: process, folder, port, programs };
        postgres.furnish()?;
        Ok(postgres)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn furnish(&self) -> Result<()> {
        let started = Instant::now();
        while self.owner("psql").args(["-c", "SELECT 1", "postgres"]).stderr(Stdio::null()).status()?.code()
            != Some(0)
        {
            if started.elapsed() > STARTS_WITHIN {
                bail!("PostgreSQL was not ready within {STARTS_WITHIN:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let roles = format!(
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE {ROLE} LOGIN; CREATE ROLE direct LOGIN PASSWORD 'direct'"
        );
        let filled = self.owner("psql").args(["-c", &roles, "postgres"]).status()?.success()
            && self
                .owner("pgbench")
                .args(["-i", "-q", "-s", SCALE, "postgres"])
                .stderr(Stdio::null())
                .status()?
                .success()
            && self
                .owner("psql")
                .args(["-c", "GRANT ALL ON ALL TABLES IN SCHEMA public TO public", "postgres"])
                .status()?
                .success();
        anyhow::ensure!(filled, "the database could not be filled");
        Ok(())
    }

    fn owner(&self, program: &str) -> Command {
        let mut command = self.program(program);
        command.args(["-h"]).arg(self.folder()).args(["-U", "owner"]).stdout(Stdio::null());
        command
    }

    /// A client program, told nothing yet of where to connect.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGPORT", self.port.to_string()).env("PGCONNECT_TIMEOUT", "10");
        command
    }

    /// Straight to the server, by TLS and SCRAM.
    pub fn direct(&self, program: &str) -> Command {
        let mut command = self.program(program);
        command.env("PGHOST", "127.0.0.1").env("PGUSER", "direct").env("PGPASSWORD", "direct");
        command.env("PGDATABASE", "postgres").env("PGSSLMODE", "require");
        command
    }
}

fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}

/// A certificate of its own, which nobody checks: the bench measures, it does not trust.
fn certificate(folder: &Path) -> Result<()> {
    let names = SiteNames::under("bench.localhost")?;
    let (_, pem, key) = CertificateAuthority::make("Bench", &names.subtrees(), MachineClock.now())?;
    fs::write(folder.join("server.crt"), pem)?;
    fs::write(folder.join("server.key"), key)?;
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// PostgreSQL refuses to run as root: then it runs as its own user, or as nobody.
fn unprivileged(folder: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let (uid, gid) = ids("postgres").or_else(|| ids("nobody")).context("no user for PostgreSQL")?;
    for file in [folder.to_owned(), folder.join("server.key")] {
        chown(file, Some(uid), Some(gid))?;
    }
    Ok(Some((uid, gid)))
}
