//! The agent's packages: written by `cs-packaging`, and tried on a machine of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::exec::Log;
use crate::ground::Ground;
use crate::{suites, tools};

/// What the trial calls beside the suites' tools.
const TOOLS: &[(&str, &str)] = &[
    ("rpm", "rpm"),
    ("dpkg-deb", "dpkg"),
    ("nsenter", "util-linux"),
    ("pivot_root", "util-linux"),
    ("systemctl", "systemd"),
    ("runuser", "util-linux"),
    ("ps", "procps"),
];
/// Building the agent for release, on a slow machine.
const BUILDS_WITHIN: Duration = Duration::from_secs(40 * 60);

/// `cargo xtask package`.
pub fn verb(ground: &Ground) -> Result<bool> {
    let mut log = Log::create(&ground.log_file("package"), BUILDS_WITHIN)?;
    let site = suites::countersign(ground, &mut log)?;
    for package in write(ground, &site, &mut log)? {
        println!("{}", package.display());
    }
    Ok(true)
}

/// Both packages of the agent that lies beside the site's program: `.deb`, then `.rpm`.
fn write(ground: &Ground, site: &Path, log: &mut Log) -> Result<[PathBuf; 2]> {
    let output = ground.target.join("packages");
    if output.exists() {
        std::fs::remove_dir_all(&output)?;
    }
    let mut run = ground.cargo(&["run", "--quiet", "--locked", "--package", "cs-packaging", "--"]);
    log.run(run.arg("--program").arg(site.with_file_name("csagent")).arg("--output").arg(&output))?;
    Ok([only(&output, "deb")?, only(&output, "rpm")?])
}

fn only(folder: &Path, ending: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let found =
        entries.iter().map(std::fs::DirEntry::path).find(|p| p.extension().is_some_and(|e| e == ending));
    found.with_context(|| format!("no .{ending} was written"))
}

/// Installs, uses, upgrades and purges both. `None` where this machine cannot boot another one, with what is missing.
pub fn try_out(ground: &Ground, log: &mut Log) -> Result<Option<&'static str>> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(Some("only root boots a machine of its own to install packages on"));
    }
    if !Path::new("/etc/debian_version").exists() {
        return Ok(Some("the trial of the packages installs a .deb, and this is no Debian"));
    }
    tools::debian(suites::TOOLS, log)?;
    tools::debian(TOOLS, log)?;
    let site = suites::countersign(ground, log)?;
    let [deb, rpm] = write(ground, &site, log)?;
    let mut run = Command::new("sh");
    run.current_dir(&ground.root).arg("conformance/packages/run.sh").arg(site).arg(deb).arg(rpm);
    log.run(&mut run)?;
    Ok(None)
}
