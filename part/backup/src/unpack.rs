//! Reading a backup: everything is checked before anything is used.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, SHA256},
};
use cs_bytes::LocalBytes;
use cs_seal::Key;
use tar::EntryType;

use crate::{
    BackupError,
    entries::{Chain, DATABASE, FORMAT, MAC, MANIFEST, Manifest, mac, place_of_file},
    error::io_error,
};

/// Manifests and sealed files are small.
const SMALL_MAX_BYTES: u64 = 1 << 20;
/// Private files a data directory has.
const FILES_MAX: usize = 64;

/// A backup laid out in a folder of its own, all of it as it was written.
#[derive(Debug)]
pub struct Unpacked {
    /// When the backup was begun, RFC 3339.
    pub made: String,
    pub database: PathBuf,
    /// The folder of blobs' content; `None` where that stayed in a bucket.
    pub blobs: Option<PathBuf>,
    /// Private files by name, opened.
    pub files: Vec<(String, Vec<u8>)>,
    pub objects: u64,
}

/// Lays a backup out in `folder`, which is new, and checks it whole.
///
/// # Errors
/// [`BackupError`]; then what lies in the folder is not to be used.
pub fn unpack(archive: impl Read, root: &Key, folder: &Path) -> Result<Unpacked, BackupError> {
    let mut reading = Reading::new(folder)?;
    let mut archive = tar::Archive::new(archive);
    let broken = |_| BackupError::Damaged;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if entry.header().entry_type() != EntryType::Regular {
            return Err(BackupError::NotOne("it holds something else than files"));
        }
        let length = entry.size();
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| BackupError::Damaged)?;
        reading.take(&name, length, &mut entry)?;
    }
    reading.finish(root)
}

/// What has been met of an archive so far.
struct Reading<'f> {
    folder: &'f Path,
    blobs: LocalBytes,
    chain: Chain,
    database: bool,
    sealed: Vec<(String, Vec<u8>)>,
    objects: u64,
    object_bytes: u64,
    manifest: Option<Vec<u8>>,
    mac: Option<Vec<u8>>,
}

impl<'f> Reading<'f> {
    fn new(folder: &'f Path) -> Result<Self, BackupError> {
        Ok(Self {
            folder,
            blobs: LocalBytes::open(&folder.join("blobs"))?,
            chain: Chain::new(),
            database: false,
            sealed: Vec::new(),
            objects: 0,
            object_bytes: 0,
            manifest: None,
            mac: None,
        })
    }

    /// Names are compared, never followed: an archive names no place outside its folder.
    fn take(&mut self, name: &str, length: u64, content: &mut impl Read) -> Result<(), BackupError> {
        if self.mac.is_some() || self.manifest.is_some() && name != MAC {
            return Err(BackupError::NotOne("something follows the manifest"));
        }
        if !self.database && name != DATABASE {
            return Err(BackupError::NotOne("it does not begin with a database"));
        }
        match name {
            DATABASE if !self.database => {
                self.database = true;
                self.lay(name, length, content, &self.folder.join(DATABASE))
            }
            MANIFEST => small(length, content).map(|text| self.manifest = Some(text)),
            MAC => small(length, content).map(|code| self.mac = Some(code)),
            _ => match name.split_once('/') {
                Some(("sealed", file)) if is_plain(file) && self.sealed.len() < FILES_MAX => {
                    let sealed = small(length, content)?;
                    let mut hash = Context::new(&SHA256);
                    hash.update(&sealed);
                    self.chain.add(name, length, hash.finish().as_ref());
                    self.sealed.push((file.to_owned(), sealed));
                    Ok(())
                }
                Some(("objects", key)) => {
                    let path = self.blobs.path_of(key).map_err(|_| BackupError::Damaged)?;
                    self.lay(name, length, content, &path)?;
                    self.objects += 1;
                    self.object_bytes += length;
                    Ok(())
                }
                _ => Err(BackupError::NotOne("it holds a file that no backup has")),
            },
        }
    }

    fn lay(
        &mut self,
        name: &str,
        length: u64,
        content: &mut impl Read,
        path: &Path,
    ) -> Result<(), BackupError> {
        let writing = io_error("unpacking the backup");
        let mut file =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(&writing)?;
        let (mut hash, mut buffer, mut met) = (Context::new(&SHA256), vec![0; 1 << 16], 0);
        loop {
            let read = content.read(&mut buffer).map_err(|_| BackupError::Damaged)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            met += read as u64;
            file.write_all(&buffer[..read]).map_err(&writing)?;
        }
        if met != length {
            return Err(BackupError::Damaged);
        }
        file.sync_all().map_err(&writing)?;
        self.chain.add(name, length, hash.finish().as_ref());
        Ok(())
    }

    fn finish(self, root: &Key) -> Result<Unpacked, BackupError> {
        let (Some(text), Some(code)) = (self.manifest, self.mac) else { return Err(BackupError::Damaged) };
        let text = String::from_utf8(text).map_err(|_| BackupError::Damaged)?;
        verify_slices_are_equal(&mac(root, &text), &code).map_err(|_| BackupError::WrongKey)?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|_| BackupError::NotOne("its manifest is of another version"))?;
        if manifest.format != FORMAT {
            return Err(BackupError::NotOne("it was written by a later version"));
        }
        let met = (self.objects, self.object_bytes, self.chain.finish());
        if met != (manifest.objects, manifest.object_bytes, manifest.digest) {
            return Err(BackupError::Damaged);
        }
        let open = |(name, sealed): (String, Vec<u8>)| match root.open(&place_of_file(&name), &sealed) {
            Ok(plain) => Ok((name, plain.to_vec())),
            Err(_) => Err(BackupError::WrongKey),
        };
        let files = self.sealed.into_iter().map(open).collect::<Result<_, _>>()?;
        let blobs = self.folder.join("blobs");
        sync_folders(&blobs.join("objects")).map_err(io_error("syncing what was unpacked"))?;
        Ok(Unpacked {
            made: manifest.made,
            database: self.folder.join(DATABASE),
            blobs: manifest.with_objects.then_some(blobs),
            files,
            objects: self.objects,
        })
    }
}

/// A name without a folder, such as private files of a data directory have.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn small(length: u64, content: &mut impl Read) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::new();
    content.take(SMALL_MAX_BYTES).read_to_end(&mut bytes).map_err(|_| BackupError::Damaged)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(BackupError::Damaged) }
}

fn sync_folders(objects: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(objects)? {
        fs::File::open(entry?.path())?.sync_all()?;
    }
    Ok(())
}
