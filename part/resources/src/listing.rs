//! Listing resources.

use cs_rbac::Operation;
use cs_store::{Resource, ResourceFilter};

use crate::{Manager, ResourceError};

/// Rows of one page at most.
const PAGE_MAX: u32 = 1000;

/// A page of resources.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<Resource>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<String>,
}

impl Manager {
    /// One page of what fits; `filter.limit` 0 means as many as a page may hold.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`] when the filter names a group that is not there.
    pub async fn list(&self, op: &Operation, mut filter: ResourceFilter) -> Result<Page, ResourceError> {
        let size = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
        // One more than asked tells whether there is another page.
        filter.limit = size + 1;
        let mut rows = self.at.resources.resources(op.caller.tenant, filter).await?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).map(|r| r.id.key().to_owned());
        Ok(Page { rows, next })
    }
}
