//! Sweeping objects no row names.

use std::sync::PoisonError;

use cs_time::Timestamp;

use crate::{BlobError, Blobs};

/// What was given up is kept for readers of the old content this long, in seconds.
const READERS_SECONDS: i64 = 3600;
/// An object whose row never came (a crash in between) is removed after this long, in seconds: longer than any upload
/// takes from its last byte to its row.
const UNKNOWN_SECONDS: i64 = 24 * 3600;
/// Blocks are dropped when their blob got none for a week (blob.md 6).
const STALE_SECONDS: i64 = 7 * 24 * 3600;
const BATCH: u32 = 500;
/// Objects are looked at in turns: so many batches in one sweep, the next sweep goes on behind them.
const BATCHES_OF_ALL: usize = 40;

impl Blobs {
    /// Removes objects that are no longer needed; answers how many.
    ///
    /// # Errors
    /// [`BlobError`]; what could not be removed is tried again next time.
    pub async fn sweep(&self) -> Result<usize, BlobError> {
        let now = self.parts.clock.now();
        self.parts.blobs.drop_stale_blocks(now.plus_seconds(-STALE_SECONDS), now).await?;
        Ok(self.sweep_given_up(now).await? + self.sweep_unknown(now).await?)
    }

    async fn sweep_given_up(&self, now: Timestamp) -> Result<usize, BlobError> {
        let mut swept = 0;
        loop {
            let keys = self.parts.blobs.given_up(now.plus_seconds(-READERS_SECONDS), BATCH).await?;
            let (count, last) = (keys.len(), keys.len() < BATCH as usize);
            for key in &keys {
                self.parts.bytes.remove(key).await?;
            }
            if count > 0 {
                self.parts.blobs.forget_objects(keys).await?;
            }
            swept += count;
            if last {
                return Ok(swept);
            }
        }
    }

    async fn sweep_unknown(&self, now: Timestamp) -> Result<usize, BlobError> {
        let mut swept = 0;
        for _ in 0..BATCHES_OF_ALL {
            let after = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let before = now.plus_seconds(-UNKNOWN_SECONDS);
            let old = self.parts.bytes.older_than(before, &after, BATCH as usize).await?;
            let end = old.len() < BATCH as usize;
            let next = if end { String::new() } else { old.last().cloned().unwrap_or_default() };
            for key in self.parts.blobs.unknown_objects(old).await? {
                self.parts.bytes.remove(&key).await?;
                swept += 1;
            }
            *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = next;
            if end {
                break;
            }
        }
        Ok(swept)
    }
}
