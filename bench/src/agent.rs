//! A connected agent. It runs inside `countersign run`, where the site's names resolve; `cs-bench --agent FOLDER` is the
//! command run there, or `cs-bench --agent-starts FOLDER`.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    process::{Process, built},
    site::text,
};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// Starts that are measured; one before them warms caches.
const STARTS: usize = 5;

/// A running agent, with the site and the namespaces it is in.
pub struct Agent {
    _inside: Process,
    /// Of the agent itself.
    pub process_id: u32,
    _folder: tempfile::TempDir,
}

pub fn start() -> Result<Agent> {
    let folder = tempfile::tempdir()?;
    let (inside, ready) = inside("--agent", folder.path(), "agent.json")?;
    let process_id = ready["process_id"].as_u64().context("the agent's ready file has no process_id")?;
    Ok(Agent { _inside: inside, process_id: u32::try_from(process_id)?, _folder: folder })
}

/// Milliseconds that each of some starts takes until every listener answers.
pub fn starts() -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let (_inside, took) = inside("--agent-starts", folder.path(), "starts.json")?;
    took.as_array().into_iter().flatten().map(|ms| ms.as_f64().context("no number")).collect()
}

/// This program with a flag, inside; and what it writes into a file once it is done.
fn inside(flag: &str, folder: &Path, file: &str) -> Result<(Process, Value)> {
    let mut run = Command::new(built("countersign")?);
    run.arg("run").arg("--data").arg(folder.join("site")).arg("--");
    run.arg(std::env::current_exe()?).arg(flag).arg(folder);
    let mut inside = Process::new(run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let written = inside.wait_for(&folder.join(file), STARTS_WITHIN)?;
    Ok((inside, serde_json::from_str(&written)?))
}

/// Connects this machine and becomes the agent.
pub fn become_it(folder: &Path) -> Result<()> {
    connect(folder)?;
    Err(daemon(folder, &folder.join("agent.json"))?.exec()).context("starting csagent")
}

/// Connects this machine, starts the agent over and over, and writes how long each start took.
pub fn start_over(folder: &Path) -> Result<()> {
    connect(folder)?;
    let ready = folder.join("start.json");
    let mut took = Vec::new();
    for _ in 0..=STARTS {
        let begun = Instant::now();
        let mut process = Process::new(daemon(folder, &ready)?.spawn()?);
        process.wait_for(&ready, STARTS_WITHIN)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        process.stop()?;
    }
    let unfinished = folder.join("starts.new");
    std::fs::write(&unfinished, serde_json::to_string(&took[1..])?)?;
    Ok(std::fs::rename(unfinished, folder.join("starts.json"))?)
}

fn connect(folder: &Path) -> Result<()> {
    let site = std::env::var("COUNTERSIGN_READY_FILE").context("this is for inside `countersign run`")?;
    let site: Value = serde_json::from_str(&std::fs::read_to_string(site)?)?;
    let mut connect = Command::new(built("csagent")?);
    connect.args(["connect", "--site", text(&site, "/resource_manager")?]);
    connect.args(["--ca-file", text(&site, "/ca_file")?, "-g", text(&site, "/resource_group")?]);
    connect.args(["-s", text(&site, "/subscription_id")?, "-n", "benchmachine"]);
    connect.args(["-i", text(&site, "/operator/client_id")?, "--service-principal-secret-file"]);
    connect.arg(text(&site, "/operator/client_secret_file")?).arg("--data").arg(folder.join("agent"));
    ensure!(connect.status()?.success(), "csagent connect failed");
    Ok(())
}

fn daemon(folder: &Path, ready: &Path) -> Result<Command> {
    let mut run = Command::new(built("csagent")?);
    run.args(["run", "--himds-port", "0"]).arg("--data").arg(folder.join("agent"));
    run.arg("--ready-file").arg(ready);
    Ok(run)
}
