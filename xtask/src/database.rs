//! The database gateway before a real PostgreSQL: a cluster that trusts it both ways (certificate over the network, peer
//! on a socket), a site with the gateway, and unmodified clients in `countersign run` that see nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::exec::Log;
use crate::ground::Ground;
use crate::postgres::Postgres;
use crate::service::{Service, free_port};
use crate::suites;
use crate::tools::{self, Clients};

/// How long the site may take until it says that it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(ground: &Ground, log: &mut Log) -> Result<()> {
    tools::debian(&[("curl", "curl"), ("jq", "jq"), ("ip", "iproute2"), ("unshare", "util-linux")], log)?;
    tools::debian(&[("psql", "postgresql-client"), ("openssl", "openssl"), ("go", "golang-go")], log)?;
    for clients in [Clients::PgPython, Clients::PgNode] {
        clients.install(ground, log)?;
    }
    let (go, java) = (go_client(ground, log)?, java_client(ground, log)?);
    let server = Postgres::behind_gateway(log)?;
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("database")?;
    let socket = format!("dbpeer={}:{}", server.folder().display(), server.port());
    let (running, site) = site_with_gateway(&program, &data, &[socket], log)?;
    let mut run = Command::new(&program);
    run.current_dir(&ground.root).arg("run").arg("--data").arg(&site);
    run.args(["--", "sh"]).arg(ground.root.join("conformance/database/run.sh"));
    run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance"));
    run.env("PG_FOLDER", server.folder()).env("PG_PORT", server.port().to_string());
    run.env("PG_GO", go).env("PG_JAVA", java).env("COUNTERSIGN", &program);
    // Not below target/: the agent takes no folder that others of a checkout's group may change.
    let certificates = tempfile::Builder::new().prefix("countersign-certificates-").tempdir()?;
    run.env("CSAGENT", program.with_file_name("csagent")).env("PG_CERTIFICATES", certificates.path());
    log.run(&mut run)?;
    let mut own = Command::new("sh");
    own.arg(ground.root.join("conformance/database/gateway.sh")).arg(&program).arg(&site);
    own.arg(ground.clients("pgpython").join("bin/python"));
    own.env("PG_FOLDER", server.folder()).env("PG_PORT", server.port().to_string());
    log.run(own.env("COUNTERSIGN_READY_FILE", data.join("ready.json")))?;
    // With the site gone: PostgreSQL decides by the certificate alone.
    drop(running);
    let mut direct = Command::new("sh");
    direct
        .arg(ground.root.join("conformance/database/direct.sh"))
        .arg(certificates.path().join("lab-machine"));
    log.run(direct.env("PG_PORT", server.port().to_string()))?;
    fs::remove_dir_all(&data).context("removing the step's data")
}

/// A site with the gateway on a free port, below `data`; answers it and its data directory.
pub fn site_with_gateway(
    program: &Path,
    data: &Path,
    sockets: &[String],
    log: &mut Log,
) -> Result<(Service, PathBuf)> {
    let (site, ready, port) = (data.join("site"), data.join("ready.json"), free_port()?);
    let mut up = Command::new(program);
    up.arg("up").arg("--data").arg(&site).arg("--ready-file").arg(&ready);
    up.args(["--https-port", "0", "--himds-port", "0", "--imds", "127.0.0.1:0"]);
    up.args(["--postgres", &format!("127.0.0.1:{port}")]);
    for socket in sockets {
        up.args(["--postgres-socket", socket]);
    }
    let running = Service::start(&mut up, port, "-TERM", log)?;
    let until = Instant::now() + PATIENCE;
    while !ready.exists() {
        if Instant::now() > until {
            bail!("the site was not ready within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((running, site))
}

/// Compiled out here, where modules can be had.
fn go_client(ground: &Ground, log: &mut Log) -> Result<PathBuf> {
    let program = ground.clients("pggo");
    let mut build = Command::new("go");
    build.current_dir(ground.root.join("conformance/pggo")).env("CGO_ENABLED", "0");
    // The address of a toolchain to download is no business of a lock file.
    build.env("GOFLAGS", "-mod=readonly").env("GOTOOLCHAIN", "local");
    log.run(build.args(["build", "-o"]).arg(&program).arg("."))?;
    Ok(program)
}

fn java_client(ground: &Ground, log: &mut Log) -> Result<PathBuf> {
    tools::debian(&[("javac", "default-jdk-headless"), ("mvn", "maven")], log)?;
    let (from, to) = (ground.root.join("conformance/pgjava"), ground.clients("pgjava"));
    let (libraries, classes) = (to.join("lib"), to.join("classes"));
    let mut fetch = Command::new("mvn");
    fetch.current_dir(&from).args(["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
    log.run(fetch.arg(format!("-DoutputDirectory={}", libraries.display())))?;
    let mut compile = Command::new("javac");
    compile.current_dir(&from).arg("-cp").arg(libraries.join("*")).arg("-d").arg(classes);
    log.run(compile.arg("Main.java"))?;
    Ok(to)
}
