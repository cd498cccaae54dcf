//! A connected agent. It runs inside `countersign run`, where the site's names resolve; `cs-bench --agent FOLDER` is the
//! command run there.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    process::{Process, built},
    site::text,
};

const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// A running agent, with the site and the namespaces it is in.
pub struct Agent {
    _inside: Process,
    /// Of the agent itself.
    pub process_id: u32,
    _folder: tempfile::TempDir,
}

pub fn start() -> Result<Agent> {
    let folder = tempfile::tempdir()?;
    let mut run = Command::new(built("countersign")?);
    run.arg("run").arg("--data").arg(folder.path().join("site")).arg("--");
    run.arg(std::env::current_exe()?).arg("--agent").arg(folder.path());
    let mut inside = Process::new(run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let ready = inside.wait_for(&folder.path().join("agent.json"), STARTS_WITHIN)?;
    let ready: Value = serde_json::from_str(&ready)?;
    let process_id = ready["process_id"].as_u64().context("the agent's ready file has no process_id")?;
    Ok(Agent { _inside: inside, process_id: u32::try_from(process_id)?, _folder: folder })
}

/// Connects this machine and becomes the agent.
pub fn become_it(folder: &Path) -> Result<()> {
    let site = std::env::var("COUNTERSIGN_READY_FILE").context("this is for inside `countersign run`")?;
    let site: Value = serde_json::from_str(&std::fs::read_to_string(site)?)?;
    let (program, data) = (built("csagent")?, folder.join("agent"));
    let mut connect = Command::new(&program);
    connect.args(["connect", "--site", text(&site, "/resource_manager")?]);
    connect.args(["--ca-file", text(&site, "/ca_file")?, "-g", text(&site, "/resource_group")?]);
    connect.args(["-s", text(&site, "/subscription_id")?, "-n", "benchmachine"]);
    connect.args(["-i", text(&site, "/operator/client_id")?, "--service-principal-secret-file"]);
    connect.arg(text(&site, "/operator/client_secret_file")?).arg("--data").arg(&data);
    ensure!(connect.status()?.success(), "csagent connect failed");
    let mut run = Command::new(&program);
    run.args(["run", "--himds-port", "0"]).arg("--data").arg(&data);
    Err(run.arg("--ready-file").arg(folder.join("agent.json")).exec()).context("starting csagent")
}
