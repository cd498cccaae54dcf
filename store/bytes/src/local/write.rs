//! Writing: one batch being collected, one on its way to the disk.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{at_the_disk, fails, place};
use crate::{BytesError, Upload, new_key};

/// What is handed to the disk at once: fewer turns between threads than the network's small pieces would take.
const BATCH_BYTES: usize = 512 * 1024;
/// So much is written before the disk is told to begin syncing it: the last sync then waits for little.
const SYNC_EVERY_BYTES: usize = 8 << 20;
/// The kernel takes no more pieces in one call.
const PIECES_MAX: usize = 1024;
const ATTEMPT: &str = "writing a blob";

pub(super) struct LocalUpload {
    folder: Arc<PathBuf>,
    key: String,
    temporary: Temporary,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    disk: Disk,
    unsynced_bytes: usize,
    syncing: Option<JoinHandle<io::Result<()>>>,
}

/// Who has the file.
enum Disk {
    Idle(File),
    Writing(JoinHandle<io::Result<File>>),
    /// An earlier batch failed.
    Lost,
}

/// Removed when dropped; renamed away before, there is nothing to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

impl LocalUpload {
    pub(super) async fn begin(folder: Arc<PathBuf>) -> Result<Self, BytesError> {
        let key = new_key();
        let temporary = folder.join("incoming").join(&key);
        let path = temporary.clone();
        let file = at_the_disk(ATTEMPT, move || {
            fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
        });
        let file = file.await?;
        Ok(Self {
            folder,
            key,
            temporary: Temporary(temporary),
            waiting: Vec::new(),
            waiting_bytes: 0,
            disk: Disk::Idle(file),
            unsynced_bytes: 0,
            syncing: None,
        })
    }

    /// Hands the batch over once the one before is written.
    async fn hand_over(&mut self) -> Result<(), BytesError> {
        let mut file = self.file().await?;
        self.unsynced_bytes += std::mem::take(&mut self.waiting_bytes);
        if self.unsynced_bytes >= SYNC_EVERY_BYTES
            && self.syncing.as_ref().is_none_or(JoinHandle::is_finished)
        {
            self.sync_ahead(&file).await?;
        }
        let batch = std::mem::take(&mut self.waiting);
        self.disk = Disk::Writing(spawn_blocking(move || {
            write_batch(&mut file, &batch)?;
            Ok(file)
        }));
        Ok(())
    }

    async fn file(&mut self) -> Result<File, BytesError> {
        match std::mem::replace(&mut self.disk, Disk::Lost) {
            Disk::Idle(file) => Ok(file),
            Disk::Writing(writing) => {
                writing.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(fails(ATTEMPT))
            }
            Disk::Lost => Err(BytesError::Missing),
        }
    }

    async fn sync_ahead(&mut self, file: &File) -> Result<(), BytesError> {
        self.synced().await?;
        self.unsynced_bytes = 0;
        let file = file.try_clone().map_err(fails(ATTEMPT))?;
        self.syncing = Some(spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// A sync that failed must not be forgotten: the kernel tells of lost pages only once.
    async fn synced(&mut self) -> Result<(), BytesError> {
        let Some(syncing) = self.syncing.take() else { return Ok(()) };
        syncing.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(fails(ATTEMPT))
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BytesError> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        let full = self.waiting_bytes >= BATCH_BYTES || self.waiting.len() >= PIECES_MAX;
        if full { self.hand_over().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<String, BytesError> {
        let mut file = self.file().await?;
        self.synced().await?;
        let (target, temporary) = (place(&self.folder, &self.key)?, self.temporary.0.clone());
        let last = std::mem::take(&mut self.waiting);
        at_the_disk("keeping a blob", move || {
            write_batch(&mut file, &last)?;
            settle(&file, &temporary, &target)
        })
        .await?;
        Ok(std::mem::take(&mut self.key))
    }
}

fn write_batch(file: &mut File, batch: &[Bytes]) -> io::Result<()> {
    let mut pieces: Vec<IoSlice<'_>> =
        batch.iter().filter(|b| !b.is_empty()).map(|b| IoSlice::new(b)).collect();
    let mut pieces = pieces.as_mut_slice();
    while !pieces.is_empty() {
        match file.write_vectored(pieces) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut pieces, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Synced before it has its name, and the name synced before anybody hears of it.
fn settle(file: &File, temporary: &Path, target: &Path) -> io::Result<()> {
    file.sync_data()?;
    fs::rename(temporary, target)?;
    File::open(target.parent().unwrap_or(target))?.sync_all()
}
