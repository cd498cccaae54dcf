//! Listing resources.

use cs_ids::ResourceId;
use cs_rbac::Operation;
use cs_store::{Part, Resource, ResourceFilter};

use crate::{Manager, ResourceError};

/// Rows of one page at most.
const PAGE_MAX: u32 = 1000;

/// A page of resources, or of what has another place in its list.
#[derive(Debug)]
pub struct Page<T = Resource, P = String> {
    pub rows: Vec<T>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Of one row more than a page holds, where there are so many: that tells whether there is another page.
    pub(crate) fn of(mut rows: Vec<T>, size: u32, place: impl Fn(&T) -> P) -> Self {
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let next = rows.last().filter(|_| more).map(place);
        Self { rows, next }
    }
}

/// How many rows a page holds where so many were asked for; 0 is as many as it may hold.
pub(crate) fn page_size(asked: u32) -> u32 {
    if asked == 0 { PAGE_MAX } else { asked.min(PAGE_MAX) }
}

/// The part of a list that makes such a page, and its size.
pub(crate) fn part_of(part: Part) -> (Part, u32) {
    let size = page_size(part.limit);
    (Part { limit: size + 1, ..part }, size)
}

impl Manager {
    /// One page of what fits; `filter.limit` 0 means as many as a page may hold.
    ///
    /// # Errors
    /// [`ResourceError::NoGroup`] when the filter names a group that is not there.
    pub async fn list(&self, op: &Operation, mut filter: ResourceFilter) -> Result<Page, ResourceError> {
        let size = page_size(filter.limit);
        filter.limit = size + 1;
        let rows = self.at.resources.resources(op.caller.tenant, filter).await?;
        Ok(Page::of(rows, size, |r| r.id.key().to_owned()))
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
        let below = format!("{}/{last}", parent.key());
        let filter = ResourceFilter {
            subscription: Some(parent.subscription()),
            group: parent.group().map(str::to_ascii_lowercase),
            kind: Some(kind.to_lowercase()),
            below: Some(below),
            limit,
            ..ResourceFilter::default()
        };
        Ok(self.at.resources.resources(op.caller.tenant, filter).await?)
    }
}
