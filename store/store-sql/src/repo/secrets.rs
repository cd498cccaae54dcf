//! Secrets of vaults.

mod rows;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use cs_rbac::Allowed;
use cs_store::{
    AuditRecord, DeletedSecret, NextValue, SecretChange, SecretRow, Secrets, StoreError, VaultPlace,
};
use cs_time::Timestamp;

use self::rows::{key, newest, read, read_deleted, with, with_value, without_value};
use self::write::{replace, restore, set, update};
use super::audit;
use crate::{SqlStore, values};

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

    async fn replace_value(
        &self,
        _: &Allowed,
        place: VaultPlace,
        next: NextValue,
        change: SecretChange,
        at: Timestamp,
        record: AuditRecord,
    ) -> Result<Option<SecretRow>, StoreError> {
        let all = Arc::new((place, next, change, record));
        self.write_content("replacing a secret's value", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let made = replace(&mut c, &all.0, &all.1, &all.2, at).await?;
                if made.is_some() {
                    audit::append(&mut c, &all.3).await?;
                }
                Ok(made)
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
