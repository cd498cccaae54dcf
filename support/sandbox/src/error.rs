//! Why there is no private machine, and what would help.

use std::{io, path::Path};

/// Failures of [`crate::Sandbox::enter`].
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("a private machine for a command needs Linux")]
    NotLinux,
    #[error("namespaces can be entered only while the process has one thread, and it has {0}")]
    ManyThreads(usize),
    /// The kernel, or what confines this process, does not let it make namespaces. Nothing has changed.
    #[error("this kernel refuses user namespaces to this user ({step}: {source})")]
    Refused { step: String, source: io::Error, knobs: Vec<Knob> },
    /// Tried in a child first, and it failed there. Nothing has changed.
    #[error("preparing a private machine: {step}")]
    Unprepared { step: String, source: io::Error },
    /// Failed half way although the rehearsal passed: the process is between two machines and should end.
    #[error("entering a private machine: {step}")]
    HalfEntered { step: String, source: io::Error },
}

impl SandboxError {
    /// Whether the process is as it was before, so that the caller may go on in another way.
    pub fn untouched(&self) -> bool {
        !matches!(self, Self::HalfEntered { .. })
    }

    /// What the owner of the machine can do, in one line.
    pub fn hint(&self) -> Option<String> {
        let Self::Refused { knobs, .. } = self else { return None };
        if knobs.is_empty() {
            return Some(
                "a container's confinement is the usual cause: start it with `--security-opt seccomp=unconfined \
                 --security-opt apparmor=unconfined`, or with `--privileged`"
                    .to_owned(),
            );
        }
        Some(knobs.iter().map(Knob::remedy).collect::<Vec<_>>().join("; "))
    }
}

/// A kernel setting that forbids user namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// Debian's and Arch's patch: 0 leaves user namespaces to root.
    UnprivilegedUsernsClone,
    /// Ubuntu 23.10 and later: 1 takes all capabilities from user namespaces of unconfined programs.
    ApparmorRestrict,
    /// `user_namespaces(7)`: how many a user may have; 0 is none.
    MaxUserNamespaces,
    MaxNetNamespaces,
    MaxMountNamespaces,
}

impl Knob {
    const ALL: [Self; 5] = [
        Self::UnprivilegedUsernsClone,
        Self::ApparmorRestrict,
        Self::MaxUserNamespaces,
        Self::MaxNetNamespaces,
        Self::MaxMountNamespaces,
    ];

    /// The settings below `proc_sys` (`/proc/sys`) that stand in the way.
    pub fn set_against_us(proc_sys: &Path) -> Vec<Self> {
        Self::ALL.into_iter().filter(|knob| knob.forbids(proc_sys)).collect()
    }

    fn forbids(self, proc_sys: &Path) -> bool {
        let name = self.name().replace('.', "/");
        let value = std::fs::read_to_string(proc_sys.join(name)).unwrap_or_default();
        value.trim() == if self == Self::ApparmorRestrict { "1" } else { "0" }
    }

    /// The setting as `sysctl` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnprivilegedUsernsClone => "kernel.unprivileged_userns_clone",
            Self::ApparmorRestrict => "kernel.apparmor_restrict_unprivileged_userns",
            Self::MaxUserNamespaces => "user.max_user_namespaces",
            Self::MaxNetNamespaces => "user.max_net_namespaces",
            Self::MaxMountNamespaces => "user.max_mnt_namespaces",
        }
    }

    fn remedy(&self) -> String {
        let value = match self {
            Self::UnprivilegedUsernsClone => "1",
            Self::ApparmorRestrict => "0",
            Self::MaxUserNamespaces | Self::MaxNetNamespaces | Self::MaxMountNamespaces => "10000",
        };
        format!("run `sudo sysctl -w {}={value}`", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_forbids_is_named_with_what_to_do() {
        let proc_sys = tempfile::tempdir().unwrap();
        for folder in ["kernel", "user"] {
            std::fs::create_dir(proc_sys.path().join(folder)).unwrap();
        }
        for (file, value) in [
            ("kernel/unprivileged_userns_clone", "1\n"),
            ("kernel/apparmor_restrict_unprivileged_userns", "1\n"),
            ("user/max_user_namespaces", "0\n"),
            ("user/max_net_namespaces", "7000\n"),
        ] {
            std::fs::write(proc_sys.path().join(file), value).unwrap();
        }
        let knobs = Knob::set_against_us(proc_sys.path());
        assert_eq!(knobs, [Knob::ApparmorRestrict, Knob::MaxUserNamespaces]);
        let refused = SandboxError::Refused {
            step: "unshare".into(),
            source: io::ErrorKind::PermissionDenied.into(),
            knobs,
        };
        let hint = refused.hint().unwrap();
        assert!(hint.contains("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"), "{hint}");
        assert!(hint.contains("sysctl -w user.max_user_namespaces=10000"), "{hint}");
        assert!(refused.untouched());
    }

    #[test]
    fn with_no_setting_to_blame_the_hint_speaks_of_containers() {
        let source = io::ErrorKind::PermissionDenied.into();
        let refused = SandboxError::Refused { step: "unshare".into(), source, knobs: vec![] };
        assert!(refused.hint().unwrap().contains("--security-opt"));
    }
}
