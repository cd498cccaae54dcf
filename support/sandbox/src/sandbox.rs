//! Entering: rehearsed in a child first, so that a refusal leaves the process as it was.

use std::path::{Path, PathBuf};

use crate::{Plan, SandboxError};

/// Proof that this process is in its private machine, with what a command in it needs to know.
#[derive(Debug)]
pub struct Sandbox {
    programs: PathBuf,
    agent_file: bool,
}

impl Sandbox {
    /// A directory with the `sudo` that only runs its arguments; to be first on the command's PATH.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Whether `/opt/azcmagent/bin/himds` is there.
    pub fn shows_agent_file(&self) -> bool {
        self.agent_file
    }

    #[cfg(not(target_os = "linux"))]
    pub fn enter(_: &Plan) -> Result<Self, SandboxError> {
        Err(SandboxError::NotLinux)
    }

    /// Moves this process into a private machine as `plan` describes it; there is no way back.
    ///
    /// To be called while the process has one thread. The network has a loopback interface only: 127.0.0.1, ::1 and
    /// 169.254.169.254, every port may be bound, and nothing listens yet. Sockets opened before stay connected to
    /// the outside, so open none, or mean it.
    #[cfg(target_os = "linux")]
    pub fn enter(plan: &Plan) -> Result<Self, SandboxError> {
        linux::enter(plan)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, path::Path};

    use nix::errno::Errno;

    use super::Sandbox;
    use crate::{
        Knob, Plan, SandboxError, forked, loopback, mounts,
        outfit::Outfit,
        spaces::{self, Identity, Way},
    };

    type Step = (String, io::Error);

    pub fn enter(plan: &Plan) -> Result<Sandbox, SandboxError> {
        match spaces::threads() {
            Ok(1) => {}
            Ok(several) => return Err(SandboxError::ManyThreads(several)),
            Err(source) => return Err(SandboxError::Unprepared { step: "reading /proc".into(), source }),
        }
        let outfit = Outfit::write(plan).map_err(|source| SandboxError::Unprepared {
            step: format!("writing into {}", plan.directory.display()),
            source,
        })?;
        let identity = Identity::of_this_process();
        let (way, agent_file) = what_works(identity, &outfit, plan.agent_file)?;
        arrive(identity, way, &outfit, agent_file)
            .map_err(|(step, source)| SandboxError::HalfEntered { step, source })?;
        Ok(Sandbox { programs: outfit.programs(), agent_file })
    }

    /// Tries the ways in children, the fullest first. The error is the last way's: for root, the ordinary user's.
    fn what_works(
        identity: Identity,
        outfit: &Outfit,
        agent_file: bool,
    ) -> Result<(Way, bool), SandboxError> {
        let mut failed = ("nothing tried".to_owned(), io::Error::from(io::ErrorKind::Unsupported));
        for &way in identity.ways() {
            for agent_file in [true, false].into_iter().filter(|wanted| agent_file || !wanted) {
                let worn = outfit.clone();
                match forked::rehearse(move || arrive(identity, way, &worn, agent_file)) {
                    Ok(()) => return Ok((way, agent_file)),
                    Err(step) => failed = step,
                }
            }
        }
        Err(explained(failed))
    }

    const NAMESPACES: &str = "making namespaces";
    const PRIVATE: &str = "keeping mounts private";

    fn arrive(identity: Identity, way: Way, outfit: &Outfit, agent_file: bool) -> Result<(), Step> {
        let at = |step: &str| {
            let step = step.to_owned();
            move |source: io::Error| (step, source)
        };
        let here = std::env::current_dir();
        identity.leave(way).map_err(at(NAMESPACES))?;
        mounts::keep_private().map_err(at(PRIVATE))?;
        loopback::furnish().map_err(at("turning on the loopback interface"))?;
        free_low_ports(way).map_err(at("freeing the ports below 1024"))?;
        outfit.put_on(agent_file).map_err(at("showing our files in their places"))?;
        identity.resume(way).map_err(at("returning to the user's own id"))?;
        // The directory may lie below one that was furnished: by its path it is the same, seen through the new mounts.
        if let Ok(here) = here {
            std::env::set_current_dir(here).map_err(at("returning to the working directory"))?;
        }
        Ok(())
    }

    /// ip(7): the setting belongs to the network namespace. Root may bind every port anyway.
    fn free_low_ports(way: Way) -> io::Result<()> {
        let done = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
        if way == Way::AsRoot { Ok(()) } else { done }
    }

    /// Too few rights at the first steps is a kernel that does not want us; all else is worth its own words.
    fn explained((step, source): Step) -> SandboxError {
        let rights =
            [Errno::EPERM, Errno::EACCES, Errno::ENOSPC, Errno::EUSERS, Errno::ENOSYS, Errno::EINVAL];
        let refused = source.raw_os_error().is_some_and(|code| rights.contains(&Errno::from_raw(code)));
        if !refused || ![NAMESPACES, PRIVATE].contains(&step.as_str()) {
            return SandboxError::Unprepared { step, source };
        }
        let mut knobs = Knob::set_against_us(Path::new("/proc/sys"));
        // user_namespaces(7): this error has one meaning, also where the limit is that of a namespace above.
        if knobs.is_empty() && source.raw_os_error() == Some(Errno::ENOSPC as i32) {
            knobs.push(Knob::MaxUserNamespaces);
        }
        SandboxError::Refused { step, source, knobs }
    }
}
