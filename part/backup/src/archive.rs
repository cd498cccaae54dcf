//! Writing a backup.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Write},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use crc_fast::CrcAlgorithm;
use cs_bytes::BlobBytes;
use cs_seal::Key;
use cs_store::{BlobRow, BlockRow, Survey};
use cs_time::{Chance, Timestamp};
use futures_util::TryStreamExt;
use tar::{EntryType, Header};

use crate::{
    BackupError,
    entries::{Chain, DATABASE, FORMAT, MAC, MANIFEST, Manifest, mac, place_of_file},
    error::io_error,
    every,
};

/// What is copied.
pub struct Source<'s> {
    /// A copy of the database that nobody writes to, and its rows.
    pub database: &'s Path,
    pub survey: &'s dyn Survey,
    /// Content of blobs; `None` where it is in a bucket and stays there.
    pub bytes: Option<&'s dyn BlobBytes>,
    /// Private files by name, such as the certificate authority's key.
    pub files: Vec<(String, Vec<u8>)>,
    pub root: &'s Key,
    pub chance: &'s dyn Chance,
    pub now: Timestamp,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub objects: u64,
    pub object_bytes: u64,
    /// Keys of objects whose content is not what was put there (any more); they are in the copy as they are.
    pub damaged: Vec<String>,
}

/// Writes a whole backup; whoever calls makes it durable.
///
/// # Errors
/// [`BackupError`]; then what was written is no backup.
pub async fn write(out: &mut impl Write, source: &Source<'_>) -> Result<Summary, BackupError> {
    let mut archive = Archive { out, chain: Chain::new() };
    let mut database = File::open(source.database).map_err(io_error("opening the copy of the database"))?;
    let length = database.metadata().map_err(io_error("reading the copy of the database"))?.len();
    archive.begin(DATABASE, length)?;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = database.read(&mut buffer).map_err(io_error("reading the copy of the database"))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        archive.put(&buffer[..read])?;
    }
    archive.end(DATABASE, length, hash)?;
    for (name, content) in &source.files {
        let sealed = source.root.seal(&place_of_file(name), content, source.chance);
        archive.whole(&format!("sealed/{name}"), &sealed)?;
    }
    let summary = match source.bytes {
        Some(bytes) => objects(&mut archive, source.survey, bytes).await?,
        None => Summary::default(),
    };
    let Archive { out, chain } = archive;
    let manifest = Manifest {
        format: FORMAT,
        made: source.now.rfc3339(),
        with_objects: source.bytes.is_some(),
        objects: summary.objects,
        object_bytes: summary.object_bytes,
        digest: chain.finish(),
    };
    let text = serde_json::to_string(&manifest)
        .map_err(|e| BackupError::Io { attempt: "writing the manifest", source: e.into() })?;
    // What comes now is about what came before, and is not part of it.
    let mut last = Archive { out, chain: Chain::new() };
    last.whole(MANIFEST, text.as_bytes())?;
    last.whole(MAC, &mac(source.root, &text))?;
    // Two empty blocks end an archive.
    last.put(&[0; 1024])?;
    Ok(summary)
}

/// An archive while it is written.
struct Archive<'w, W> {
    out: &'w mut W,
    chain: Chain,
}

impl<W: Write> Archive<'_, W> {
    fn begin(&mut self, name: &str, length: u64) -> Result<(), BackupError> {
        let mut header = Header::new_gnu();
        header.set_path(name).map_err(io_error("naming an entry"))?;
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(length);
        header.set_cksum();
        self.put(header.as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.out.write_all(bytes).map_err(io_error("writing the backup"))
    }

    /// Entries fill whole blocks.
    fn end(&mut self, name: &str, length: u64, hash: Context) -> Result<(), BackupError> {
        self.chain.add(name, length, hash.finish().as_ref());
        let over = usize::try_from(length % 512).unwrap_or_default();
        if over == 0 { Ok(()) } else { self.put(&[0; 512][over..]) }
    }

    fn whole(&mut self, name: &str, content: &[u8]) -> Result<(), BackupError> {
        let length = content.len() as u64;
        self.begin(name, length)?;
        self.put(content)?;
        let mut hash = Context::new(&SHA256);
        hash.update(content);
        self.end(name, length, hash)
    }
}

/// An object as its row knows it.
struct Known {
    key: String,
    length: u64,
    crc: u64,
}

/// Objects are named by rows of one blob each, so that none is met twice in two rows.
async fn objects<W: Write>(
    archive: &mut Archive<'_, W>,
    survey: &dyn Survey,
    bytes: &dyn BlobBytes,
) -> Result<Summary, BackupError> {
    let mut summary = Summary::default();
    let of_blob = async |row: BlobRow| {
        // A list may name one block twice.
        let mut seen = HashSet::new();
        for s in row.segments {
            if seen.insert(s.key.clone()) {
                let known = Known { key: s.key, length: s.length, crc: s.crc };
                object(archive, bytes, known, &mut summary).await?;
            }
        }
        Ok::<_, BackupError>(())
    };
    every(async |mark, limit| survey.all_blobs(mark, limit).await, of_blob).await?;
    let of_block = async |b: BlockRow| {
        object(archive, bytes, Known { key: b.key, length: b.length, crc: b.crc }, &mut summary).await
    };
    every(async |mark, limit| survey.all_blocks(mark, limit).await, of_block).await?;
    Ok(summary)
}

/// Copies an object as it is. What is too short is filled up, so that the archive stays one.
async fn object<W: Write>(
    archive: &mut Archive<'_, W>,
    bytes: &dyn BlobBytes,
    known: Known,
    summary: &mut Summary,
) -> Result<(), BackupError> {
    let name = format!("objects/{}", known.key);
    archive.begin(&name, known.length)?;
    let (mut hash, mut crc) = (Context::new(&SHA256), crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme));
    let mut left = known.length;
    let mut take = |archive: &mut Archive<'_, W>, chunk: &[u8]| {
        hash.update(chunk);
        crc.update(chunk);
        archive.put(chunk)
    };
    if let Ok(mut chunks) = bytes.read(&known.key, 0..known.length).await {
        while let Ok(Some(chunk)) = chunks.try_next().await {
            let chunk = &chunk[..chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            take(archive, chunk)?;
            left -= chunk.len() as u64;
        }
    }
    let short = left > 0;
    while left > 0 {
        let zeros = [0; 4096];
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        take(archive, &zeros[..part])?;
        left -= part as u64;
    }
    // Rows of early versions know no checksum.
    if short || known.crc != 0 && crc.finalize() != known.crc {
        summary.damaged.push(known.key);
    }
    archive.end(&name, known.length, hash)?;
    summary.objects += 1;
    summary.object_bytes += known.length;
    Ok(())
}
