//! Files that others read while they are written: whole or not at all, whoever looks and whenever the machine stops.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Group, Uid, User, fchown, geteuid};

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    pub mode: u32,
    /// `None`: stays this process's.
    pub user: Option<Uid>,
    pub group: Option<Gid>,
}

impl Access {
    pub fn mode(mode: u32) -> Self {
        Self { mode, ..Self::default() }
    }
}

/// Writes a file under a name of its own, gives it away, syncs it and puts it in its place; then the folder is synced.
/// Nobody can open it before it is complete and has its owner.
///
/// # Errors
/// Whatever the system says; then what was there before is there still.
pub fn write(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let temporary = beside(path)?;
    // One of a process that had our number and was killed.
    drop(fs::remove_file(&temporary));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    let written = (|| {
        file.write_all(bytes)?;
        if access.user.is_some() || access.group.is_some() {
            fchown(&file, access.user, access.group)?;
        }
        file.set_permissions(Permissions::from_mode(access.mode))?;
        file.sync_all()?;
        rename(&temporary, path)
    })();
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Puts a file in the place of another; durable when it returns.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// The folder, of this one and all above it, in which others than root and us could put something else; links are followed
/// first. The sticky bit keeps what lies in a folder for all (`/tmp`) its owner's.
pub fn changeable_by_others(folder: &Path) -> io::Result<Option<PathBuf>> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let is_safe = |place: &Path| {
        let Ok(found) = fs::symlink_metadata(place) else { return false };
        let ours = is_root_in(&map, found.uid()) || found.uid() == geteuid().as_raw();
        let (writable, sticky) = (found.mode() & 0o022 != 0, found.mode() & 0o1000 != 0);
        found.is_dir() && ours && (!writable || sticky)
    };
    let folder = folder.canonicalize()?;
    Ok(folder.ancestors().find(|place| !is_safe(place)).map(Path::to_owned))
}

/// Whether a number stands for root here. In a user namespace that is the namespace's own root, and whatever number root
/// outside has; where it has none (`countersign run` for an ordinary user) its files are those of the overflow user, unless
/// somebody inside has that number (`user_namespaces(7)`).
fn is_root_in(uid_map: &str, uid: u32) -> bool {
    const OVERFLOW: u32 = 65_534;
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::parse::<u32>);
        Some((words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?))
    };
    let lines: Vec<_> = uid_map.lines().filter_map(line).collect();
    let has = |id: u32| lines.iter().any(|(from, _, many)| id.checked_sub(*from).is_some_and(|n| n < *many));
    let outer =
        lines.iter().find(|(_, outside, many)| *outside == 0 && *many > 0).map(|(inside, ..)| *inside);
    match uid {
        // Without user namespaces there is no map.
        0 if uid_map.trim().is_empty() || has(0) => true,
        OVERFLOW if !uid_map.trim().is_empty() && outer.is_none() && !has(OVERFLOW) => true,
        _ => outer == Some(uid),
    }
}

/// Points a symbolic link at another file in one step: there is no moment without it. What is no link is never replaced.
///
/// # Errors
/// Whatever the system says, and [`io::ErrorKind::AlreadyExists`] where something else has the name.
pub fn link(path: &Path, target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_symlink() => return Err(io::ErrorKind::AlreadyExists.into()),
        _ => {}
    }
    let temporary = beside(path)?;
    drop(fs::remove_file(&temporary));
    symlink(target, &temporary)?;
    rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id())))
}

/// Of which file this is a piece, by its name: somebody was killed while writing it.
pub fn piece_of(name: &str) -> Option<&str> {
    let (of, process) = name.strip_prefix('.')?.rsplit_once('.')?;
    (!process.is_empty() && process.bytes().all(|b| b.is_ascii_digit())).then_some(of)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// A user by name or number.
pub fn user(name: &str) -> Option<Uid> {
    let named = || User::from_name(name).ok().flatten().map(|u| u.uid);
    name.parse().ok().map(Uid::from_raw).or_else(named)
}

/// A group by name or number.
pub fn group(name: &str) -> Option<Gid> {
    let named = || Group::from_name(name).ok().flatten().map(|g| g.gid);
    name.parse().ok().map(Gid::from_raw).or_else(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (text, mode) in [("one", 0o640), ("two", 0o600)] {
            write(&path, text.as_bytes(), Access::mode(mode)).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing temporary is left");
    }

    #[test]
    fn root_is_known_in_every_namespace() {
        for (map, roots) in [
            ("         0          0 4294967295\n", vec![0]),
            ("0 0 1\n", vec![0]),
            ("1000 1000 1", vec![65_534]),
            ("5 0 1\n1000 1000 1\n", vec![5]),
            ("0 1000 1\n", vec![0, 65_534]),
            ("0 100000 65536\n", vec![0]),
            ("0 1000 1\n1 100000 65536\n", vec![0]),
            ("", vec![0]),
            ("odd", vec![65_534]),
        ] {
            let found: Vec<u32> = (0..70_000).filter(|uid| is_root_in(map, *uid)).collect();
            assert_eq!(found, roots, "{map}");
        }
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "x").unwrap();
        assert!(write(&path, b"y", Access::mode(0o600)).is_err(), "a folder is not replaced");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a19_a_planted_link_is_replaced_and_never_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, path) = (dir.path().join("victim"), dir.path().join("token"));
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, b"new", Access::mode(0o600)).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn a_link_moves_in_one_step_and_replaces_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web");
        for target in ["web.1", "web.2"] {
            link(&path, Path::new(target)).unwrap();
            assert_eq!(fs::read_link(&path).unwrap(), Path::new(target));
        }
        let file = dir.path().join("file");
        fs::write(&file, "somebody's").unwrap();
        assert_eq!(link(&file, Path::new("web.1")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
