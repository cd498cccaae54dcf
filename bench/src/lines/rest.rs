//! What it takes to be there: the time to start, and the memory of doing nothing.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    agent,
    line::{Aim, Figure, Line, Outcome, median},
    process::{built, resident_of},
    site::{Site, launch},
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
        let agent = agent::start()?;
        std::thread::sleep(SETTLES);
        let resident = resident_of(agent.process_id)?;
        Ok(Outcome::Measured(Figure::alone(resident, "MiB", Aim::AtMost(12.0))))
    }
}
