//! Listing blobs: in the order of their names' bytes, rolled up at a delimiter.

use cs_rbac::Allowed;
use cs_store::{BlobRow, after_prefix};

use crate::{Account, BlobError, Blobs};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub prefix: String,
    /// Names that go on behind the prefix up to this text come once, as a prefix.
    pub delimiter: Option<String>,
    /// The name the page begins with.
    pub from: String,
    /// At most this many blobs and prefixes.
    pub size: usize,
}

/// One line of an answer.
#[derive(Debug, Clone)]
pub enum Listed {
    Blob(Box<BlobRow>),
    Prefix(String),
}

/// Rows read from the store at once: few where names may roll up and the rest of a batch is skipped, more while
/// they do not.
const FIRST_BATCH: u32 = 128;
const BATCH_MAX: u32 = 1024;

impl Blobs {
    /// A page, and the name the next one begins with.
    ///
    /// # Errors
    /// [`BlobError::NoSuchContainer`].
    pub async fn list(
        &self,
        allowed: &Allowed,
        account: &Account,
        container: &str,
        listing: &Listing,
    ) -> Result<(Vec<Listed>, Option<String>), BlobError> {
        self.container(account, container).await?;
        let mut page = Page { listing, found: Vec::new(), from: listing.from.clone(), rolled: None };
        let mut batch = FIRST_BATCH;
        loop {
            let (place, name, prefix) = (account.place.clone(), container.to_owned(), listing.prefix.clone());
            let rows = self.parts.blobs.blobs(allowed, place, name, prefix, page.from.clone(), batch).await?;
            let full = rows.len() == batch as usize;
            for row in rows {
                if let Some(next) = page.take(row) {
                    return Ok((page.found, Some(next)));
                }
            }
            if !full {
                return Ok((page.found, None));
            }
            batch = if page.rolled.is_some() { FIRST_BATCH } else { BATCH_MAX.min(batch * 2) };
        }
    }
}

/// A page while it is filled.
struct Page<'l> {
    listing: &'l Listing,
    found: Vec<Listed>,
    /// Where the next batch begins.
    from: String,
    /// The prefix listed last: names below it are in it.
    rolled: Option<String>,
}

impl Page<'_> {
    /// Takes the next row; answers its name when there is no more room.
    fn take(&mut self, row: BlobRow) -> Option<String> {
        if self.rolled.as_deref().is_some_and(|prefix| row.name.starts_with(prefix)) {
            return None;
        }
        if self.found.len() == self.listing.size {
            return Some(row.name);
        }
        self.rolled = roll_up(self.listing, &row.name);
        match &self.rolled {
            Some(prefix) => {
                self.from = after_prefix(prefix);
                self.found.push(Listed::Prefix(prefix.clone()));
            }
            None => {
                // No name holds a NUL, so this is the very next name there can be.
                self.from = format!("{}\u{1}", row.name);
                self.found.push(Listed::Blob(Box::new(row)));
            }
        }
        None
    }
}

fn roll_up(listing: &Listing, name: &str) -> Option<String> {
    let delimiter = listing.delimiter.as_deref().filter(|d| !d.is_empty())?;
    let rest = name.strip_prefix(&listing.prefix)?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{}{}", listing.prefix, &rest[..end]))
}
