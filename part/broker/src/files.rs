//! The directory of challenge files.
//!
//! Everything goes through a descriptor that was checked when it was opened, so that a directory or link put in its
//! place is never written to (A19). Clients go by the path, so before each file the path is compared with the
//! descriptor: a directory that was removed is made anew, one that was put there by somebody else is checked like at
//! the start, and what does not pass is an error, not a detour.

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::stat::{Mode, fchmod},
    unistd::{Gid, Group, UnlinkatFlags, User, fchown, getegid, geteuid, mkdir, unlinkat},
};

/// The group whose members may read challenges, and the user the packaged agent runs as.
const HIMDS: &str = "himds";
/// For the owner and the group; others cannot even list it (metadata.md 1.2).
const DIRECTORY_MODE: Mode = Mode::from_bits_truncate(0o750);
/// Longer than any challenge lives, in seconds: by then one belongs to nobody.
const LEFT_SECONDS: i64 = 90;
const FILE_MODE: Mode = Mode::from_bits_truncate(0o440);
/// The directories above it only lead there.
const PARENT_MODE: Mode = Mode::from_bits_truncate(0o755);

/// Why a directory is not taken for challenges.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("making the challenge directory {path}")]
    Make { path: PathBuf, source: io::Error },
    #[error("opening the challenge directory {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("the challenge directory {path} {why}")]
    Unsafe { path: PathBuf, why: &'static str },
}

/// A checked directory.
#[derive(Debug)]
pub struct ChallengeDirectory {
    path: PathBuf,
    group: Option<Gid>,
    /// Whether files get the mode they are made with.
    modes_are_kept: bool,
    held: RwLock<Arc<Held>>,
}

/// The directory behind the path, as it was when it was checked.
#[derive(Debug)]
struct Held {
    directory: OwnedFd,
    identity: (u64, u64),
    /// Whether files made in it get the group by themselves: it is this process's own.
    gives_group: bool,
}

impl ChallengeDirectory {
    /// Opens and checks a directory, and makes it first where there is none: no symbolic link, ours, not open to
    /// others.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        let group = Group::from_name(HIMDS).ok().flatten().map(|g| g.gid);
        let held = Held::open(path, group)?;
        let modes_are_kept = umask().is_some_and(|bits| bits & FILE_MODE.bits() == 0);
        Ok(Self { path: path.to_owned(), group, modes_are_kept, held: RwLock::new(Arc::new(held)) })
    }

    /// Makes the directory where it is missing, so that it can be looked at whether it will do.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn make(path: &Path) -> io::Result<()> {
        make(path)
    }

    /// Where a challenge of this name is, as clients must see it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a file, complete when this returns: its name is drawn, and nobody is told it before. The group may read it
    /// only when its content stands. Mode 0440 whatever the umask. It need not survive a crash, so nothing is synced.
    ///
    /// # Errors
    /// Whatever the system says; then there is no file.
    pub fn create(&self, name: &str, content: &str) -> io::Result<()> {
        let held = self.current()?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = if self.modes_are_kept { FILE_MODE } else { Mode::S_IRUSR };
        let file = openat(held.directory.as_fd(), name, flags, mode)?;
        let mut file = std::fs::File::from(file);
        let mut finish = || {
            file.write_all(content.as_bytes())?;
            if let Some(group) = self.group.filter(|_| !held.gives_group) {
                // Only root and members may give a file to the group; without it root can read the challenge still.
                let _ = fchown(file.as_fd(), None, Some(group));
            }
            if self.modes_are_kept { Ok(()) } else { Ok(fchmod(file.as_fd(), FILE_MODE)?) }
        };
        finish().inspect_err(|_: &io::Error| self.remove(name))
    }

    /// Removes a file; one that is gone already is fine.
    pub fn remove(&self, name: &str) {
        let _ = unlinkat(self.held().directory.as_fd(), name, UnlinkatFlags::NoRemoveDir);
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The directory clients see: the one held, or, when somebody has removed or replaced that, the one there is now.
    fn current(&self) -> io::Result<Arc<Held>> {
        let held = self.held();
        let seen = std::fs::symlink_metadata(&self.path);
        if seen.is_ok_and(|m| (m.dev(), m.ino()) == held.identity) {
            return Ok(held);
        }
        tracing::warn!(path = %self.path.display(), "the challenge directory was removed or replaced");
        let anew = Arc::new(Held::open(&self.path, self.group).map_err(io::Error::other)?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&anew);
        Ok(anew)
    }

    /// Removes challenges that nobody answered and no process remembers: files of a killed one. What is open here and
    /// what is younger stays, since another agent may share the directory.
    pub(crate) fn sweep(&self, now_seconds: i64, is_open: impl Fn(&str) -> bool) {
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|n| n.ends_with(".key") && !is_open(n)) else { continue };
            // Of the name itself: a link that was planted goes, whatever it leads to.
            let age = entry.metadata().map(|m| now_seconds - m.mtime());
            if age.is_ok_and(|age| !(-LEFT_SECONDS..LEFT_SECONDS).contains(&age)) {
                self.remove(name);
            }
        }
    }
}

