//! Which processes hold a socket, and what they run: what the kernel says under `/proc`.
//!
//! A program can lie about none of it, but it can hand its socket to another process, be replaced on disk, or see
//! another file at a path than we do. So all holders are found, and a path counts only when the file that runs is the
//! one that lies there for us.

use std::{
    collections::HashSet,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use cs_broker::{Executable, Process};

const DELETED: &[u8] = b" (deleted)";

/// Those that hold a socket, newest first.
pub(crate) fn holding(inode: u64) -> Vec<Process> {
    let wanted = name_of(inode);
    all_pids().into_iter().filter_map(|pid| holder(pid, &wanted)).collect()
}

/// A process that holds one of the sockets that were looked for.
pub(crate) struct Held {
    pub process: Process,
    pub program: Option<PathBuf>,
    /// The kernel's numbers of all its sockets.
    pub sockets: Vec<u64>,
}

/// For each socket one process that holds it. These are looked at first, then all, the newest before: whoever asks has asked
/// before or was just started, and a look at every process of a busy host costs milliseconds.
pub(crate) fn holders(mut wanted: HashSet<u64>, first: &[u32]) -> Vec<Held> {
    let mut found = Vec::new();
    let mut pids = first.iter().copied().chain(std::iter::once_with(all_pids).flatten());
    while !wanted.is_empty() {
        let Some(pid) = pids.next() else { break };
        let Some(held) = held(pid, &wanted) else { continue };
        for inode in &held.sockets {
            wanted.remove(inode);
        }
        found.push(held);
    }
    found
}

fn held(pid: u32, wanted: &HashSet<u64>) -> Option<Held> {
    let (mut sockets, mut proof) = (Vec::new(), None);
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let Some(inode) = socket_at(&entry.path()) else { continue };
        sockets.push(inode);
        if proof.is_none() && wanted.contains(&inode) {
            proof = Some((entry.path(), inode));
        }
    }
    let (descriptor, inode) = proof?;
    let (process, program) = (describe(pid), program_of(pid));
    // The number may have been given to another process meanwhile.
    (socket_at(&descriptor) == Some(inode)).then_some(Held { process, program, sockets })
}

fn socket_at(descriptor: &Path) -> Option<u64> {
    let to = fs::read_link(descriptor).ok()?;
    to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn name_of(inode: u64) -> String {
    format!("socket:[{inode}]")
}

fn all_pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids
}

fn holder(pid: u32, wanted: &str) -> Option<Process> {
    let descriptor = descriptor_of(pid, wanted)?;
    let process = describe(pid);
    // The number may have been given to another process meanwhile.
    fs::read_link(&descriptor).is_ok_and(|to| to.as_os_str() == wanted).then_some(process)
}

/// What the kernel calls the file that a process runs; costs one call.
pub(crate) fn program_of(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn descriptor_of(pid: u32, wanted: &str) -> Option<PathBuf> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    all.flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|to| to.as_os_str() == wanted))
}

fn describe(pid: u32) -> Process {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = |name: &str| -> Option<Vec<u32>> {
        let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().map(|n| n.parse().ok()).collect()
    };
    // Real, effective, saved, of files: the effective one acts.
    let effective = |all: Option<Vec<u32>>| all.and_then(|a| a.get(1).copied());
    let group = effective(numbers("Gid"));
    let groups = numbers("Groups").map(|all| group.into_iter().chain(all).collect());
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
    Process {
        pid: Some(pid),
        user: effective(numbers("Uid")),
        groups,
        executable: executable(pid),
        unit: cgroup.as_deref().and_then(unit),
    }
}

fn executable(pid: u32) -> Option<Executable> {
    let link = format!("/proc/{pid}/exe");
    let named = fs::read_link(&link).ok()?;
    // Through the link the kernel shows the file itself, whatever lies at its name.
    let runs = fs::metadata(&link).ok()?;
    let lies = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (runs.dev(), runs.ino()))
    };
    if lies(&named) {
        return Some(Executable::Is(named));
    }
    let bytes = named.as_os_str().as_bytes();
    let was = bytes.strip_suffix(DELETED).unwrap_or(bytes);
    Some(Executable::WasAt(Path::new(std::ffi::OsStr::from_bytes(was)).to_owned()))
}

/// The system's unit in which a process runs; empty for none. Users may make control groups of any name below those of
/// their own sessions, so only what lies below slices of the system counts.
fn unit(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        matches!(controllers, "" | "name=systemd").then_some(path)
    })?;
    let mut slices = path.split('/').filter(|s| !s.is_empty());
    let first = slices.next().unwrap_or_default();
    if !first.ends_with(".slice") || first == "user.slice" {
        return Some(String::new());
    }
    let below = slices.find(|s| !s.ends_with(".slice")).unwrap_or_default();
    let is_unit = below.ends_with(".service") || below.ends_with(".scope");
    Some(if is_unit { below.to_owned() } else { String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a32_only_the_systems_units_count() {
        for (line, found) in [
            ("0::/system.slice/backup.service", "backup.service"),
            ("0::/system.slice/backup.service/worker", "backup.service"),
            ("0::/machine.slice/machine-a.slice/libpod-1.scope/x", "libpod-1.scope"),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/backup.service", ""),
            ("0::/backup.service", ""),
            ("0::/", ""),
            ("0::/system.slice/evil/backup.service", ""),
            ("5:cpu:/x\n1:name=systemd:/system.slice/ssh.service\n", "ssh.service"),
        ] {
            assert_eq!(unit(line).as_deref(), Some(found), "{line}");
        }
        assert_eq!(unit(""), None);
        assert_eq!(unit("5:cpu:/system.slice/x.service"), None);
    }

    #[test]
    fn we_find_ourselves() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&listener)));
        let inode = inode.unwrap().to_str().unwrap()[8..].trim_end_matches(']').parse().unwrap();
        let found = holding(inode);
        let me = found.iter().find(|p| p.pid == Some(std::process::id())).unwrap();
        assert_eq!(me.user, Some(nix::unistd::geteuid().as_raw()));
        assert!(me.groups.as_ref().unwrap().contains(&nix::unistd::getegid().as_raw()));
        assert_eq!(me.executable, Some(Executable::Is(std::env::current_exe().unwrap())));
        let other = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for first in [&[][..], &[1, std::process::id()]] {
            let [held] = &holders(HashSet::from([inode]), first)[..] else { panic!("one process holds it") };
            assert_eq!(held.process.pid, Some(std::process::id()));
            assert_eq!(held.program.as_deref(), std::env::current_exe().ok().as_deref());
            assert!(held.sockets.len() >= 2 && held.sockets.contains(&inode), "and all its others");
        }
        drop((listener, other));
        assert!(
            holding(inode).is_empty() && holders(HashSet::from([inode]), &[std::process::id()]).is_empty()
        );
    }
}
