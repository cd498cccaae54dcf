//! The directory of challenge files. Everything goes through a descriptor held open since the start, so that a
//! directory put in its place later is never written to (A19).

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, open, openat, renameat},
    sys::stat::Mode,
    unistd::{Gid, Group, UnlinkatFlags, fchown, unlinkat},
};

/// The group whose members may read challenges.
const GROUP: &str = "himds";

/// Why a directory is not taken for challenges.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("opening the challenge directory {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("the challenge directory {path} {why}")]
    Unsafe { path: PathBuf, why: &'static str },
}

/// A checked directory.
#[derive(Debug)]
pub struct ChallengeDirectory {
    path: PathBuf,
    directory: OwnedFd,
    group: Option<Gid>,
}

impl ChallengeDirectory {
    /// Opens and checks a directory: no symbolic link, ours, not open to others. Left-over challenges are removed.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let directory = open(path, flags, Mode::empty())
            .map_err(|e| DirectoryError::Open { path: path.to_owned(), source: e.into() })?;
        let file = std::fs::File::from(directory);
        let metadata =
            file.metadata().map_err(|source| DirectoryError::Open { path: path.to_owned(), source })?;
        let refuse = |why| Err(DirectoryError::Unsafe { path: path.to_owned(), why });
        let me = nix::unistd::geteuid().as_raw();
        if metadata.uid() != me && metadata.uid() != 0 {
            return refuse("belongs to another user");
        }
        if metadata.mode() & 0o002 != 0 {
            return refuse("can be written by everybody");
        }
        let group = Group::from_name(GROUP).ok().flatten().map(|g| g.gid);
        let this = Self { path: path.to_owned(), directory: file.into(), group };
        this.sweep();
        Ok(this)
    }

    /// Where a challenge of this name is, as clients must see it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a file that is complete from its first moment: another name, then renamed. Mode 0440. It need not survive
    /// a crash, so nothing is synced.
    ///
    /// # Errors
    /// Whatever the system says; then there is no file.
    pub fn create(&self, name: &str, content: &str) -> io::Result<()> {
        let hidden = format!(".{name}.new");
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IRGRP;
        let file = openat(self.directory.as_fd(), hidden.as_str(), flags, mode)?;
        let written = (|| {
            if let Some(group) = self.group {
                // Only root and members may give a file to the group; without it root can read the challenge still.
                let _ = fchown(file.as_fd(), None, Some(group));
            }
            std::fs::File::from(file).write_all(content.as_bytes())?;
            renameat(self.directory.as_fd(), hidden.as_str(), self.directory.as_fd(), name)?;
            Ok(())
        })();
        if written.is_err() {
            let _ = unlinkat(self.directory.as_fd(), hidden.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// Removes a file; one that is gone already is fine.
    pub fn remove(&self, name: &str) {
        let _ = unlinkat(self.directory.as_fd(), name, UnlinkatFlags::NoRemoveDir);
    }

    /// Removes challenges that an earlier process left.
    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(".key") || name.ends_with(".key.new") {
                self.remove(name);
            }
        }
    }
}
