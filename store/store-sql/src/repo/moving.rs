//! A resource under another id.

use cs_ids::{ResourceId, TenantId};
use cs_store::StoreError;

use super::revision;
use crate::{Conn, values};

/// Rules at the old place: they were made for it and do not follow.
const RULES: &[&str] = &[
    "UPDATE assignments SET deleted = 1, revision = $3 WHERE tenant = $1 AND scope_key = $2 AND deleted = 0",
    "UPDATE deny_assignments SET deleted = 1, revision = $3 WHERE tenant = $1 AND scope_key = $2 AND deleted = 0",
];

/// Moves one resource in the running transaction.
pub(super) async fn one(
    c: &mut Conn<'_>,
    tenant: TenantId,
    from: &ResourceId,
    to: &ResourceId,
) -> Result<(), StoreError> {
    let group = ResourceId::of_group(to.subscription(), to.group().unwrap_or_default());
    let live = "SELECT id FROM resources WHERE tenant = $1 AND id_key = $2 AND deleted IS NULL";
    if c.row(live, &values![tenant, group.key()]).await?.is_none() {
        return Err(StoreError::Missing(group.to_string()));
    }
    // A deleted one that can be recovered holds its id too.
    let any = "SELECT id FROM resources WHERE tenant = $1 AND id_key = $2";
    if c.row(any, &values![tenant, to.key()]).await?.is_some() {
        return Err(StoreError::Exists(to.to_string()));
    }
    let moved = c
        .run(
            "UPDATE resources SET id = $3, id_key = $4, subscription = $5, group_key = $6, generation = generation + 1
             WHERE tenant = $1 AND id_key = $2 AND deleted IS NULL",
            &values![
                tenant,
                from.key(),
                to.as_str(),
                to.key(),
                to.subscription(),
                to.group().unwrap_or_default().to_ascii_lowercase()
            ],
        )
        .await?;
    if moved == 0 {
        return Err(StoreError::Missing(from.to_string()));
    }
    let revision = revision::raise(c, tenant).await?;
    c.run(
        "UPDATE resource_tags SET id_key = $3, subscription = $4 WHERE tenant = $1 AND id_key = $2",
        &values![tenant, from.key(), to.key(), to.subscription()],
    )
    .await?;
    c.run(
        "UPDATE principals SET resource = $3, resource_key = $4, revision = $5
         WHERE tenant = $1 AND resource_key = $2 AND deleted = 0",
        &values![tenant, from.key(), to.as_str(), to.key(), revision],
    )
    .await?;
    for rule in RULES {
        c.run(rule, &values![tenant, from.key(), revision]).await?;
    }
    c.run("DELETE FROM locks WHERE tenant = $1 AND scope_key = $2", &values![tenant, from.key()])
        .await
        .map(drop)
}
