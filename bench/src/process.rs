//! A child process: its processor time and memory as the kernel counts them, and its end.

use std::{
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    time::{ClockId, clock_getcpuclockid},
    unistd::Pid,
};

/// Ends with its owner, politely at first.
pub struct Process(Child);

const ENDS_WITHIN: Duration = Duration::from_secs(8);

impl Process {
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// Processor time of all its threads so far.
    pub fn processor_time(&self) -> Result<Duration> {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(self.0.id())?))?;
        Ok(Duration::from(clock.now()?))
    }

    /// Resident memory in MiB.
    pub fn resident(&self) -> Result<f64> {
        resident_of(self.0.id())
    }

    /// Waits until the child has written this file, which it does once it answers.
    pub fn wait_for(&mut self, file: &Path, at_most: Duration) -> Result<String> {
        let started = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Ok(text);
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("the server ended before it was ready: {status}");
            }
            if started.elapsed() > at_most {
                bail!("the server was not ready within {at_most:?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// SIGTERM, and its end.
    pub fn stop(&mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGTERM)?;
        let started = Instant::now();
        while self.0.try_wait()?.is_none() {
            if started.elapsed() > ENDS_WITHIN {
                self.0.kill()?;
                self.0.wait()?;
                bail!("the server did not end within {ENDS_WITHIN:?} of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Resident memory of any process, in MiB.
pub fn resident_of(process_id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// Of this process.
pub fn own_processor_time() -> Result<Duration> {
    Ok(Duration::from(ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?))
}

/// A program built beside this one: `cargo xtask bench` builds all of them together, with the same features.
pub fn built(program: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let path = here.parent().context("this program lies in no folder")?.join(program);
    if !path.exists() {
        bail!("{} is not built: use `cargo xtask bench`, which builds it", path.display());
    }
    Ok(path)
}
