//! The agent of a machine that has nothing to do: how soon it is there, and how often it wakes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    agent,
    line::{Aim, Figure, Line, Outcome, median},
};

pub struct Ready;
pub struct WakeUps;
pub struct Size;

/// What a start leaves to settle is settled by then: threads that were needed once end after ten seconds.
const SETTLES: Duration = Duration::from_secs(12);
/// As long as its slowest timer, and a little more.
const WATCHED: Duration = Duration::from_secs(62);

impl Line for Ready {
    fn name(&self) -> &'static str {
        "agent-ready"
    }

    fn about(&self) -> &'static str {
        "`csagent run` on an existing directory until it answers: the median of 5"
    }

    fn measure(&self) -> Result<Outcome> {
        Ok(Outcome::Measured(Figure::alone(median(agent::starts()?), "ms", Aim::AtMost(50.0))))
    }
}

impl Line for WakeUps {
    fn name(&self) -> &'static str {
        "agent-wakeups"
    }

    fn about(&self) -> &'static str {
        "how often a second an idle csagent is woken, over a minute"
    }

    fn measure(&self) -> Result<Outcome> {
        let agent = agent::start()?;
        std::thread::sleep(SETTLES);
        let (begun, mut before, mut woken) = (Instant::now(), waits(agent.process_id)?, 0);
        while begun.elapsed() < WATCHED {
            // Often enough to see threads that are there for a while only.
            std::thread::sleep(Duration::from_secs(1));
            let now = waits(agent.process_id)?;
            woken += now.iter().map(|(thread, n)| n - before.get(thread).unwrap_or(&0)).sum::<u64>();
            before = now;
        }
        let each = woken as f64 / begun.elapsed().as_secs_f64();
        Ok(Outcome::Measured(Figure::alone(each, "a second", Aim::AtMost(1.0))))
    }
}

/// How often each thread has given up the processor to wait, by the kernel's count: once for each time it is woken.
fn waits(process_id: u32) -> Result<HashMap<String, u64>> {
    let mut all = HashMap::new();
    for thread in std::fs::read_dir(format!("/proc/{process_id}/task"))? {
        let thread = thread?;
        // One that has just ended.
        let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else { continue };
        let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        let count = line.context("no count of waits")?.trim().parse()?;
        all.insert(thread.file_name().to_string_lossy().into_owned(), count);
    }
    Ok(all)
}

impl Line for Size {
    fn name(&self) -> &'static str {
        "agent-size"
    }

    fn about(&self) -> &'static str {
        "the program csagent as it is released"
    }

    fn measure(&self) -> Result<Outcome> {
        let size = std::fs::metadata(crate::process::built("csagent")?)?.len() as f64 / f64::from(1 << 20);
        Ok(Outcome::Measured(Figure::alone(size, "MiB", Aim::AtMost(10.0))))
    }
}
