//! Showing files and directories of ours at fixed places, in a mount namespace that is ours alone.
//!
//! A bind mount needs a place to be put on. Where there is none and the user may not make one (no `/var/opt/azcmagent`
//! on a machine without the agent), the nearest directory above is *furnished*: covered with an empty file system of
//! ours into which everything it had is shown again, so that there is room beside it and nothing seems to be missing.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, open},
    mount::{MsFlags, mount},
    sys::stat::Mode,
};

const NOTHING: Option<&str> = None;

/// From here on no mount of ours is seen outside, nor the other way round.
pub fn keep_private() -> io::Result<()> {
    Ok(mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?)
}

/// Shows `source`, a file or a directory, at `place`, making room for it where there is none.
pub fn show(source: &Path, place: &Path) -> io::Result<()> {
    if fs::metadata(place).is_err() {
        make_room(place)?;
        if source.is_dir() {
            fs::create_dir_all(place)?;
        } else {
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::File::create_new(place)?;
        }
    }
    bind(source, place)
}

/// Shows `source` at `place` only if there is something already.
pub fn replace(source: &Path, place: &Path) -> io::Result<()> {
    if place.exists() { bind(source, place) } else { Ok(()) }
}

/// Covers the directory with nothing, if it is there.
pub fn hide(directory: &Path) -> io::Result<()> {
    if directory.is_dir() { empty_file_system(directory) } else { Ok(()) }
}

fn bind(source: &Path, place: &Path) -> io::Result<()> {
    // Recursive: in a user namespace the mounts below a directory may not be left behind (mount_namespaces(7)).
    Ok(mount(Some(source), place, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)?)
}

fn empty_file_system(at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some("mode=755"))?)
}

fn make_room(place: &Path) -> io::Result<()> {
    let above = place.ancestors().skip(1).find(|above| fs::read_dir(above).is_ok());
    let missing = above.and_then(|above| place.strip_prefix(above).ok()?.iter().next());
    match (above, missing) {
        // Covering the root directory would also cover the mounts already made.
        (Some(above), Some(missing)) if above != Path::new("/") => furnish(above, missing.into()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, format!("no directory above {}", place.display()))),
    }
}

/// Covers `directory` and shows its entries again, except `unseen`, which we cannot look into.
fn furnish(directory: &Path, unseen: OsString) -> io::Result<()> {
    let original = Original::open(directory)?;
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    empty_file_system(directory)?;
    for entry in entries.iter().filter(|entry| entry.file_name() != unseen) {
        let (from, to) = (original.entry(&entry.file_name()), directory.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(&to)?;
        } else {
            fs::File::create_new(&to)?;
        }
        bind(&from, &to)?;
    }
    Ok(())
}

/// A directory held open, reachable after something else was mounted on its path.
struct Original(OwnedFd);

impl Original {
    fn open(directory: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(open(directory, flags, Mode::empty())?))
    }

    fn entry(&self, name: &std::ffi::OsStr) -> PathBuf {
        Path::new("/proc/self/fd").join(self.0.as_raw_fd().to_string()).join(name)
    }
}
