//! The tenant's counter of changes to principals and assignments.

use cs_ids::TenantId;
use cs_store::{Revision, StoreError};

use crate::{Conn, values};

/// Raises the counter in the running transaction; the row lock makes changes of one tenant take turns.
pub(super) async fn raise(c: &mut Conn<'_>, tenant: TenantId) -> Result<Revision, StoreError> {
    c.row(
        "INSERT INTO revisions (tenant, value) VALUES ($1, 1)
         ON CONFLICT (tenant) DO UPDATE SET value = revisions.value + 1 RETURNING value",
        &values![tenant],
    )
    .await?
    .map_or(Ok(1), |row| row.int(0))
}

pub(super) async fn current(c: &mut Conn<'_>, tenant: TenantId) -> Result<Revision, StoreError> {
    c.row("SELECT value FROM revisions WHERE tenant = $1", &values![tenant])
        .await?
        .map_or(Ok(0), |row| row.int(0))
}
