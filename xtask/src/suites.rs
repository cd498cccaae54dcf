//! Suites that see the product from outside: a shell script each, run by `countersign run` as if on a connected machine.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::exec::Log;
use crate::ground::Ground;
use crate::tools::{self, Clients};

/// Programs the scripts call, and the Debian packages they come in.
pub const TOOLS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("jq", "jq"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
];

/// One script below `conformance/`, and what it needs.
pub struct Suite {
    pub name: &'static str,
    pub script: &'static str,
    pub clients: &'static [Clients],
    /// Play it under the public cloud's own names.
    pub public_names: bool,
}

impl Suite {
    pub fn run(&self, ground: &Ground, log: &mut Log) -> Result<()> {
        self.run_with(&[], ground, log)
    }

    /// The same with more variables, which the site sees as well as the script.
    pub fn run_with(&self, more: &[(&str, &OsStr)], ground: &Ground, log: &mut Log) -> Result<()> {
        tools::debian(TOOLS, log)?;
        for clients in self.clients {
            clients.install(ground, log)?;
        }
        let program = countersign(ground, log)?;
        let data = ground.fresh_data(self.name)?;
        let agent = program.with_file_name("csagent");
        let mut run = Command::new(program);
        run.current_dir(&ground.root).arg("run").arg("--data").arg(&data);
        if self.public_names {
            run.args(["--cloud", "azure"]);
        }
        run.args(["--", "sh"]).arg(ground.root.join("conformance").join(self.script));
        // The agent lies beside the site in every build.
        run.env("CSAGENT", agent);
        run.env("CONFORMANCE_CLIENTS", ground.target.join("conformance"));
        log.run(run.envs(more.iter().copied()))?;
        // A failed suite keeps its site for whoever looks into it.
        std::fs::remove_dir_all(&data).context("removing the suite's data")
    }
}

/// Plays a suite with another party's issuer of tokens that the site was told to trust (`conformance/issuer`).
pub fn with_issuer(suite: &Suite, ground: &Ground, log: &mut Log) -> Result<()> {
    let home = ground.fresh_data(&format!("{}-issuer", suite.name))?;
    let mut make = Command::new("python3");
    make.arg(ground.root.join("conformance/issuer/issuer.py")).arg("make").arg(&home);
    tools::debian(TOOLS, log)?;
    log.run(&mut make)?;
    let authority = home.join("ca.pem");
    let more = [
        ("CONFORMANCE_ISSUER", home.as_os_str()),
        ("SSL_CERT_FILE", authority.as_os_str()),
        ("COUNTERSIGN_PRIVATE_ISSUERS", OsStr::new("localhost")),
    ];
    suite.run_with(&more, ground, log)?;
    std::fs::remove_dir_all(&home).context("removing the issuer's keys")
}

/// Installs what suites call, and these clients; answers the site's program.
pub fn prepared(clients: &[Clients], ground: &Ground, log: &mut Log) -> Result<PathBuf> {
    tools::debian(&[("curl", "curl"), ("jq", "jq"), ("ip", "iproute2"), ("unshare", "util-linux")], log)?;
    for clients in clients {
        clients.install(ground, log)?;
    }
    countersign(ground, log)
}

/// The release build of the site, made now unless it is current; `COUNTERSIGN_BIN` names another one.
pub fn countersign(ground: &Ground, log: &mut Log) -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("COUNTERSIGN_BIN") {
        return Ok(program.into());
    }
    // One by one: built together, the agent would carry what only the site needs of a library.
    for package in ["countersign", "csagent"] {
        log.run(&mut ground.cargo(&["build", "--release", "--package", package]))?;
    }
    Ok(ground.target.join("release/countersign"))
}
