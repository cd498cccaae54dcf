//! What only files have.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use bytes::Bytes;
use cs_bytes::{BlobBytes, BytesError, LocalBytes};
use futures_util::StreamExt;

use crate::suite::{pattern, read, write};

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn h08_files_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(folder.path()).unwrap();
    let unfinished = store.begin().await.unwrap();
    write(&store, b"secret", 6).await;
    let all = files(folder.path());
    assert_eq!(all.len(), 2);
    for path in all {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    drop(unfinished);
}

#[tokio::test]
async fn f08_no_key_becomes_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(&folder.path().join("blobs")).unwrap();
    let outside = folder.path().join("site.db");
    fs::write(&outside, "keep").unwrap();
    for key in ["../../../site.db", "", "ab", "/etc/passwd", &"../".repeat(11)[..32], &"A".repeat(32)] {
        assert!(matches!(store.read(key, 0..1).await.map(drop), Err(BytesError::Missing)), "{key}");
        assert!(matches!(store.remove(key).await, Ok(()) | Err(BytesError::Missing)), "{key}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "keep");
}

#[tokio::test]
async fn what_a_crash_left_unfinished_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(folder.path()).unwrap();
    let key = write(&store, b"kept", 4).await;
    let mut upload = store.begin().await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    // As kill -9 would: nobody is told.
    std::mem::forget(upload);
    drop(store);
    assert_eq!(files(&folder.path().join("incoming")).len(), 1);
    let store = LocalBytes::open(folder.path()).unwrap();
    assert_eq!(files(&folder.path().join("incoming")).len(), 0);
    assert_eq!(read(&store, &key, 0, 4).await, b"kept");
}

#[tokio::test]
async fn a_file_cut_short_is_an_error_and_not_a_short_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(folder.path()).unwrap();
    let key = write(&store, &pattern(2 << 20), 1 << 20).await;
    let path = folder.path().join("objects").join(&key[..2]).join(&key);
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
    let mut chunks = store.read(&key, 0..2 << 20).await.unwrap();
    let (mut good, mut failed) = (0, false);
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(bytes) => good += bytes.len(),
            Err(error) => failed = matches!(error, BytesError::Io { .. }),
        }
    }
    assert!(failed && good <= 1 << 20, "{good} bytes, failed: {failed}");
}

#[tokio::test]
async fn a_reader_finishes_on_what_was_removed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(folder.path()).unwrap();
    let content = pattern(3 << 20);
    let key = write(&store, &content, 1 << 20).await;
    let mut chunks = store.read(&key, 0..3 << 20).await.unwrap();
    let mut got = chunks.next().await.unwrap().unwrap().to_vec();
    store.remove(&key).await.unwrap();
    while let Some(chunk) = chunks.next().await {
        got.extend_from_slice(&chunk.unwrap());
    }
    assert!(got == content);
}

/// The most memory this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Other cases of this program run beside it and hold some tens of MiB, so the content is far larger than all of them.
#[tokio::test]
async fn memory_does_not_grow_with_content() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 6 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBytes::open(folder.path()).unwrap();
    let before = peak_kib();
    let mut upload = store.begin().await.unwrap();
    for n in 0..PIECES {
        upload.write(Bytes::from(vec![n as u8; PIECE])).await.unwrap();
    }
    let key = upload.finish().await.unwrap();
    let mut chunks = store.read(&key, 0..(PIECE * PIECES) as u64).await.unwrap();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        length += chunk.unwrap().len();
    }
    assert_eq!(length, PIECE * PIECES);
    let grown = peak_kib() - before;
    assert!(grown < 192 * 1024, "384 MiB went through and memory grew by {grown} KiB");
}
