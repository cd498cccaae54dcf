//! Reading: one chunk on its way to the client, one being read.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::PathBuf,
};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{at_the_disk, fails};
use crate::{ByteStream, BytesError};

/// Few enough turns between threads for a large blob, little enough memory for many readers.
const CHUNK_BYTES: u64 = 512 * 1024;
const ATTEMPT: &str = "reading a blob";

/// Opens the file and reads its first chunk now, so that what is gone is an error and not a broken answer.
pub(super) async fn stream(path: PathBuf, range: Range<u64>) -> Result<ByteStream, BytesError> {
    let open = move || {
        let mut file = File::open(path)?;
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))?;
        }
        chunk(file, range.end - range.start)
    };
    let first = at_the_disk(ATTEMPT, open).await?;
    Ok(futures_util::stream::unfold(Turn::Read(first), next).boxed())
}

/// A file with what is left of its range behind the chunk just read.
struct Chunk {
    bytes: Bytes,
    file: File,
    left: u64,
}

enum Turn {
    Read(Chunk),
    Ahead(JoinHandle<io::Result<Chunk>>),
    Over,
}

async fn next(turn: Turn) -> Option<(Result<Bytes, BytesError>, Turn)> {
    let read = match turn {
        Turn::Over => return None,
        Turn::Read(read) => Ok(read),
        Turn::Ahead(reading) => reading.await.unwrap_or_else(|e| Err(io::Error::other(e))),
    };
    match read {
        Err(error) => Some((Err(fails(ATTEMPT)(error)), Turn::Over)),
        Ok(read) if read.bytes.is_empty() => None,
        Ok(Chunk { bytes, left: 0, .. }) => Some((Ok(bytes), Turn::Over)),
        Ok(Chunk { bytes, file, left }) => {
            Some((Ok(bytes), Turn::Ahead(spawn_blocking(move || chunk(file, left)))))
        }
    }
}

fn chunk(mut file: File, left: u64) -> io::Result<Chunk> {
    let size = left.min(CHUNK_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    (&mut file).take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than its row says"));
    }
    Ok(Chunk { bytes: bytes.into(), file, left: left - size })
}
