//! Tenants, settings, signing keys.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_store::{Planting, SigningKeyRow, Site, StoreError, Tenant};
use cs_time::Timestamp;

use super::planting;
use crate::{Row, SqlStore, values};

#[async_trait]
impl Site for SqlStore {
    async fn plant(&self, planting: Planting) -> Result<(), StoreError> {
        let planting = Arc::new(planting);
        self.write("the first start of the site", move |mut c| {
            let planting = Arc::clone(&planting);
            Box::pin(async move { planting::plant(&mut c, &planting).await })
        })
        .await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.read("listing tenants", |mut c| {
            Box::pin(async move {
                c.rows(
                    "SELECT tenant, display_name, domain, wrapped_key, created FROM tenants ORDER BY created",
                    &[],
                )
                .await?
                .iter()
                .map(|row| {
                    Ok(Tenant {
                        id: row.id(0)?,
                        display_name: row.string(1)?,
                        domain: row.string(2)?,
                        wrapped_key: row.bytes(3)?.to_vec(),
                        created: row.time(4)?,
                    })
                })
                .collect()
            })
        })
        .await
    }

    async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        let t = Arc::new(tenant);
        self.write("creating a tenant", move |mut c| {
            let t = Arc::clone(&t);
            Box::pin(async move { planting::tenant(&mut c, &t).await })
        })
        .await
    }

    async fn setting(&self, name: String) -> Result<Option<String>, StoreError> {
        self.read("reading a setting", move |mut c| {
            let name = name.clone();
            Box::pin(async move {
                c.row("SELECT value FROM settings WHERE name = $1", &values![name])
                    .await?
                    .map(|r| r.string(0))
                    .transpose()
            })
        })
        .await
    }

    async fn set_setting(&self, name: String, value: String) -> Result<(), StoreError> {
        self.write("writing a setting", move |mut c| {
            let params = values![&name, &value];
            Box::pin(async move {
                c.run(
                    "INSERT INTO settings (name, value) VALUES ($1, $2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    &params,
                )
                .await
                .map(drop)
            })
        })
        .await
    }

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKeyRow>, StoreError> {
        self.read("reading signing keys", move |mut c| {
            Box::pin(async move {
                c.rows(
                    "SELECT tenant, kid, sealed_key, certificate, signs_from, retired, created
                     FROM signing_keys WHERE tenant = $1 ORDER BY signs_from, kid",
                    &values![tenant],
                )
                .await?
                .iter()
                .map(|row| {
                    Ok(SigningKeyRow {
                        tenant: row.id(0)?,
                        kid: row.string(1)?,
                        sealed_key: row.bytes(2)?.to_vec(),
                        certificate: row.bytes(3)?.to_vec(),
                        signs_from: row.time(4)?,
                        retired: row.optional(5, Row::time)?,
                        created: row.time(6)?,
                    })
                })
                .collect()
            })
        })
        .await
    }

    async fn add_signing_key(&self, key: SigningKeyRow) -> Result<(), StoreError> {
        let k = Arc::new(key);
        self.write("storing a signing key", move |mut c| {
            let k = Arc::clone(&k);
            Box::pin(async move {
                c.run(
                    "INSERT INTO signing_keys (tenant, kid, sealed_key, certificate, signs_from, retired, created)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    &values![k.tenant, &k.kid, &k.sealed_key, &k.certificate, k.signs_from, k.retired, k.created],
                )
                .await
                .map(drop)
            })
        })
        .await
    }

    async fn retire_signing_key(
        &self,
        tenant: TenantId,
        kid: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("retiring a signing key", move |mut c| {
            let params = values![tenant, &kid, at];
            Box::pin(async move {
                match c
                    .run("UPDATE signing_keys SET retired = $3 WHERE tenant = $1 AND kid = $2", &params)
                    .await?
                {
                    0 => Err(StoreError::Missing("signing key".to_owned())),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}
