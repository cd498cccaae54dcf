//! The data directory: one process at a time, everything private to its owner.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::failure::{Attempt, Failure, Kind};

/// An opened data directory. Held open for as long as the process serves from it.
pub struct DataDirectory {
    path: PathBuf,
    /// Locked; given up by the kernel however the process ends.
    _lock: File,
}

/// `--data`, or the place contract.md names.
pub fn path_of(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => default_path()?,
    };
    std::path::absolute(&path).attempt(format_args!("using {} as the data directory", path.display()))
}

fn default_path() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    base.map(|b| b.join("countersign")).ok_or_else(|| {
        Failure::new(Kind::Usage, "neither XDG_DATA_HOME nor HOME is set")
            .hint("name a directory with --data DIR")
    })
}

impl DataDirectory {
    /// Makes the directory (mode 0700) where it is missing and takes its lock.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .attempt(format_args!("making the data directory {shown}"))
            .map_err(|f| f.hint("name a directory you may write with --data DIR"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .attempt(format_args!("writing to the data directory {shown}"))
            .map_err(|f| f.hint("name a directory you may write with --data DIR"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Failure::new(
                    Kind::WrongState,
                    format!("the data directory {shown} is in use by another process"),
                )
                .hint("stop that process, or name another directory with --data DIR"));
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(Failure::failed(format!("locking the data directory {shown}: {error}")));
            }
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a private folder inside.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .attempt(format_args!("making the folder {}", path.display()))?;
        Ok(path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a private file holds, `None` when it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        read(&self.file(name))
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, Failure> {
        let path = self.file(name);
        write_whole(&path, bytes, mode)?;
        Ok(path)
    }
}

/// What a file holds, `None` when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("reading {}: {error}", path.display()))),
    }
}

/// Temporary name in the same folder, synced, renamed, folder synced.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let attempt = || -> std::io::Result<()> {
        // The parent of a bare name is an empty path, which cannot be opened.
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = folder.join(name);
        let write = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&temporary)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        File::open(folder)?.sync_all()
    };
    attempt().attempt(format_args!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(dir.path()).unwrap();
        let second = DataDirectory::open(dir.path()).err().unwrap();
        assert_eq!(second.kind, Kind::WrongState);
        drop(first);
        DataDirectory::open(dir.path()).unwrap();
    }

    /// `--ready-file ready.json`, as people write it.
    #[test]
    fn a_bare_name_is_a_file_in_the_working_directory() {
        let name = format!("countersign-bare-name-{}", std::process::id());
        let written = write_whole(Path::new(&name), b"x", 0o600);
        drop(fs::remove_file(&name));
        written.unwrap();
    }

    #[test]
    fn files_are_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&dir.path().join("a/b")).unwrap();
        let path = data.write("x", b"one", 0o600).unwrap();
        data.write("x", b"two", 0o600).unwrap();
        assert_eq!(data.read("x").unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 2);
    }
}
