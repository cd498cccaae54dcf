//! Objects as files: a temporary name, written, synced, renamed, the folder synced (design.md, State).
//!
//! `objects/ab/abcdef…`: 256 folders by the first byte of the key; `incoming/` holds what is not finished and is emptied
//! at the start. Writing and reading run on blocking threads, a few chunks ahead of the network.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cs_time::Timestamp;
use futures_util::StreamExt;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::{BlobBytes, ByteStream, BytesError, Upload, new_key};

/// What is handed to the disk at once: fewer turns between threads than the network's small pieces would take.
const WRITE_BATCH_BYTES: usize = 512 * 1024;
/// What is read from the disk at once.
const READ_CHUNK_BYTES: usize = 256 * 1024;
/// Batches on their way between network and disk: bounds what one transfer holds in memory.
const IN_FLIGHT: usize = 4;

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
        let fails = |source| BytesError::Io { attempt: "opening the folder of blobs", source };
        for name in ["objects", "incoming"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name)).map_err(fails)?;
        }
        for entry in fs::read_dir(folder.join("incoming")).map_err(fails)?.flatten() {
            drop(fs::remove_file(entry.path()));
        }
        Ok(Self { folder: Arc::new(folder.to_owned()) })
    }
}

fn place(folder: &Path, key: &str) -> Result<PathBuf, BytesError> {
    // Keys are ours; one that is not must not become a path.
    if key.len() != 32 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
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

#[async_trait]
impl BlobBytes for LocalBytes {
    async fn begin(&self) -> Result<Box<dyn Upload>, BytesError> {
        let key = new_key();
        let temporary = self.folder.join("incoming").join(&key);
        let (batches, received) = mpsc::channel::<Vec<Bytes>>(IN_FLIGHT);
        let path = temporary.clone();
        let writing = spawn_blocking(move || write_file(&path, received));
        Ok(Box::new(LocalUpload {
            folder: Arc::clone(&self.folder),
            key,
            temporary: Temporary(temporary),
            batches: Some(batches),
            waiting: Vec::new(),
            waiting_bytes: 0,
            writing: Some(writing),
        }))
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<ByteStream, BytesError> {
        let path = place(&self.folder, key)?;
        let opened = spawn_blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            Ok::<_, io::Error>((file, range.end - range.start))
        });
        let (file, length) = opened
            .await
            .map_err(|e| fails("reading a blob")(io::Error::other(e)))?
            .map_err(fails("reading a blob"))?;
        let (chunks, received) = mpsc::channel(IN_FLIGHT);
        spawn_blocking(move || read_file(file, length, &chunks));
        Ok(futures_util::stream::unfold(
            received,
            |mut r| async move { r.recv().await.map(|chunk| (chunk, r)) },
        )
        .boxed())
    }

    async fn remove(&self, key: &str) -> Result<(), BytesError> {
        let path = place(&self.folder, key)?;
        match spawn_blocking(move || fs::remove_file(path)).await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(fails("removing a blob")(error)),
            Err(error) => Err(fails("removing a blob")(io::Error::other(error))),
            Ok(_) => Ok(()),
        }
    }

    async fn older_than(&self, before: Timestamp, limit: usize) -> Result<Vec<String>, BytesError> {
        let folder = Arc::clone(&self.folder);
        let listed = spawn_blocking(move || list_older(&folder, before, limit)).await;
        listed.map_err(|e| fails("listing blobs")(io::Error::other(e)))?.map_err(fails("listing blobs"))
    }
}

/// Removed when dropped, unless it was renamed away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

struct LocalUpload {
    folder: Arc<PathBuf>,
    key: String,
    temporary: Temporary,
    batches: Option<mpsc::Sender<Vec<Bytes>>>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    writing: Option<JoinHandle<io::Result<File>>>,
}

impl LocalUpload {
    async fn hand_over(&mut self) -> Result<(), BytesError> {
        self.waiting_bytes = 0;
        let batch = std::mem::take(&mut self.waiting);
        let gone = match &self.batches {
            Some(batches) => batches.send(batch).await.is_err(),
            None => true,
        };
        if gone {
            // The writer has stopped: its own error says why.
            return Err(self.written().await.err().unwrap_or(BytesError::Missing));
        }
        Ok(())
    }

    async fn written(&mut self) -> Result<File, BytesError> {
        self.batches = None;
        let Some(writing) = self.writing.take() else { return Err(BytesError::Missing) };
        writing
            .await
            .map_err(|e| fails("writing a blob")(io::Error::other(e)))?
            .map_err(fails("writing a blob"))
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BytesError> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        if self.waiting_bytes >= WRITE_BATCH_BYTES { self.hand_over().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<String, BytesError> {
        if !self.waiting.is_empty() {
            self.hand_over().await?;
        }
        let file = self.written().await?;
        let (target, temporary) = (place(&self.folder, &self.key)?, self.temporary.0.clone());
        let settled = spawn_blocking(move || settle(&file, &temporary, &target)).await;
        settled
            .map_err(|e| fails("keeping a blob")(io::Error::other(e)))?
            .map_err(fails("keeping a blob"))?;
        Ok(std::mem::take(&mut self.key))
    }
}

fn write_file(path: &Path, mut batches: mpsc::Receiver<Vec<Bytes>>) -> io::Result<File> {
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    while let Some(batch) = batches.blocking_recv() {
        for bytes in batch {
            file.write_all(&bytes)?;
        }
    }
    Ok(file)
}

/// Synced before it has its name, and the name synced before anybody hears of it.
fn settle(file: &File, temporary: &Path, target: &Path) -> io::Result<()> {
    file.sync_data()?;
    let folder = target.parent().unwrap_or(target);
    if !folder.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
    }
    fs::rename(temporary, target)?;
    File::open(folder)?.sync_all()
}

fn read_file(mut file: File, mut left: u64, chunks: &mpsc::Sender<Result<Bytes, BytesError>>) {
    while left > 0 {
        let size = usize::try_from(left.min(READ_CHUNK_BYTES as u64)).unwrap_or(READ_CHUNK_BYTES);
        let mut chunk = BytesMut::zeroed(size);
        if let Err(error) = file.read_exact(&mut chunk) {
            drop(chunks.blocking_send(Err(fails("reading a blob")(error))));
            return;
        }
        left -= size as u64;
        // Nobody listens any more: the client has gone.
        if chunks.blocking_send(Ok(chunk.freeze())).is_err() {
            return;
        }
    }
}

fn list_older(folder: &Path, before: Timestamp, limit: usize) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for shard in fs::read_dir(folder.join("objects"))?.flatten() {
        for entry in fs::read_dir(shard.path())?.flatten() {
            let Ok(modified) = entry.metadata().and_then(|m| m.modified()) else { continue };
            let age = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let old = i64::try_from(age.as_micros()).is_ok_and(|m| Timestamp::from_micros(m) < before);
            if let Some(name) = entry.file_name().to_str().filter(|_| old) {
                found.push(name.to_owned());
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}
