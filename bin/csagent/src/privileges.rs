//! From root to the agent's own user, once everything that needs root is bound.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, lchown},
    path::Path,
};

use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};

use crate::failure::{Attempt, Failure, Kind};

/// The user to become.
pub struct Becoming {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Becoming {
    pub fn find(name: &str) -> Result<Self, Failure> {
        let usage = |why: String| Failure::new(Kind::Usage, format!("--user {name}: {why}")).code("AZCM0023");
        let user =
            User::from_name(name).ok().flatten().ok_or_else(|| usage("there is no such user".to_owned()))?;
        if !geteuid().is_root() && geteuid() != user.uid {
            return Err(usage("only root becomes another user".to_owned()).code("AZCM0018"));
        }
        Ok(Self { name: name.to_owned(), uid: user.uid, gid: user.gid })
    }

    /// Gives a directory of the agent, and the files in it, to the user. Links are given away as links.
    pub fn owns(&self, directory: &Path) -> Result<(), Failure> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let give = || -> io::Result<()> {
            match fs::symlink_metadata(directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                found if !found.as_ref().is_ok_and(fs::Metadata::is_dir) => return found.map(drop),
                _ => self.give(directory)?,
            }
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if fs::symlink_metadata(&path)?.is_file() {
                    self.give(&path)?;
                }
            }
            Ok(())
        };
        give().attempt(format_args!("giving {} to {}", directory.display(), self.name))
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        let known = fs::symlink_metadata(path)?;
        if known.uid() == self.uid.as_raw() && known.gid() == self.gid.as_raw() {
            return Ok(());
        }
        // INVARIANT: no link is followed here, and root's files that have other names too are left alone: whoever may
        // write in the directory could else have any file given to them.
        if known.is_file() && known.nlink() > 1 {
            return Ok(());
        }
        lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }

    /// For good: the groups, the group and the user, and no program we start gets more.
    pub fn become_it(&self) -> Result<(), Failure> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let what = format!("becoming {}", self.name);
        let name = std::ffi::CString::new(self.name.as_str()).attempt(&what)?;
        initgroups(&name, self.gid).attempt(&what)?;
        setgid(self.gid).attempt(&what)?;
        setuid(self.uid).attempt(&what)?;
        nix::sys::prctl::set_no_new_privs().attempt(&what)?;
        if setuid(Uid::from_raw(0)).is_ok() {
            return Err(Failure::failed(format!("{what}: the way back to root is still open")));
        }
        Ok(())
    }
}
