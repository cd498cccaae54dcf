//! The only unsafe code of this crate: two steps between `fork` and `exec`.
//!
//! `Command::pre_exec` is unsafe because in a process with many threads a forked child may touch only what is
//! async-signal-safe. [`rehearse`] is called while the process has one thread, where a forked child may do anything.
//! [`dies_with_us`] makes two system calls and touches no memory of ours, which is safe in every child.

#![expect(
    unsafe_code,
    reason = "std offers no safe way to act between fork and exec; see the module's story"
)]

use std::{
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::Command,
};

use nix::errno::Errno;

/// Runs `attempt` in a forked child that ends with it. What it does to namespaces is gone with the child.
///
/// The caller must have one thread. A failure comes back as the step's name and the operating system's error.
pub fn rehearse(
    attempt: impl Fn() -> Result<(), (String, io::Error)> + Send + Sync + 'static,
) -> Result<(), (String, io::Error)> {
    let unrehearsed = |source| ("forking".to_owned(), source);
    let (mut told, mut teller) = io::pipe().map_err(unrehearsed)?;
    // No program is ever started: the closure always fails, with ECANCELED after a good rehearsal.
    let mut child = Command::new("/proc/self/exe");
    let act = move || match attempt() {
        Ok(()) => Err(Errno::ECANCELED.into()),
        Err((step, source)) => {
            teller.write_all(step.as_bytes())?;
            Err(io::Error::from_raw_os_error(source.raw_os_error().unwrap_or(Errno::EIO as i32)))
        }
    };
    // SAFETY: the process has one thread (the caller's promise), so no lock is held by another at the fork.
    unsafe { child.pre_exec(act) };
    let Err(end) = child.spawn() else { return Err(unrehearsed(io::ErrorKind::Other.into())) };
    drop(child);
    if end.raw_os_error() == Some(Errno::ECANCELED as i32) {
        return Ok(());
    }
    let mut step = String::new();
    told.read_to_string(&mut step).map_err(unrehearsed)?;
    Err((step, end))
}

/// The command is killed when the thread that starts it ends, so that nothing is left of a run that was killed.
#[cfg(target_os = "linux")]
pub fn dies_with_us(command: &mut tokio::process::Command) {
    let us = nix::unistd::getpid();
    let bind_lives = move || {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        // We may have died before the line above; then nobody would send the signal.
        if nix::unistd::getppid() == us { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: prctl and getppid are system calls without memory effects, allowed after fork (signal-safety(7)).
    unsafe { command.pre_exec(bind_lives) };
}

#[cfg(not(target_os = "linux"))]
pub fn dies_with_us(_: &mut tokio::process::Command) {}
