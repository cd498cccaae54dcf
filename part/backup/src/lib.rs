//! Copies of a whole site in one file, and the checking of one.
//!
//! A backup is a tar archive that needs no index and is written in one go:
//!
//! ```text
//! site.db            the database as it was at one moment
//! sealed/NAME        private files of the data directory, sealed under the root key
//! objects/KEY        content of blobs that is not in the database
//! manifest.json      what was written, with a digest over all of it, in order
//! manifest.mac       the manifest's authentication code under the root key
//! ```
//!
//! The root key is not in it: whoever finds a backup has nothing without the key, and the key opens no other site's.

mod archive;
mod entries;
mod error;
mod unpack;
mod verify;

use cs_store::{Mark, StoreError};

pub use archive::{Source, Summary, write};
pub use error::BackupError;
pub use unpack::{Unpacked, unpack};
pub use verify::{Checked, Problem, verify};

/// Rows looked at in one step of a walk.
const PAGE: u32 = 256;

/// Goes through all rows of a kind, a page at a time.
///
/// # Errors
/// Whatever reading a page or `each` says.
pub async fn every<T, E: From<StoreError>>(
    page: impl AsyncFn(Mark, u32) -> Result<(Vec<T>, Mark), StoreError>,
    mut each: impl AsyncFnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut mark = Mark::new();
    loop {
        let (rows, next) = page(mark, PAGE).await?;
        let full = rows.len() == PAGE as usize;
        for row in rows {
            each(row).await?;
        }
        if !full {
            return Ok(());
        }
        mark = next;
    }
}
