//! What goes when a resource or group goes. Other kinds of things hang their own rows in here: one table.

use cs_ids::{ObjectId, TenantId};
use cs_store::StoreError;

use super::{assignments::below_range, directory, revision};
use crate::{Conn, values};

/// Each statement removes the rows of one table that belong to the resource `$2` or lie below it (`$3 <= key < $4`).
const BELOW: &[&str] = &[
    "DELETE FROM containers WHERE tenant = $1 AND (account_key = $2 OR (account_key >= $3 AND account_key < $4))",
    "DELETE FROM blobs WHERE tenant = $1 AND (account_key = $2 OR (account_key >= $3 AND account_key < $4))",
    "DELETE FROM blocks WHERE tenant = $1 AND (account_key = $2 OR (account_key >= $3 AND account_key < $4))",
    "UPDATE objects SET given_up = 0 WHERE tenant = $1 AND (account_key = $2 OR (account_key >= $3 AND account_key < $4))",
    "DELETE FROM secret_versions WHERE tenant = $1 AND (vault_key = $2 OR (vault_key >= $3 AND vault_key < $4))",
    "DELETE FROM secrets WHERE tenant = $1 AND (vault_key = $2 OR (vault_key >= $3 AND vault_key < $4))",
    "DELETE FROM join_tokens WHERE tenant = $1 AND (group_key = $2 OR (group_key >= $3 AND group_key < $4))",
    "DELETE FROM locks WHERE tenant = $1 AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))",
    "DELETE FROM resource_tags WHERE tenant = $1 AND (id_key = $2 OR (id_key >= $3 AND id_key < $4))",
    "DELETE FROM host_names WHERE tenant = $1 AND (id_key = $2 OR (id_key >= $3 AND id_key < $4))",
    "DELETE FROM resources WHERE tenant = $1 AND (id_key = $2 OR (id_key >= $3 AND id_key < $4))",
];

/// Removes everything at and below the folded id in the running transaction.
pub(super) async fn remove(c: &mut Conn<'_>, tenant: TenantId, key: &str) -> Result<(), StoreError> {
    let (from, to) = below_range(key);
    let range = values![tenant, key, &from, &to];
    let identities = c
        .rows(
            "SELECT object FROM principals WHERE tenant = $1 AND deleted = 0 AND resource_key IS NOT NULL
               AND (resource_key = $2 OR (resource_key >= $3 AND resource_key < $4))",
            &range,
        )
        .await?;
    for row in identities {
        let object: ObjectId = row.id(0)?;
        directory::bury(c, tenant, object).await?;
    }
    let revision = revision::raise(c, tenant).await?;
    c.run(
        "UPDATE assignments SET deleted = 1, revision = $5 WHERE tenant = $1 AND deleted = 0
           AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))",
        &values![tenant, key, &from, &to, revision],
    )
    .await?;
    c.run(
        "UPDATE deny_assignments SET deleted = 1, revision = $5 WHERE tenant = $1 AND deleted = 0
           AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))",
        &values![tenant, key, &from, &to, revision],
    )
    .await?;
    for statement in BELOW {
        c.run(statement, &range).await?;
    }
    Ok(())
}
