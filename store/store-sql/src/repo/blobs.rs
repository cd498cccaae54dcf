//! Containers and blobs.

mod leases;
mod rows;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use cs_rbac::Allowed;
use cs_store::{
    AccountPlace, AuditRecord, BlobNote, BlobRow, Blobs, BlockRow, ContainerRow, Expected, LeaseChange,
    LeaseKey, StoreError, after_prefix,
};
use cs_time::Timestamp;

use self::rows::read_container;
pub(super) use self::rows::{read_blob, read_block};
use super::{audit, tags};
use crate::{SqlStore, Value, values};

fn at(place: &AccountPlace) -> Vec<Value> {
    values![place.tenant, &place.account].into()
}

fn key(place: &AccountPlace, container: &str, name: &str) -> Vec<Value> {
    values![place.tenant, &place.account, container, name].into()
}

fn and<const N: usize>(mut params: Vec<Value>, more: [Value; N]) -> Vec<Value> {
    params.extend(more);
    params
}

#[async_trait]
impl Blobs for SqlStore {
    async fn create_container(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: ContainerRow,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((place, container, record));
        self.write_content("creating a container", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let row = &all.1;
                c.run(
                    "INSERT INTO containers (tenant, account_key, name, etag, modified, metadata)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    &and(
                        at(&all.0),
                        values![&row.name, &row.etag, row.modified, tags::to_json(&row.metadata)],
                    ),
                )
                .await?;
                audit::append(&mut c, &all.2).await
            })
        })
        .await
    }

    async fn container(&self, place: AccountPlace, name: String) -> Result<Option<ContainerRow>, StoreError> {
        self.read("reading a container", move |mut c| {
            let params = and(at(&place), values![&name]);
            Box::pin(async move {
                let sql = "SELECT name, etag, modified, metadata, lease FROM containers
                           WHERE tenant = $1 AND account_key = $2 AND name = $3";
                c.row(sql, &params).await?.as_ref().map(read_container).transpose()
            })
        })
        .await
    }

    async fn containers(
        &self,
        _: &Allowed,
        place: AccountPlace,
        prefix: String,
        from: String,
        limit: u32,
    ) -> Result<Vec<ContainerRow>, StoreError> {
        self.read("listing containers", move |mut c| {
            let from = from.clone().max(prefix.clone());
            let params = and(at(&place), values![from, after_prefix(&prefix), limit]);
            Box::pin(async move {
                let sql = "SELECT name, etag, modified, metadata, lease FROM containers
                           WHERE tenant = $1 AND account_key = $2 AND name >= $3 AND name < $4 ORDER BY name LIMIT $5";
                c.rows(sql, &params).await?.iter().map(read_container).collect()
            })
        })
        .await
    }

    async fn set_container_metadata(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: ContainerRow,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, container, record));
        self.write_content("writing a container's metadata", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let row = &all.1;
                let touched = c
                    .run(
                        "UPDATE containers SET etag = $4, modified = $5, metadata = $6
                         WHERE tenant = $1 AND account_key = $2 AND name = $3",
                        &and(
                            at(&all.0),
                            values![&row.name, &row.etag, row.modified, tags::to_json(&row.metadata)],
                        ),
                    )
                    .await?;
                audit::append(&mut c, &all.2).await?;
                Ok(touched > 0)
            })
        })
        .await
    }

    async fn remove_container(
        &self,
        _: &Allowed,
        place: AccountPlace,
        name: String,
        lease: LeaseKey,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, name, lease, record));
        self.write_content("removing a container", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let params = and(at(&all.0), values![&all.1]);
                leases::opens(&mut c, &params, &all.2).await?;
                let there = c
                    .run("DELETE FROM containers WHERE tenant = $1 AND account_key = $2 AND name = $3", &params)
                    .await?;
                for sql in [
                    "DELETE FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3",
                    "DELETE FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3",
                ] {
                    c.run(sql, &params).await?;
                }
                c.run(
                    "UPDATE objects SET given_up = $4 WHERE tenant = $1 AND account_key = $2 AND container = $3
                       AND given_up IS NULL",
                    &and(params, values![all.2.at]),
                )
                .await?;
                audit::append(&mut c, &all.3).await?;
                Ok(there > 0)
            })
        })
        .await
    }

    async fn blob_head(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
    ) -> Result<Option<BlobRow>, StoreError> {
        self.read("reading a blob", move |mut c| {
            let params = key(&place, &container, &name);
            Box::pin(async move {
                let sql = "SELECT container, name, etag, created, modified, length, properties, metadata, segments, NULL, lease
                           FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
                c.row(sql, &params).await?.as_ref().map(read_blob).transpose()
            })
        })
        .await
    }

    async fn note_blob(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        note: BlobNote,
        lease: LeaseKey,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, container, name, note, lease, record));
        self.write("noting something of a blob", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let there = write::note(&mut c, &key(&all.0, &all.1, &all.2), &all.3, &all.4).await?;
                if there {
                    audit::append(&mut c, &all.5).await?;
                }
                Ok(there)
            })
        })
        .await
    }

    async fn blob(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
    ) -> Result<Option<BlobRow>, StoreError> {
        self.read("reading a blob", move |mut c| {
            let params = key(&place, &container, &name);
            Box::pin(async move {
                let sql = "SELECT container, name, etag, created, modified, length, properties, metadata, segments, content, lease
                           FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
                c.row(sql, &params).await?.as_ref().map(read_blob).transpose()
            })
        })
        .await
    }

    async fn put_blob(
        &self,
        _: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: Expected,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((place, blob, expect, record));
        self.write_content("writing a blob", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                write::put(&mut c, &all.0, &all.1, &all.2).await?;
                audit::append(&mut c, &all.3).await
            })
        })
        .await
    }

    async fn describe_blob(
        &self,
        _: &Allowed,
        place: AccountPlace,
        blob: BlobRow,
        expect: Expected,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((place, blob, expect, record));
        self.write_content("describing a blob", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                write::describe(&mut c, &all.0, &all.1, &all.2).await?;
                audit::append(&mut c, &all.3).await
            })
        })
        .await
    }

    async fn remove_blob(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        expect: Expected,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, container, name, expect, record));
        self.write_content("removing a blob", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let there = write::remove(&mut c, &all.0, &all.1, &all.2, &all.3).await?;
                audit::append(&mut c, &all.4).await?;
                Ok(there)
            })
        })
        .await
    }

    async fn blobs(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        prefix: String,
        from: String,
        limit: u32,
    ) -> Result<Vec<BlobRow>, StoreError> {
        self.read("listing blobs", move |mut c| {
            let from = from.clone().max(prefix.clone());
            let params = and(at(&place), values![&container, from, after_prefix(&prefix), limit]);
            Box::pin(async move {
                let sql = "SELECT container, name, etag, created, modified, length, properties, metadata, '[]', NULL, lease
                           FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name >= $4 AND name < $5
                           ORDER BY name LIMIT $6";
                c.rows(sql, &params).await?.iter().map(read_blob).collect()
            })
        })
        .await
    }

    async fn put_block(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        block: BlockRow,
        lease: LeaseKey,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((place, container, name, block, lease, record));
        self.write_content("keeping a block", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let place = key(&all.0, &all.1, &all.2);
                leases::opens(&mut c, &place, &all.4).await?;
                write::put_block(&mut c, &all.0, (&all.1, place), &all.3, all.4.at).await?;
                audit::append(&mut c, &all.5).await
            })
        })
        .await
    }

    async fn change_lease(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        blob: Option<String>,
        change: LeaseChange,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((place, container, blob, change, record));
        self.write_content("changing a lease", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let mut params = and(at(&all.0), values![&all.1]);
                params.extend(all.2.as_ref().map(Value::from));
                let there = leases::change(&mut c, &params, &all.3).await?;
                if there {
                    audit::append(&mut c, &all.4).await?;
                }
                Ok(there)
            })
        })
        .await
    }

    async fn blocks(
        &self,
        _: &Allowed,
        place: AccountPlace,
        container: String,
        name: String,
        limit: u32,
    ) -> Result<Vec<BlockRow>, StoreError> {
        self.read("reading blocks", move |mut c| {
            let params = and(key(&place, &container, &name), values![limit]);
            Box::pin(async move {
                let sql = "SELECT id, object, length, crc FROM blocks WHERE tenant = $1 AND account_key = $2
                           AND container = $3 AND name = $4 ORDER BY id LIMIT $5";
                c.rows(sql, &params).await?.iter().map(read_block).collect()
            })
        })
        .await
    }

    async fn drop_stale_blocks(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        self.write_content("dropping blocks nobody committed", move |mut c| {
            Box::pin(async move { write::drop_stale(&mut c, before, now).await })
        })
        .await
    }

    async fn given_up(&self, before: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read("reading objects to sweep", move |mut c| {
            Box::pin(async move {
                let sql = "SELECT object FROM objects WHERE given_up < $1 ORDER BY given_up LIMIT $2";
                c.rows(sql, &values![before, limit]).await?.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    async fn unknown_objects(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read("looking for objects nobody knows", move |mut c| {
            let keys = keys.clone();
            Box::pin(async move {
                let mut unknown = Vec::new();
                for key in keys {
                    let sql = "SELECT object FROM objects WHERE object = $1";
                    if c.row(sql, &values![&key]).await?.is_none() {
                        unknown.push(key);
                    }
                }
                Ok(unknown)
            })
        })
        .await
    }

    async fn forget_objects(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let keys = Arc::new(keys);
        self.write_content("forgetting swept objects", move |mut c| {
            let keys = Arc::clone(&keys);
            Box::pin(async move {
                for key in keys.iter() {
                    c.run("DELETE FROM objects WHERE object = $1 AND given_up IS NOT NULL", &values![key])
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }
}
