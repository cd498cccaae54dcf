//! Listing blobs: in the order of their names' bytes, rolled up at a delimiter.

use cs_rbac::Allowed;
use cs_store::BlobRow;

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

/// Rows read from the store at once.
const BATCH: u32 = 1000;

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
        let mut found = Vec::new();
        let mut from = listing.from.clone();
        loop {
            let (place, name, prefix) = (account.place.clone(), container.to_owned(), listing.prefix.clone());
            let rows = self.parts.blobs.blobs(allowed, place, name, prefix, from.clone(), BATCH).await?;
            let full = rows.len() == BATCH as usize;
            let mut jump = None;
            for row in rows {
                if found.len() == listing.size {
                    return Ok((found, Some(row.name)));
                }
                if let Some(rolled) = roll_up(listing, &row.name) {
                    // Everything below the prefix is in it: the next name to look at lies behind all of them.
                    jump = Some(format!("{rolled}{}", char::MAX));
                    found.push(Listed::Prefix(rolled));
                    break;
                }
                // No name holds a NUL, so this is the very next name there can be.
                from = format!("{}\u{1}", row.name);
                found.push(Listed::Blob(Box::new(row)));
            }
            match jump {
                Some(next) => from = next,
                None if full => {}
                None => return Ok((found, None)),
            }
        }
    }
}

fn roll_up(listing: &Listing, name: &str) -> Option<String> {
    let delimiter = listing.delimiter.as_deref().filter(|d| !d.is_empty())?;
    let rest = name.strip_prefix(&listing.prefix)?;
    let end = rest.find(delimiter)? + delimiter.len();
    Some(format!("{}{}", listing.prefix, &rest[..end]))
}
