//! The files of the private machine, and where each is shown.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{Plan, mounts, plan::CHALLENGE_DIRECTORY};

/// Where systems keep the bundle of roots that OpenSSL, Go and rustls read: Debian, Fedora, openSUSE, Alpine.
const TRUST_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// glibc asks nscd through a socket there before it reads any file of ours.
const NAME_CACHES: [&str; 2] = ["/run/nscd", "/var/run/nscd"];

const AGENT_FILE: &str = "/opt/azcmagent/bin/himds";

/// The lab calls `sudo`, which cannot work where one user is mapped and is not needed: the challenge file is readable.
const SUDO: &str = include_str!("sudo.sh");

/// What was written into the plan's directory.
#[derive(Debug, Clone)]
pub struct Outfit {
    plan: Plan,
}

impl Outfit {
    pub fn write(plan: &Plan) -> io::Result<Self> {
        let outfit = Self { plan: plan.clone() };
        let write = |name: &str, content: &str| fs::write(outfit.file(name), content);
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        write("hosts", &hosts(host.trim(), &plan.names))?;
        write("resolv.conf", "# countersign run\nnameserver 127.0.0.1\n")?;
        write("nsswitch.conf", &nsswitch(&fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default()))?;
        write("himds", "")?;
        make_executable(&outfit.file("himds"))?;
        fs::create_dir_all(outfit.programs())?;
        fs::write(outfit.programs().join("sudo"), SUDO)?;
        make_executable(&outfit.programs().join("sudo"))?;
        Ok(outfit)
    }

    /// The directory to be searched first for programs.
    pub fn programs(&self) -> PathBuf {
        self.file("bin")
    }

    /// In the new mount namespace: puts every file where it is looked for.
    pub fn put_on(&self, agent_file: bool) -> io::Result<()> {
        // Missing files may stay so: without resolv.conf a resolver asks 127.0.0.1, without nsswitch.conf it asks DNS.
        for name in ["hosts", "resolv.conf", "nsswitch.conf"] {
            mounts::replace(&self.file(name), &Path::new("/etc").join(name))?;
        }
        // Two of these may be one file, reached through a symbolic link; the second mount lies on the first.
        for bundle in TRUST_BUNDLES {
            mounts::replace(&self.plan.ca_bundle, Path::new(bundle))?;
        }
        for cache in NAME_CACHES {
            mounts::hide(Path::new(cache))?;
        }
        mounts::show(&self.plan.tokens, Path::new(CHALLENGE_DIRECTORY))?;
        if agent_file { mounts::show(&self.file("himds"), Path::new(AGENT_FILE)) } else { Ok(()) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.plan.directory.join(name)
    }
}

fn make_executable(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

/// IPv4 first, because some clients connect to the first answer only and HIMDS is documented as 127.0.0.1.
fn hosts(host: &str, names: &[String]) -> String {
    let ours = names.iter().flat_map(|name| [format!("127.0.0.1 {name}\n"), format!("::1 {name}\n")]);
    let host = if host.is_empty() { String::new() } else { format!("127.0.1.1 {host}\n") };
    format!(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{host}{}",
        ours.collect::<String>()
    )
}

/// The machine's own file with one line changed, so that users and groups are found as before.
fn nsswitch(own: &str) -> String {
    let others = own.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_line_of_nsswitch_changes() {
        let own = "passwd: files sss\nhosts: files mdns4_minimal [NOTFOUND=return] resolve\n";
        assert_eq!(nsswitch(own), "passwd: files sss\nhosts: files dns\n");
        assert_eq!(nsswitch(""), "hosts: files dns\n");
    }

    #[test]
    fn hosts_names_the_machine_and_both_loopbacks() {
        let text = hosts("box", &["login.s".to_owned()]);
        assert_eq!(
            text,
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 box\n127.0.0.1 login.s\n::1 login.s\n"
        );
    }
}
