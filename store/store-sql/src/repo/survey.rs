//! Walks over all rows of a kind, in the order of their keys.

use async_trait::async_trait;
use cs_store::{BlobRow, BlockRow, HostKind, Mark, SealedSecret, StoreError, Survey, WrappedKey};

use super::blobs::{read_blob, read_block};
use crate::{Row, SqlStore, Value};

impl SqlStore {
    /// `sql` compares a key of `columns` columns, which begin at `key_at`, with `$1 …`, and takes its limit last.
    async fn page<T: Send + 'static>(
        &self,
        sql: &'static str,
        (key_at, columns): (usize, usize),
        (after, limit): (Mark, u32),
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, Mark), StoreError> {
        let mut params: Vec<Value> = after.into_iter().map(Value::Text).collect();
        // Nothing sorts before the empty text, and no key begins with one.
        params.resize(columns, Value::Text(String::new()));
        params.push(limit.into());
        self.read("going through all rows", move |mut c| {
            let params = params.clone();
            Box::pin(async move {
                let rows = c.rows(sql, &params).await?;
                let key = |row: &Row| (key_at..key_at + columns).map(|i| row.string(i)).collect();
                let mark = rows.last().map(key).transpose()?.unwrap_or_default();
                Ok((rows.iter().map(read).collect::<Result<_, _>>()?, mark))
            })
        })
        .await
    }
}

#[async_trait]
impl Survey for SqlStore {
    async fn all_blobs(&self, after: Mark, limit: u32) -> Result<(Vec<BlobRow>, Mark), StoreError> {
        let sql = "SELECT container, name, etag, created, modified, length, properties, metadata, segments, content, lease,
                     tenant, account_key, container, name
                   FROM blobs WHERE (tenant, account_key, container, name) > ($1, $2, $3, $4)
                   ORDER BY tenant, account_key, container, name LIMIT $5";
        self.page(sql, (11, 4), (after, limit), read_blob).await
    }

    async fn all_blocks(&self, after: Mark, limit: u32) -> Result<(Vec<BlockRow>, Mark), StoreError> {
        let sql = "SELECT id, object, length, crc, tenant, account_key, container, name, id
                   FROM blocks WHERE (tenant, account_key, container, name, id) > ($1, $2, $3, $4, $5)
                   ORDER BY tenant, account_key, container, name, id LIMIT $6";
        self.page(sql, (4, 5), (after, limit), read_block).await
    }

    async fn all_secrets(&self, after: Mark, limit: u32) -> Result<(Vec<SealedSecret>, Mark), StoreError> {
        let sql = "SELECT tenant, vault_key, name_key, version, sealed
                   FROM secret_versions WHERE (tenant, vault_key, name_key, version) > ($1, $2, $3, $4)
                   ORDER BY tenant, vault_key, name_key, version LIMIT $5";
        self.page(sql, (0, 4), (after, limit), |row| {
            Ok(SealedSecret {
                tenant: row.id(0)?,
                vault: row.string(1)?,
                name: row.string(2)?,
                version: row.string(3)?,
                sealed: row.bytes(4)?.to_vec(),
            })
        })
        .await
    }

    async fn all_data_keys(&self, after: Mark, limit: u32) -> Result<(Vec<WrappedKey>, Mark), StoreError> {
        let sql = "SELECT tenant, id_key, wrapped_key, kind, label, sealed_as
                   FROM host_names WHERE (kind, label) > ($1, $2) ORDER BY kind, label LIMIT $3";
        self.page(sql, (3, 2), (after, limit), |row| {
            let (resource, sealed_as) = (row.string(1)?, row.string(5)?);
            let sealed_as = if sealed_as.is_empty() { resource.clone() } else { sealed_as };
            Ok(WrappedKey {
                tenant: row.id(0)?,
                resource,
                sealed_as,
                kind: row.word(3, HostKind::parse)?,
                label: row.string(4)?,
                wrapped: row.bytes(2)?.to_vec(),
            })
        })
        .await
    }
}