impl Held {
    fn open(path: &Path, group: Option<Gid>) -> Result<Self, DirectoryError> {
        let failed = |source: io::Error| DirectoryError::Open { path: path.to_owned(), source };
        make(path).map_err(|source| DirectoryError::Make { path: path.to_owned(), source })?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let directory = std::fs::File::from(open(path, flags, Mode::empty()).map_err(|e| failed(e.into()))?);
        let metadata = directory.metadata().map_err(failed)?;
        let refuse = |why| Err(DirectoryError::Unsafe { path: path.to_owned(), why });
        if !is_ours(metadata.uid()) {
            return refuse("belongs to another user");
        }
        if metadata.mode() & 0o002 != 0 {
            return refuse(
                "can be written by everybody: look into it, then remove it or take that right away",
            );
        }
        let me = geteuid();
        if me.is_root() || me.as_raw() == metadata.uid() {
            settle(&directory, &metadata, group).map_err(failed)?;
        }
        let gives_group = group.is_some_and(|group| group == getegid());
        Ok(Self { directory: directory.into(), identity: (metadata.dev(), metadata.ino()), gives_group })
    }
}

/// What this process's umask takes from the modes of new files; the kernel says it without changing it.
fn umask() -> Option<nix::libc::mode_t> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let bits = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    nix::libc::mode_t::from_str_radix(bits.trim(), 8).ok()
}

/// Ours are this process's user, root, and the user of the packaged agent.
fn is_ours(owner: u32) -> bool {
    let packaged = || User::from_name(HIMDS).ok().flatten().is_some_and(|u| u.uid.as_raw() == owner);
    owner == geteuid().as_raw() || owner == 0 || packaged()
}

/// Gives the directory its group and mode where they differ, whatever they were made with.
fn settle(directory: &std::fs::File, known: &std::fs::Metadata, group: Option<Gid>) -> io::Result<()> {
    if let Some(group) = group.filter(|g| g.as_raw() != known.gid()) {
        // Who is no member may not give it away; then it stays with the own group, and root can still read it.
        let _ = fchown(directory.as_fd(), None, Some(group));
    }
    if known.permissions().mode() & 0o7777 != DIRECTORY_MODE.bits() {
        fchmod(directory.as_fd(), DIRECTORY_MODE)?;
    }
    Ok(())
}

/// Makes a directory that is missing, and those above it; the process's umask does not count.
fn make(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => make_one(parent, PARENT_MODE)?,
        _ => {}
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_one(path, DIRECTORY_MODE),
        // Whatever else is there is looked at when it is opened.
        _ => Ok(()),
    }
}

fn make_one(path: &Path, mode: Mode) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
        make_one(parent, PARENT_MODE)?;
    }
    match mkdir(path, mode) {
        Ok(()) => {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
            Ok(fchmod(open(path, flags, Mode::empty())?.as_fd(), mode)?)
        }
        Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
