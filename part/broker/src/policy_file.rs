//! The policy of callers as a file that people change while the agent runs.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use crate::Policy;

/// A policy in a file, read anew when that changes. One that cannot be read allows nobody anything.
pub struct PolicyFile {
    path: PathBuf,
    read: RwLock<Read>,
}

/// The policy of one state of the file, or what is wrong with it; no stamp where there is none.
type Read = (Option<Stamp>, Result<Arc<Policy>, String>);

/// Which file, who may do what with it, and when it was last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    rights: (u32, u32, u32),
    changed: (i64, i64),
    length: u64,
}

impl PolicyFile {
    /// # Errors
    /// What is wrong with the file, so that nobody starts with less than was meant.
    pub fn open(path: &Path) -> Result<Self, String> {
        let read = load(path);
        if let Err(why) = &read.1 {
            return Err(why.clone());
        }
        Ok(Self { path: path.to_owned(), read: RwLock::new(read) })
    }

    /// The policy as it is now; costs one `stat`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn now(&self) -> Result<Arc<Policy>, String> {
        let stamp = stamp(&self.path);
        {
            let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
            if read.0 == stamp {
                return read.1.clone();
            }
        }
        let anew = load(&self.path);
        match &anew.1 {
            Ok(_) => tracing::info!(path = %self.path.display(), "the policy of callers was read anew"),
            Err(why) => tracing::error!(why, "the policy of callers cannot be read: nobody gets a token"),
        }
        let outcome = anew.1.clone();
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = anew;
        outcome
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some(Stamp {
        file: (found.dev(), found.ino()),
        rights: (found.mode(), found.uid(), found.gid()),
        changed: (found.ctime(), found.ctime_nsec()),
        length: found.len(),
    })
}

fn load(path: &Path) -> Read {
    // The stamp first: what is written meanwhile is then read again, never missed.
    let stamp = stamp(path);
    let read = || {
        let known = std::fs::metadata(path).map_err(|e| e.to_string())?;
        if known.mode() & 0o022 != 0 {
            return Err("others than its owner may write it".to_owned());
        }
        Policy::read(&std::fs::read_to_string(path).map_err(|e| e.to_string())?).map(Arc::new)
    };
    (stamp, read().map_err(|why| format!("{}: {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use uuid::Uuid;

    use super::*;
    use crate::{Caller, Identity, Wish};

    #[test]
    fn a_file_that_breaks_allows_nobody_anything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("callers.json");
        assert!(PolicyFile::open(&path).is_err(), "named, and not there");
        let write = |text: &str| {
            let new = dir.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o644)).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        write(r#"{"default":"allow"}"#);
        let file = PolicyFile::open(&path).unwrap();
        let identity = Identity {
            client: Uuid::nil().into(),
            object: Uuid::nil().into(),
            resource: String::new(),
            system_assigned: true,
        };
        let wish = Wish { source: "himds", identity: &identity, resource: "r" };
        let allowed = |file: &PolicyFile| file.now().unwrap().decide(&Caller::default(), &wish).is_ok();
        assert!(allowed(&file));
        write(r#"{"default":"deny"}"#);
        assert!(!allowed(&file), "read anew");
        write("{half");
        assert!(file.now().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(file.now().is_err(), "taken away");
        write(r#"{"default":"allow"}"#);
        assert!(file.now().is_ok());
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        assert!(file.now().is_err(), "everybody may write it now");
        assert!(PolicyFile::open(&path).is_err());
        mode(0o644);
        assert!(file.now().is_ok());
    }
}
