//! What writes: each within the transaction of whoever calls.

use cs_store::{NextValue, SecretChange, SecretRow, StoreError, VaultPlace};
use cs_time::Timestamp;

use super::rows::{key, newest, read, with, without_value};
use crate::{Conn, repo::tags, values};

pub(super) async fn set(c: &mut Conn<'_>, place: &VaultPlace, row: &SecretRow) -> Result<String, StoreError> {
    let key = key(place, &row.name);
    let stored = c
        .row(
            "INSERT INTO secrets (tenant, vault_key, name_key, name, newest, versions) VALUES ($1, $2, $3, $4, $5, 1)
             ON CONFLICT (tenant, vault_key, name_key)
             DO UPDATE SET newest = excluded.newest, versions = secrets.versions + 1
             RETURNING name, versions, deleted",
            &with(key.clone(), values![&row.name, &row.version]),
        )
        .await?
        .ok_or_else(|| StoreError::Missing("the secret just written".to_owned()))?;
    if !stored.is_null(2) {
        return Err(StoreError::Conflict(format!("deleted secret {}", row.name)));
    }
    c.run(
        "INSERT INTO secret_versions (tenant, vault_key, name_key, version, number, sealed, content_type, tags, enabled,
           not_before, expires, created, updated)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &with(
            key,
            values![
                &row.version, stored.int(1)?, &row.sealed, row.content_type.clone(), tags::to_json(&row.tags), row.enabled,
                row.not_before, row.expires, row.created, row.updated
            ],
        ),
    )
    .await?;
    stored.string(0)
}

pub(super) async fn restore(
    c: &mut Conn<'_>,
    place: &VaultPlace,
    rows: &[SecretRow],
) -> Result<(), StoreError> {
    let Some(first) = rows.first() else {
        return Err(StoreError::Missing("a version to restore".to_owned()));
    };
    if let Some(there) = newest(c, place, &first.name).await? {
        let name = format!("secret {}", first.name);
        return Err(if there.is_null(10) { StoreError::Exists(name) } else { StoreError::Conflict(name) });
    }
    for row in rows {
        set(c, place, row).await?;
    }
    Ok(())
}

pub(super) async fn update(
    c: &mut Conn<'_>,
    place: &VaultPlace,
    name: &str,
    version: Option<&str>,
    change: &SecretChange,
    at: Timestamp,
) -> Result<Option<SecretRow>, StoreError> {
    let found = match version {
        None => newest(c, place, name).await?,
        Some(version) => {
            let sql = without_value!(
                "WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3 AND v.version = $4"
            );
            c.row(sql, &with(key(place, name), values![version])).await?
        }
    };
    let Some(found) = found.filter(|row| row.is_null(10)) else { return Ok(None) };
    let mut row = changed(read(&found)?, change)?;
    row.updated = at;
    c.run(
        "UPDATE secret_versions SET content_type = $5, tags = $6, enabled = $7, not_before = $8, expires = $9, updated = $10
         WHERE tenant = $1 AND vault_key = $2 AND name_key = $3 AND version = $4",
        &with(
            key(place, name),
            values![
                &row.version, row.content_type.clone(), tags::to_json(&row.tags), row.enabled, row.not_before, row.expires,
                row.updated
            ],
        ),
    )
    .await?;
    Ok(Some(row))
}

/// A version after the newest one, as that one is in this transaction.
pub(super) async fn replace(
    c: &mut Conn<'_>,
    place: &VaultPlace,
    next: &NextValue,
    change: &SecretChange,
    at: Timestamp,
) -> Result<Option<SecretRow>, StoreError> {
    let known = newest(c, place, &next.name).await?.filter(|row| row.is_null(10));
    let Some(known) = known else { return Ok(None) };
    let mut row = SecretRow {
        name: next.name.clone(),
        version: next.version.clone(),
        sealed: next.sealed.clone(),
        created: at,
        updated: at,
        ..changed(read(&known)?, change)?
    };
    row.name = set(c, place, &row).await?;
    row.sealed.clear();
    Ok(Some(row))
}

/// What a version becomes. Times are looked at where one is given: older versions may hold what is refused today.
fn changed(row: SecretRow, change: &SecretChange) -> Result<SecretRow, StoreError> {
    let row = SecretRow {
        content_type: change.content_type.clone().or(row.content_type),
        tags: change.tags.clone().unwrap_or(row.tags),
        enabled: change.enabled.unwrap_or(row.enabled),
        not_before: change.not_before.or(row.not_before),
        expires: change.expires.or(row.expires),
        ..row
    };
    let given = change.not_before.or(change.expires).is_some();
    if given && row.not_before.zip(row.expires).is_some_and(|(from, until)| until <= from) {
        return Err(StoreError::Conflict("the order of the secret's times".to_owned()));
    }
    Ok(row)
}
