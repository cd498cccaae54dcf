//! A peer: pgbouncer in session mode, TLS to its clients, the socket to the server, as the gateway has it.

use std::{
    fs,
    net::TcpStream,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    postgres::{Postgres, ROLE},
    process::Process,
};

const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub struct Pgbouncer {
    _process: Process,
    _folder: tempfile::TempDir,
    port: u16,
}

impl Pgbouncer {
    pub fn start(postgres: &Postgres) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("countersign-pgbouncer-").tempdir()?;
        let at = folder.path();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        for name in ["server.crt", "server.key"] {
            fs::copy(postgres.folder().join(name), at.join(name))?;
        }
        fs::write(at.join("users"), format!("\"{ROLE}\" \"bench\"\n"))?;
        fs::write(at.join("pgbouncer.ini"), settings(at, postgres, port))?;
        // It refuses to run as root, as the server does; whoever owns the server's files runs both.
        let owner = fs::metadata(postgres.folder())?;
        use std::os::unix::fs::MetadataExt;
        let (uid, gid) = (owner.uid(), owner.gid());
        let root = fs::metadata("/proc/self")?.uid() == 0;
        let mut command = Command::new("pgbouncer");
        if root {
            for entry in fs::read_dir(at)? {
                chown(entry?.path(), Some(uid), Some(gid))?;
            }
            chown(at, Some(uid), Some(gid))?;
            command.uid(uid).gid(gid);
        }
        command.arg("-q").arg(at.join("pgbouncer.ini")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("pgbouncer is not installed: apt-get install pgbouncer")?;
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.elapsed() > STARTS_WITHIN {
                bail!("pgbouncer does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { _process: Process::new(child), _folder: folder, port })
    }

    pub fn command(&self, mut command: Command) -> Command {
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", ROLE).env("PGPASSWORD", "bench").env("PGDATABASE", "postgres");
        command.env("PGSSLMODE", "require");
        command
    }
}

fn settings(at: &Path, postgres: &Postgres, port: u16) -> String {
    format!(
        "[databases]\npostgres = host={socket} port={server} dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\npool_mode = session\ndefault_pool_size = 100\nmax_client_conn = 200\n\
         auth_type = plain\nauth_file = {at}/users\nclient_tls_sslmode = require\nclient_tls_key_file = {at}/server.key\n\
         client_tls_cert_file = {at}/server.crt\nignore_startup_parameters = extra_float_digits\n",
        socket = postgres.folder().display(),
        server = postgres.port,
        at = at.display(),
    )
}
