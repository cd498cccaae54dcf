//! A child process: its processor time and memory as the kernel counts them, and its end.

use std::{
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Ends with its owner, politely at first.
pub struct Process(Child);

/// The kernel counts in hundredths of a second (`USER_HZ`, the same on every Linux of today).
const TICK: Duration = Duration::from_millis(10);
const ENDS_WITHIN: Duration = Duration::from_secs(8);

impl Process {
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// Processor time of all its threads so far.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(&format!("/proc/{}/stat", self.0.id()))
    }

    /// Resident memory in MiB.
    pub fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib / 1024.0)
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

/// Of this process.
pub fn own_processor_time() -> Result<Duration> {
    processor_time("/proc/self/stat")
}

fn processor_time(stat: &str) -> Result<Duration> {
    let text = std::fs::read_to_string(stat)?;
    // The program's name stands in parentheses and may hold blanks; after it utime and stime are fields 12 and 13.
    let (_, fields) = text.rsplit_once(')').context("stat has no name")?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<u32>);
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

/// A program built beside this one, built now where it is missing or old.
pub fn built(package: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().context("this program lies in no folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--package", package]);
    if std::env::var_os("CARGO").is_some() && !build.status()?.success() {
        bail!("{package} does not build");
    }
    let program = folder.join(package);
    if !program.exists() {
        bail!("{} is not built: `cargo build --release --package {package}`", program.display());
    }
    Ok(program)
}
