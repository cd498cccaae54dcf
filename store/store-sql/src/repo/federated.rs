//! Federated credentials.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ClientId, TenantId};
use cs_store::{AuditRecord, FederatedCredential, FederatedCredentials, StoreError};
use serde_json::Value as Json;

use super::audit;
use crate::{Conn, Row, SqlStore, values};

/// More than a client may have.
const LIST_MAX: i64 = 1000;

async fn of_client(
    c: &mut Conn<'_>,
    tenant: TenantId,
    client: ClientId,
) -> Result<Vec<FederatedCredential>, StoreError> {
    let sql = "SELECT tenant, client, id, name, issuer, subject, audiences, description, created
               FROM federated_credentials WHERE tenant = $1 AND client = $2 ORDER BY name_key LIMIT $3";
    c.rows(sql, &values![tenant, client, LIST_MAX]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<FederatedCredential, StoreError> {
    let audiences = row.json(6)?;
    let text = |a: &Json| a.as_str().map(str::to_owned);
    Ok(FederatedCredential {
        tenant: row.id(0)?,
        client: row.id(1)?,
        id: row.string(2)?,
        name: row.string(3)?,
        issuer: row.string(4)?,
        subject: row.string(5)?,
        audiences: audiences.as_array().map(|a| a.iter().filter_map(text).collect()).unwrap_or_default(),
        description: row.optional(7, Row::string)?,
        created: row.time(8)?,
    })
}

async fn put(
    c: &mut Conn<'_>,
    new: &FederatedCredential,
    most: u32,
) -> Result<(FederatedCredential, bool), StoreError> {
    let all = of_client(c, new.tenant, new.client).await?;
    let known = all.iter().find(|f| f.name.eq_ignore_ascii_case(&new.name));
    let twin = all.iter().find(|f| f.issuer == new.issuer && f.subject == new.subject);
    if let Some(twin) = twin.filter(|t| !t.name.eq_ignore_ascii_case(&new.name)) {
        return Err(StoreError::Exists(twin.name.clone()));
    }
    if known.is_none() && all.len() >= most as usize {
        return Err(StoreError::Conflict("the list of federated credentials is full, which".to_owned()));
    }
    let mut stored = new.clone();
    if let Some(known) = known {
        stored.id.clone_from(&known.id);
        stored.name.clone_from(&known.name);
        stored.created = known.created;
    }
    c.run(
        "INSERT INTO federated_credentials (tenant, client, name_key, id, name, issuer, subject, audiences, description,
           created)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant, client, name_key) DO UPDATE SET issuer = excluded.issuer, subject = excluded.subject,
           audiences = excluded.audiences, description = excluded.description",
        &values![
            stored.tenant,
            stored.client,
            stored.name.to_ascii_lowercase(),
            &stored.id,
            &stored.name,
            &stored.issuer,
            &stored.subject,
            Json::from(stored.audiences.clone()).to_string(),
            stored.description.clone(),
            stored.created
        ],
    )
    .await?;
    Ok((stored, known.is_none()))
}

#[async_trait]
impl FederatedCredentials for SqlStore {
    async fn federated(
        &self,
        tenant: TenantId,
        client: ClientId,
    ) -> Result<Vec<FederatedCredential>, StoreError> {
        self.read("reading federated credentials", move |mut c| {
            Box::pin(async move { of_client(&mut c, tenant, client).await })
        })
        .await
    }

    async fn put_federated(
        &self,
        credential: FederatedCredential,
        most: u32,
        record: AuditRecord,
    ) -> Result<(FederatedCredential, bool), StoreError> {
        let all = Arc::new((credential, record));
        self.write("writing a federated credential", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let outcome = put(&mut c, &all.0, most).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(outcome)
            })
        })
        .await
    }

    async fn remove_federated(
        &self,
        tenant: TenantId,
        client: ClientId,
        name: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((name, record));
        self.write("removing a federated credential", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let sql =
                    "DELETE FROM federated_credentials WHERE tenant = $1 AND client = $2 AND name_key = $3";
                let touched = c.run(sql, &values![tenant, client, all.0.to_ascii_lowercase()]).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(touched > 0)
            })
        })
        .await
    }
}
