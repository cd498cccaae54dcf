//! Join tokens.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ResourceId, TenantId};
use cs_store::{AuditRecord, JoinToken, JoinTokens, JoinUse, Resource, ResourceWrite, StoreError};
use cs_time::Timestamp;

use super::{audit, resources, tags};
use crate::{Conn, Row, SqlStore, values};

macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, group_id, hash, tags, created, created_by, created_by_client, expires, used, machine, ",
            "machine_key FROM join_tokens ",
            $rest
        )
    };
}

/// A listing never grows past this.
const LIST_MAX: i64 = 1000;

fn read(row: &Row) -> Result<JoinToken, StoreError> {
    let used = row.optional(9, |row, at| {
        Ok(JoinUse { at: row.time(at)?, machine: row.string(10)?, key: row.string(11)? })
    })?;
    Ok(JoinToken {
        tenant: row.id(0)?,
        id: row.string(1)?,
        group: row.resource_id(2)?,
        hash: row.bytes(3)?.to_vec(),
        tags: tags::from_json(&row.json(4)?),
        created: row.time(5)?,
        created_by: row.id(6)?,
        created_by_client: row.id(7)?,
        expires: row.time(8)?,
        used,
    })
}

async fn add(c: &mut Conn<'_>, t: &JoinToken, forget: Timestamp) -> Result<(), StoreError> {
    c.run("DELETE FROM join_tokens WHERE tenant = $1 AND expires < $2", &values![t.tenant, forget]).await?;
    c.run(
        "INSERT INTO join_tokens (tenant, id, group_id, group_key, hash, tags, created, created_by, created_by_client,
           expires)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &values![
            t.tenant,
            &t.id,
            t.group.as_str(),
            t.group.key(),
            &t.hash,
            tags::to_json(&t.tags),
            t.created,
            t.created_by,
            t.created_by_client,
            t.expires
        ],
    )
    .await
    .map(drop)
}

/// INVARIANT: the one statement both asks whether it is unused and uses it, so of two transactions one touches the row.
async fn spend(c: &mut Conn<'_>, tenant: TenantId, id: &str, used: &JoinUse) -> Result<(), StoreError> {
    let touched = c
        .run(
            "UPDATE join_tokens SET used = $3, machine = $4, machine_key = $5
             WHERE tenant = $1 AND id = $2 AND used IS NULL AND expires > $3",
            &values![tenant, id, used.at, &used.machine, &used.key],
        )
        .await?;
    if touched == 1 { Ok(()) } else { Err(StoreError::Conflict(format!("join token {id}"))) }
}

#[async_trait]
impl JoinTokens for SqlStore {
    async fn add_join_token(
        &self,
        token: JoinToken,
        forget: Timestamp,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((token, record));
        self.write_content("adding a join token", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                add(&mut c, &all.0, forget).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn join_token(&self, tenant: TenantId, id: String) -> Result<Option<JoinToken>, StoreError> {
        self.read("reading a join token", move |mut c| {
            let id = id.clone();
            Box::pin(async move {
                let sql = select_tokens!("WHERE tenant = $1 AND id = $2");
                c.row(sql, &values![tenant, id]).await?.as_ref().map(read).transpose()
            })
        })
        .await
    }

    async fn join_tokens(&self, tenant: TenantId, group: ResourceId) -> Result<Vec<JoinToken>, StoreError> {
        self.read("listing join tokens", move |mut c| {
            let group = group.clone();
            Box::pin(async move {
                let sql =
                    select_tokens!("WHERE tenant = $1 AND group_key = $2 ORDER BY created DESC, id LIMIT $3");
                c.rows(sql, &values![tenant, group.key(), LIST_MAX]).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn remove_join_token(
        &self,
        tenant: TenantId,
        group: ResourceId,
        id: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((group, id, record));
        self.write_content("taking a join token back", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let sql = "DELETE FROM join_tokens WHERE tenant = $1 AND group_key = $2 AND id = $3";
                let touched = c.run(sql, &values![tenant, all.0.key(), &all.1]).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(touched > 0)
            })
        })
        .await
    }

    async fn join(
        &self,
        id: String,
        used: JoinUse,
        machine: ResourceWrite,
        record: AuditRecord,
    ) -> Result<Resource, StoreError> {
        let all = Arc::new((id, used, machine, record));
        self.write("joining a machine", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                spend(&mut c, all.2.resource.tenant, &all.0, &all.1).await?;
                let stored = resources::put(&mut c, &all.2).await?;
                audit::append(&mut c, &all.3).await?;
                Ok(stored)
            })
        })
        .await
    }
}
