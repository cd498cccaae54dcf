//! Namespaces and whose they are.
//!
//! Root makes a mount and a network namespace and stays root. Anyone else first makes a user namespace in which the own
//! id is called 0, which permits the other two, and at the end a second one in which 0 has the own id again
//! (`user_namespaces(7)`): the command sees itself as the user who started it.

use std::{fs, io};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid, getegid, geteuid},
};

/// How namespaces are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The caller may already do all of it; files of other users stay reachable, as root expects.
    AsRoot,
    /// Through a user namespace.
    AsUser,
}

/// The caller's ids before anything happened.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    user: Uid,
    group: Gid,
}

impl Identity {
    pub fn of_this_process() -> Self {
        Self { user: geteuid(), group: getegid() }
    }

    /// The ways worth trying, best first.
    pub fn ways(self) -> &'static [Way] {
        if self.user.is_root() { &[Way::AsRoot, Way::AsUser] } else { &[Way::AsUser] }
    }

    /// Leaves the machine's namespaces for new ones.
    pub fn leave(self, way: Way) -> io::Result<()> {
        let spaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
        match way {
            Way::AsRoot => Ok(unshare(spaces)?),
            Way::AsUser => {
                unshare(spaces | CloneFlags::CLONE_NEWUSER)?;
                map_ids((0, self.user.as_raw()), (0, self.group.as_raw()))
            }
        }
    }

    /// Gives the process its own ids back. It keeps no power over the new namespaces.
    pub fn resume(self, way: Way) -> io::Result<()> {
        if way == Way::AsRoot || (self.user.is_root() && self.group.as_raw() == 0) {
            return Ok(());
        }
        unshare(CloneFlags::CLONE_NEWUSER)?;
        map_ids((self.user.as_raw(), 0), (self.group.as_raw(), 0))
    }
}

/// One id each: (inside, outside). Groups can be mapped by an ordinary user only after giving up `setgroups`.
fn map_ids(user: (u32, u32), group: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1))
}

/// How many threads this process has (`proc_pid_status(5)`).
pub fn threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}
