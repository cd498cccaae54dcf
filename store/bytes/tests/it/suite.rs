//! What every store of bytes does.

use bytes::Bytes;
use cs_bytes::{BlobBytes, BytesError};
use cs_time::Timestamp;
use futures_util::TryStreamExt;

/// Later than every object.
const NEVER: Timestamp = Timestamp::from_seconds(32_000_000_000);

/// Bytes that tell where they stand.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

pub async fn write(store: &dyn BlobBytes, content: &[u8], piece: usize) -> String {
    let mut upload = store.begin().await.unwrap();
    for chunk in content.chunks(piece.max(1)) {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    upload.finish().await.unwrap()
}

pub async fn read(store: &dyn BlobBytes, key: &str, from: usize, to: usize) -> Vec<u8> {
    let chunks: Vec<Bytes> =
        store.read(key, from as u64..to as u64).await.unwrap().try_collect().await.unwrap();
    chunks.concat()
}

pub async fn what_is_written_comes_back(store: &dyn BlobBytes) {
    // Around the sizes of batches and parts: 512 KiB on disk, 8 MiB on S3.
    for (length, piece) in [
        (1, 1),
        (524_287, 4096),
        (524_288, 16_384),
        (524_289, 524_289),
        ((8 << 20) + 1, 65_536),
        (20 << 20, 300_000),
    ] {
        let content = pattern(length);
        let key = write(store, &content, piece).await;
        assert!(read(store, &key, 0, length).await == content, "{length} bytes in pieces of {piece}");
    }
    let empty = store.begin().await.unwrap().finish().await.unwrap();
    store.remove(&empty).await.unwrap();
}

pub async fn any_range_comes_back(store: &dyn BlobBytes) {
    let content = pattern(1_500_000);
    let key = write(store, &content, 10_000).await;
    for (from, to) in
        [(0, 1), (1_499_999, 1_500_000), (524_287, 524_289), (1, 1_499_999), (700_000, 1_400_000)]
    {
        assert!(read(store, &key, from, to).await == content[from..to], "{from}..{to}");
    }
}

pub async fn what_is_dropped_was_never_there(store: &dyn BlobBytes) {
    for length in [0, 10, 3 << 20, 20 << 20] {
        let mut upload = store.begin().await.unwrap();
        for chunk in pattern(length).chunks(1 << 20) {
            upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        drop(upload);
    }
    assert_eq!(store.older_than(NEVER, "", 10).await.unwrap(), Vec::<String>::new());
}

pub async fn what_is_not_there_is_missing(store: &dyn BlobBytes) {
    let key = write(store, b"x", 1).await;
    store.remove(&key).await.unwrap();
    assert!(matches!(store.read(&key, 0..1).await.map(drop), Err(BytesError::Missing)));
    store.remove(&key).await.unwrap();
}

pub async fn a_listing_goes_on_behind_a_key(store: &dyn BlobBytes) {
    let mut keys = Vec::new();
    for _ in 0..7 {
        keys.push(write(store, b"x", 1).await);
    }
    keys.sort();
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.older_than(NEVER, &after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        listed.extend(page);
    }
    assert_eq!(listed, keys);
    assert_eq!(store.older_than(Timestamp::default(), "", 3).await.unwrap(), Vec::<String>::new());
}
