//! The database gateway before other versions of PostgreSQL than Debian's: the oldest and the newest that it promises,
//! and one that first knows groups in `pg_ident.conf`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::database::site_with_gateway;
use crate::exec::Log;
use crate::ground::Ground;
use crate::postgres::Postgres;
use crate::suites;
use crate::tools::{self, Clients};

/// Pinned in `conformance/pgservers`.
const MAJORS: [u32; 3] = [12, 16, 18];

pub fn run(ground: &Ground, log: &mut Log) -> Result<()> {
    tools::debian(&[("openssl", "openssl"), ("ip", "iproute2"), ("unshare", "util-linux")], log)?;
    let python = Clients::PgPython.install(ground, log)?;
    let packages = Clients::PgServers.install(ground, log)?;
    let program = suites::countersign(ground, log)?;
    let data = ground.fresh_data("database-versions")?;
    let mut servers = Vec::new();
    for major in MAJORS {
        let native = packages.join(format!("node_modules/postgres-{major}/native"));
        servers.push((major, Postgres::behind_gateway_of(&native, log)?));
    }
    let at = |server: &Postgres| format!("{}:{}", server.folder().display(), server.port());
    let sockets: Vec<String> = servers.iter().map(|(major, s)| format!("peer{major}={}", at(s))).collect();
    let named: Vec<String> = servers.iter().map(|(major, s)| format!("{major}={}", at(s))).collect();
    let (running, site) = site_with_gateway(&program, &data, &sockets, log)?;
    let mut run = Command::new(&program);
    run.current_dir(&ground.root).arg("run").arg("--data").arg(&site).arg("--");
    run.arg(python.join("bin/python")).arg(ground.root.join("conformance/database/versions.py"));
    run.env("PG_SERVERS", named.join(" ")).env("COUNTERSIGN", &program).env("PYTHONDONTWRITEBYTECODE", "1");
    log.run(&mut run)?;
    drop(running);
    fs::remove_dir_all(&data).context("removing the step's data")
}
