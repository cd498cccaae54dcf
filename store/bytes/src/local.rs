//! Objects as files: a temporary name, written, synced, renamed, the folder synced (design.md, State).
//!
//! `objects/ab/abcdef…`: 256 folders by the first byte of the key; `incoming/` holds what is not finished and is emptied
//! at the start. The disk is touched on blocking threads only, one turn at a time for each transfer, so that a slow
//! client holds memory for two batches and no thread.

mod read;
mod write;

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use cs_time::Timestamp;
use tokio::task::spawn_blocking;

use crate::{BlobBytes, ByteStream, BytesError, Upload};

/// Objects in a folder of this machine.
pub struct LocalBytes {
    folder: Arc<PathBuf>,
}

impl LocalBytes {
    /// Opens (or makes) the folder, for its owner only, and removes what an earlier process did not finish.
    ///
    /// # Errors
    /// [`BytesError::Io`].
    pub fn open(folder: &Path) -> Result<Self, BytesError> {
        prepare(folder).map_err(fails("opening the folder of blobs"))?;
        Ok(Self::beside(folder))
    }

    /// The folder as it is, also while another process works in it: what that has not finished stays.
    pub fn beside(folder: &Path) -> Self {
        Self { folder: Arc::new(folder.to_owned()) }
    }

    /// Where an object of this key lies, whether it is there or not.
    ///
    /// # Errors
    /// [`BytesError::Missing`] for what is no key.
    pub fn path_of(&self, key: &str) -> Result<PathBuf, BytesError> {
        place(&self.folder, key)
    }
}

/// All 256 folders are made and synced at once: none has to appear, durably, in the middle of an upload.
fn prepare(folder: &Path) -> io::Result<()> {
    let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let (objects, incoming) = (folder.join("objects"), folder.join("incoming"));
    make(&incoming)?;
    // The last one stands for all of them.
    if !objects.join("ff").exists() {
        for first in 0..=255u8 {
            make(&objects.join(format!("{first:02x}")))?;
        }
        for made in [objects.as_path(), folder, folder.parent().unwrap_or(folder)] {
            if !made.as_os_str().is_empty() {
                File::open(made)?.sync_all()?;
            }
        }
    }
    for entry in fs::read_dir(incoming)?.flatten() {
        drop(fs::remove_file(entry.path()));
    }
    Ok(())
}

/// Keys are ours; what is not one must not become a path.
fn is_key(key: &str) -> bool {
    key.len() == 32 && key.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn place(folder: &Path, key: &str) -> Result<PathBuf, BytesError> {
    if !is_key(key) {
        return Err(BytesError::Missing);
    }
    Ok(folder.join("objects").join(&key[..2]).join(key))
}

fn fails(attempt: &'static str) -> impl Fn(io::Error) -> BytesError {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => BytesError::Missing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BytesError::Full { attempt },
        _ => BytesError::Io { attempt, source },
    }
}

/// Runs a turn at the disk on a blocking thread.
async fn at_the_disk<T: Send + 'static>(
    attempt: &'static str,
    turn: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BytesError> {
    spawn_blocking(turn).await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(fails(attempt))
}

#[async_trait]
impl BlobBytes for LocalBytes {
    async fn begin(&self) -> Result<Box<dyn Upload>, BytesError> {
        Ok(Box::new(write::LocalUpload::begin(Arc::clone(&self.folder)).await?))
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<ByteStream, BytesError> {
        read::stream(place(&self.folder, key)?, range).await
    }

    async fn remove(&self, key: &str) -> Result<(), BytesError> {
        let path = place(&self.folder, key)?;
        match at_the_disk("removing a blob", move || fs::remove_file(path)).await {
            Err(BytesError::Missing) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn older_than(
        &self,
        before: Timestamp,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, BytesError> {
        let (folder, after) = (Arc::clone(&self.folder), after.to_owned());
        at_the_disk("listing blobs", move || list_older(&folder, before, &after, limit)).await
    }
}

/// Shard by shard in the order of keys, so that a listing can go on where the last one ended.
fn list_older(folder: &Path, before: Timestamp, after: &str, limit: usize) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for first in 0..=255u8 {
        let shard = format!("{first:02x}");
        if after.get(..2).is_some_and(|last| shard.as_str() < last) {
            continue;
        }
        let mut old = Vec::new();
        for entry in fs::read_dir(folder.join("objects").join(shard))?.flatten() {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if is_key(&name) && name.as_str() > after && is_older(&entry, before) {
                old.push(name);
            }
        }
        old.sort_unstable();
        found.append(&mut old);
        if found.len() >= limit {
            found.truncate(limit);
            break;
        }
    }
    Ok(found)
}

fn is_older(entry: &fs::DirEntry, before: Timestamp) -> bool {
    let Ok(modified) = entry.metadata().and_then(|m| m.modified()) else { return false };
    let age = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(age.as_micros()).is_ok_and(|micros| Timestamp::from_micros(micros) < before)
}
