//! Sweeping objects no row names.

use crate::{BlobError, Blobs};

/// What was given up is kept for readers of the old content this long, in seconds.
const READERS_SECONDS: i64 = 600;
/// An object whose row never came (a crash in between) is removed after this long, in seconds: longer than any upload
/// takes from its first byte to its row.
const UNKNOWN_SECONDS: i64 = 24 * 3600;
const BATCH: u32 = 500;

impl Blobs {
    /// Removes objects that are no longer needed; answers how many.
    ///
    /// # Errors
    /// [`BlobError`]; what could not be removed is tried again next time.
    pub async fn sweep(&self) -> Result<usize, BlobError> {
        let now = self.parts.clock.now();
        let mut swept = self.parts.blobs.given_up(now.plus_seconds(-READERS_SECONDS), BATCH).await?;
        for key in &swept {
            self.parts.bytes.remove(key).await?;
        }
        self.parts.blobs.forget_objects(swept.clone()).await?;
        let old = self.parts.bytes.older_than(now.plus_seconds(-UNKNOWN_SECONDS), BATCH as usize).await?;
        let unknown = self.parts.blobs.unknown_objects(old).await?;
        for key in &unknown {
            self.parts.bytes.remove(key).await?;
        }
        swept.extend(unknown);
        Ok(swept.len())
    }
}
