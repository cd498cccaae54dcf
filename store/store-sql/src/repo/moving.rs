//! A resource under another id, with all that hangs on it.

use cs_ids::{ResourceId, TenantId};
use cs_store::{Revision, StoreError};

use super::{assignments::below_range, revision};
use crate::{Conn, values};

/// Rules at (`$2`) and below (`$3 <= key < $4`) the old place: they were made for it and do not follow.
const RULES: &[&str] = &[
    "UPDATE assignments SET deleted = 1, revision = $5 WHERE tenant = $1 AND deleted = 0
       AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))",
    "UPDATE deny_assignments SET deleted = 1, revision = $5 WHERE tenant = $1 AND deleted = 0
       AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))",
];

const LOCKS: &str =
    "DELETE FROM locks WHERE tenant = $1 AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))";

/// Content of vaults and accounts is found by the key of its resource: `$2` becomes `$3`.
const CONTENT: &[&str] = &[
    "UPDATE secrets SET vault_key = $3 WHERE tenant = $1 AND vault_key = $2",
    "UPDATE secret_versions SET vault_key = $3 WHERE tenant = $1 AND vault_key = $2",
    "UPDATE containers SET account_key = $3 WHERE tenant = $1 AND account_key = $2",
    "UPDATE blobs SET account_key = $3 WHERE tenant = $1 AND account_key = $2",
    "UPDATE blocks SET account_key = $3 WHERE tenant = $1 AND account_key = $2",
    "UPDATE objects SET account_key = $3 WHERE tenant = $1 AND account_key = $2",
];

/// The resource and its children: what of their ids stands before character `$5` becomes `$6`, folded `$7`.
const ROWS: &str = "UPDATE resources SET id = CAST($6 AS TEXT) || SUBSTR(id, $5),
       id_key = CAST($7 AS TEXT) || SUBSTR(id_key, $5), subscription = $8, group_key = $9, generation = generation + 1
     WHERE tenant = $1 AND deleted IS NULL AND (id_key = $2 OR (id_key >= $3 AND id_key < $4))";
const TAGS: &str =
    "UPDATE resource_tags SET id_key = CAST($6 AS TEXT) || SUBSTR(id_key, $5), subscription = $7
     WHERE tenant = $1 AND (id_key = $2 OR (id_key >= $3 AND id_key < $4))";

/// Moves resources in the running transaction.
pub(super) async fn all(
    c: &mut Conn<'_>,
    tenant: TenantId,
    moves: &[(ResourceId, ResourceId)],
) -> Result<(), StoreError> {
    let mut groups: Vec<ResourceId> = Vec::new();
    for (_, to) in moves {
        let group = ResourceId::of_group(to.subscription(), to.group().unwrap_or_default());
        if !groups.contains(&group) {
            is_there(c, tenant, &group).await?;
            groups.push(group);
        }
    }
    let revision = revision::raise(c, tenant).await?;
    for (from, to) in moves {
        one(c, tenant, (from, to), revision).await?;
    }
    Ok(())
}

async fn is_there(c: &mut Conn<'_>, tenant: TenantId, id: &ResourceId) -> Result<(), StoreError> {
    let live = "SELECT id FROM resources WHERE tenant = $1 AND id_key = $2 AND deleted IS NULL";
    match c.row(live, &values![tenant, id.key()]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Missing(id.to_string())),
    }
}

async fn one(
    c: &mut Conn<'_>,
    tenant: TenantId,
    (from, to): (&ResourceId, &ResourceId),
    revision: Revision,
) -> Result<(), StoreError> {
    // A deleted one that can be recovered holds its id too.
    let any = "SELECT id FROM resources WHERE tenant = $1 AND id_key = $2";
    if c.row(any, &values![tenant, to.key()]).await?.is_some() {
        return Err(StoreError::Exists(to.to_string()));
    }
    is_there(c, tenant, from).await?;
    rows(c, tenant, from, to).await?;
    names(c, tenant, (from, to), revision).await?;
    rules(c, tenant, from, revision).await?;
    for statement in CONTENT {
        c.run(statement, &values![tenant, from.key(), to.key()]).await?;
    }
    Ok(())
}

async fn rows(
    c: &mut Conn<'_>,
    tenant: TenantId,
    from: &ResourceId,
    to: &ResourceId,
) -> Result<(), StoreError> {
    let (first, last) = below_range(from.key());
    let rest = i64::try_from(from.as_str().chars().count() + 1).unwrap_or(i64::MAX);
    let group = to.group().unwrap_or_default().to_ascii_lowercase();
    let (key, sub) = (to.key(), to.subscription());
    c.run(ROWS, &values![tenant, from.key(), &first, &last, rest, to.as_str(), key, sub, &group]).await?;
    c.run(TAGS, &values![tenant, from.key(), &first, &last, rest, key, sub]).await.map(drop)
}

/// The host name, and the principal that came with it.
async fn names(
    c: &mut Conn<'_>,
    tenant: TenantId,
    (from, to): (&ResourceId, &ResourceId),
    revision: Revision,
) -> Result<(), StoreError> {
    c.run(
        "UPDATE host_names SET id = $3, id_key = $4, sealed_as = CASE WHEN sealed_as = '' THEN id_key ELSE sealed_as END
         WHERE tenant = $1 AND id_key = $2",
        &values![tenant, from.key(), to.as_str(), to.key()],
    )
    .await?;
    c.run(
        "UPDATE principals SET resource = $3, resource_key = $4, revision = $5
         WHERE tenant = $1 AND resource_key = $2 AND deleted = 0",
        &values![tenant, from.key(), to.as_str(), to.key(), revision],
    )
    .await
    .map(drop)
}

async fn rules(
    c: &mut Conn<'_>,
    tenant: TenantId,
    from: &ResourceId,
    revision: Revision,
) -> Result<(), StoreError> {
    let (first, last) = below_range(from.key());
    for rule in RULES {
        c.run(rule, &values![tenant, from.key(), &first, &last, revision]).await?;
    }
    c.run(LOCKS, &values![tenant, from.key(), &first, &last]).await.map(drop)
}
