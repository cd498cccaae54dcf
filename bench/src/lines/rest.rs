//! What it takes to be there: the time to start, and the memory of doing nothing.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    line::{Aim, Figure, Line, Outcome, median},
    process::{Process, built},
    site::{MANAGEMENT, Site, launch},
};

pub struct Ready;
pub struct SiteMemory;
pub struct AgentMemory;

const STARTS: usize = 5;
/// What a start leaves to settle (threads, caches) is settled by then.
const SETTLES: Duration = Duration::from_secs(3);

impl Line for Ready {
    fn name(&self) -> &'static str {
        "ready"
    }

    fn about(&self) -> &'static str {
        "`countersign up` on an existing directory until every listener answers: the median of 5"
    }

    fn measure(&self) -> Result<Outcome> {
        let (program, folder) = (built("countersign")?, tempfile::tempdir()?);
        launch(&program, folder.path())?.0.stop()?;
        let mut took = Vec::new();
        for _ in 0..STARTS {
            let started = Instant::now();
            let (mut process, _) = launch(&program, folder.path())?;
            took.push(started.elapsed().as_secs_f64() * 1e3);
            process.stop()?;
        }
        Ok(Outcome::Measured(Figure::alone(median(took), "ms", Aim::AtMost(300.0))))
    }
}

impl Line for SiteMemory {
    fn name(&self) -> &'static str {
        "site-memory"
    }

    fn about(&self) -> &'static str {
        "resident memory of an idle site"
    }

    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        std::thread::sleep(SETTLES);
        Ok(Outcome::Measured(Figure::alone(site.process.resident()?, "MiB", Aim::AtMost(48.0))))
    }
}

impl Line for AgentMemory {
    fn name(&self) -> &'static str {
        "agent-memory"
    }

    fn about(&self) -> &'static str {
        "resident memory of an idle csagent"
    }

    fn measure(&self) -> Result<Outcome> {
        let (program, folder, site) = (built("csagent")?, tempfile::tempdir()?, Site::start()?);
        let token = site.bearer(MANAGEMENT)?;
        let mut connect = Command::new(&program);
        connect.args(["connect", "--site", site.text("/resource_manager")?]);
        connect.args(["--ca-file", site.text("/ca_file")?, "-g", site.text("/resource_group")?]);
        connect.args(["-s", site.text("/subscription_id")?, "-t", site.text("/tenant_id")?]);
        connect.args(["-n", "benchmachine", "--access-token", token.trim_start_matches("Bearer ")]);
        connect.arg("--data").arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        ensure!(connect.status()?.success(), "csagent connect failed");
        let ready = folder.path().join("ready");
        let mut run = Command::new(&program);
        run.args(["run", "--himds-port", "0"]).arg("--data").arg(folder.path());
        let child =
            run.arg("--ready-file").arg(&ready).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut process = Process::new(child);
        process.wait_for(&ready, Duration::from_secs(10))?;
        std::thread::sleep(SETTLES);
        Ok(Outcome::Measured(Figure::alone(process.resident()?, "MiB", Aim::AtMost(12.0))))
    }
}
