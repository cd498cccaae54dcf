//! Secrets of vaults.

use std::sync::Arc;

use async_trait::async_trait;
use cs_rbac::Allowed;
use cs_store::{AuditRecord, DeletedSecret, SecretChange, SecretRow, Secrets, StoreError, VaultPlace};
use cs_time::Timestamp;

use super::{audit, tags};
use crate::{Conn, Row, SqlStore, Value, values};

/// Columns of a version with its value; `v` is the version, `s` the secret.
macro_rules! with_value {
    ($rest:literal) => {
        concat!(
            "SELECT s.name, v.version, v.sealed, v.content_type, v.tags, v.enabled, v.not_before, v.expires, v.created, ",
            "v.updated, s.deleted, s.purge FROM secrets s JOIN secret_versions v ON v.tenant = s.tenant ",
            "AND v.vault_key = s.vault_key AND v.name_key = s.name_key ",
            $rest
        )
    };
}

/// The same without the value.
macro_rules! without_value {
    ($rest:literal) => {
        concat!(
            "SELECT s.name, v.version, NULL, v.content_type, v.tags, v.enabled, v.not_before, v.expires, v.created, ",
            "v.updated, s.deleted, s.purge FROM secrets s JOIN secret_versions v ON v.tenant = s.tenant ",
            "AND v.vault_key = s.vault_key AND v.name_key = s.name_key ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<SecretRow, StoreError> {
    Ok(SecretRow {
        name: row.string(0)?,
        version: row.string(1)?,
        sealed: row.optional(2, |r, c| r.bytes(c).map(<[u8]>::to_vec))?.unwrap_or_default(),
        content_type: row.optional(3, Row::string)?,
        tags: tags::from_json(&row.json(4)?),
        enabled: row.flag(5)?,
        not_before: row.optional(6, Row::int)?,
        expires: row.optional(7, Row::int)?,
        created: row.time(8)?,
        updated: row.time(9)?,
    })
}

fn read_deleted(row: &Row) -> Result<DeletedSecret, StoreError> {
    Ok(DeletedSecret { newest: read(row)?, deleted: row.time(10)?, purge: row.time(11)? })
}

/// Tenant, vault and folded name: the key every statement begins with.
fn key(place: &VaultPlace, name: &str) -> [Value; 3] {
    values![place.tenant, &place.vault, name.to_ascii_lowercase()]
}

fn with<const N: usize>(key: [Value; 3], more: [Value; N]) -> Vec<Value> {
    key.into_iter().chain(more).collect()
}

async fn newest(c: &mut Conn<'_>, place: &VaultPlace, name: &str) -> Result<Option<Row>, StoreError> {
    let sql = without_value!(
        "AND v.version = s.newest WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3"
    );
    c.row(sql, &key(place, name)).await
}

#[async_trait]
impl Secrets for SqlStore {
    async fn set_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        row: SecretRow,
        record: AuditRecord,
    ) -> Result<String, StoreError> {
        let all = Arc::new((place, row, record));
        self.write_content("setting a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let name = set(&mut c, &all.0, &all.1).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(name)
            })
        })
        .await
    }

    async fn secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        version: Option<String>,
    ) -> Result<Option<SecretRow>, StoreError> {
        self.read("reading a secret", move |mut c| {
            let (place, name, version) = (place.clone(), name.clone(), version.clone());
            Box::pin(async move {
                let found = match version {
                    None => {
                        let sql = with_value!(
                            "AND v.version = s.newest
                             WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3 AND s.deleted IS NULL"
                        );
                        c.row(sql, &key(&place, &name)).await?
                    }
                    Some(version) => {
                        let sql = with_value!(
                            "WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3 AND v.version = $4
                               AND s.deleted IS NULL"
                        );
                        c.row(sql, &with(key(&place, &name), values![version])).await?
                    }
                };
                found.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn whole_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError> {
        self.read("reading all of a secret", move |mut c| {
            let params = with(key(&place, &name), values![limit]);
            Box::pin(async move {
                let sql = with_value!(
                    "WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3 AND s.deleted IS NULL
                     ORDER BY v.number LIMIT $4"
                );
                c.rows(sql, &params).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn restore_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        rows: Vec<SecretRow>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((place, rows, record));
        self.write_content("restoring a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                restore(&mut c, &all.0, &all.1).await?;
                audit::append(&mut c, &all.2).await
            })
        })
        .await
    }

    async fn update_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        version: Option<String>,
        change: SecretChange,
        at: Timestamp,
        record: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError> {
        let all = Arc::new((place, name, version, change, record));
        self.write_content("updating a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let updated = update(&mut c, &all.0, &all.1, all.2.as_deref(), &all.3, at).await?;
                // What is not there is not changed, and nobody is said to have done it.
                if updated.is_some() {
                    audit::append(&mut c, &all.4).await?;
                }
                Ok(updated)
            })
        })
        .await
    }

    async fn secrets(
        &self,
        _: &Allowed,
        place: VaultPlace,
        after: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError> {
        self.read("listing secrets", move |mut c| {
            let params = with(key(&place, &after), values![limit]);
            Box::pin(async move {
                let sql = without_value!(
                    "AND v.version = s.newest
                     WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key > $3 AND s.deleted IS NULL
                     ORDER BY s.name_key LIMIT $4"
                );
                c.rows(sql, &params).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn secret_versions(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        after: String,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError> {
        self.read("listing versions of a secret", move |mut c| {
            let params = with(key(&place, &name), values![&after, limit]);
            Box::pin(async move {
                let sql = without_value!(
                    "WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3 AND s.deleted IS NULL
                       AND v.number > COALESCE((SELECT w.number FROM secret_versions w WHERE w.tenant = $1
                         AND w.vault_key = $2 AND w.name_key = $3 AND w.version = $4), 0)
                     ORDER BY v.number LIMIT $5"
                );
                c.rows(sql, &params).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn delete_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        at: Timestamp,
        purge: Timestamp,
        record: AuditRecord,
    ) -> Result<Option<DeletedSecret>, StoreError> {
        let all = Arc::new((place, name, record));
        self.write_content("deleting a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let touched = c
                    .run(
                        "UPDATE secrets SET deleted = $4, purge = $5
                         WHERE tenant = $1 AND vault_key = $2 AND name_key = $3 AND deleted IS NULL",
                        &with(key(&all.0, &all.1), values![at, purge]),
                    )
                    .await?;
                if touched == 0 {
                    return Ok(None);
                }
                audit::append(&mut c, &all.2).await?;
                newest(&mut c, &all.0, &all.1).await?.as_ref().map(read_deleted).transpose()
            })
        })
        .await
    }

    async fn deleted_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
    ) -> Result<Option<DeletedSecret>, StoreError> {
        self.read("reading a deleted secret", move |mut c| {
            let (place, name) = (place.clone(), name.clone());
            Box::pin(async move {
                let found = newest(&mut c, &place, &name).await?.filter(|row| !row.is_null(10));
                found.as_ref().map(read_deleted).transpose()
            })
        })
        .await
    }

    async fn deleted_secrets(
        &self,
        _: &Allowed,
        place: VaultPlace,
        after: String,
        limit: u32,
    ) -> Result<Vec<DeletedSecret>, StoreError> {
        self.read("listing deleted secrets", move |mut c| {
            let params = with(key(&place, &after), values![limit]);
            Box::pin(async move {
                let sql = without_value!(
                    "AND v.version = s.newest
                     WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key > $3 AND s.deleted IS NOT NULL
                     ORDER BY s.name_key LIMIT $4"
                );
                c.rows(sql, &params).await?.iter().map(read_deleted).collect()
            })
        })
        .await
    }

    async fn recover_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        record: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError> {
        let all = Arc::new((place, name, record));
        self.write_content("recovering a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let touched = c
                    .run(
                        "UPDATE secrets SET deleted = NULL, purge = NULL
                         WHERE tenant = $1 AND vault_key = $2 AND name_key = $3 AND deleted IS NOT NULL",
                        &key(&all.0, &all.1),
                    )
                    .await?;
                if touched == 0 {
                    return Ok(None);
                }
                audit::append(&mut c, &all.2).await?;
                newest(&mut c, &all.0, &all.1).await?.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn purge_secret(
        &self,
        _: &Allowed,
        place: VaultPlace,
        name: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, name, record));
        self.write_content("purging a secret", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let key = key(&all.0, &all.1);
                let touched = c
                    .run(
                        "DELETE FROM secrets WHERE tenant = $1 AND vault_key = $2 AND name_key = $3 AND deleted IS NOT NULL",
                        &key,
                    )
                    .await?;
                if touched == 0 {
                    return Ok(false);
                }
                c.run("DELETE FROM secret_versions WHERE tenant = $1 AND vault_key = $2 AND name_key = $3", &key).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn purge_due_secrets(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write_content("purging secrets whose time is up", move |mut c| {
            Box::pin(async move {
                c.run(
                    "DELETE FROM secret_versions WHERE EXISTS (SELECT 1 FROM secrets s WHERE s.tenant = secret_versions.tenant
                       AND s.vault_key = secret_versions.vault_key AND s.name_key = secret_versions.name_key
                       AND s.purge <= $1)",
                    &values![now],
                )
                .await?;
                c.run("DELETE FROM secrets WHERE purge <= $1", &values![now]).await
            })
        })
        .await
    }
}

async fn set(c: &mut Conn<'_>, place: &VaultPlace, row: &SecretRow) -> Result<String, StoreError> {
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

async fn restore(c: &mut Conn<'_>, place: &VaultPlace, rows: &[SecretRow]) -> Result<(), StoreError> {
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

async fn update(
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
    let mut row = read(&found)?;
    row.content_type = change.content_type.clone().or(row.content_type);
    row.tags = change.tags.clone().unwrap_or(row.tags);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    row.not_before = change.not_before.or(row.not_before);
    row.expires = change.expires.or(row.expires);
    if change.not_before.or(change.expires).is_some()
        && row.not_before.zip(row.expires).is_some_and(|(n, e)| e <= n)
    {
        return Err(StoreError::Conflict("the order of the secret's times".to_owned()));
    }
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
