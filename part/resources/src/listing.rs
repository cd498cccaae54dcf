//! Listing resources.

use cs_ids::ResourceId;
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

    /// What of a type lies in a resource, which is there, by its key.
    pub(crate) async fn children(
        &self,
        op: &Operation,
        parent: &ResourceId,
        kind: &str,
        limit: u32,
    ) -> Result<Vec<Resource>, ResourceError> {
        let last = kind.rsplit('/').next().unwrap_or_default().to_lowercase();
        let below = format!("{}/{last}/", parent.key());
        let filter = ResourceFilter {
            subscription: Some(parent.subscription()),
            group: parent.group().map(str::to_lowercase),
            kind: Some(kind.to_lowercase()),
            after: Some(below.clone()),
            limit,
            ..ResourceFilter::default()
        };
        let mut rows = self.at.resources.resources(op.caller.tenant, filter).await?;
        rows.retain(|r| r.id.key().starts_with(&below));
        Ok(rows)
    }
}
