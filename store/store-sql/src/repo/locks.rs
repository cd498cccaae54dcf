//! Locks.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{Scope, TenantId};
use cs_store::{AuditRecord, Lock, LockLevel, Locks, Part, StoreError};

use super::{
    audit,
    walk::{Walk, walk},
};
use crate::{Row, SqlStore, values};

macro_rules! select_locks {
    ($rest:literal) => {
        concat!("SELECT tenant, scope, name, level, notes, owners FROM locks ", $rest)
    };
}

pub(super) const LIST: Walk = Walk {
    at: select_locks!("WHERE tenant = $1 AND scope_key = $2 AND name_key > $3 ORDER BY name_key LIMIT $4"),
    below: select_locks!(
        "WHERE tenant = $1 AND (scope_key, name_key) > ($2, $3) AND scope_key < $4
         ORDER BY scope_key, name_key LIMIT $5"
    ),
};

fn read(row: &Row) -> Result<Lock, StoreError> {
    Ok(Lock {
        tenant: row.id(0)?,
        scope: row.scope(1)?,
        name: row.string(2)?,
        level: row.word(3, LockLevel::parse)?,
        notes: row.optional(4, Row::string)?,
        owners: row.json(5)?,
    })
}

#[async_trait]
impl Locks for SqlStore {
    async fn locks(
        &self,
        tenant: TenantId,
        scope: Scope,
        below: bool,
        part: Part,
    ) -> Result<Vec<Lock>, StoreError> {
        self.read("reading locks", move |mut c| {
            let (scope, part) = (scope.clone(), part.clone());
            Box::pin(async move {
                walk(&mut c, tenant, (&scope, below), &part, &LIST).await?.iter().map(read).collect()
            })
        })
        .await
    }

    async fn put_lock(&self, lock: Lock, record: AuditRecord) -> Result<bool, StoreError> {
        let all = Arc::new((lock, record));
        self.write("writing a lock", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let lock = &all.0;
                let key = lock.name.to_lowercase();
                let sql = "SELECT name FROM locks WHERE tenant = $1 AND scope_key = $2 AND name_key = $3";
                let known = c.row(sql, &values![lock.tenant, lock.scope.key(), &key]).await?;
                c.run(
                    "INSERT INTO locks (tenant, scope_key, name_key, scope, name, level, notes, owners)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                     ON CONFLICT (tenant, scope_key, name_key) DO UPDATE SET level = excluded.level,
                       notes = excluded.notes, owners = excluded.owners",
                    &values![
                        lock.tenant,
                        lock.scope.key(),
                        key,
                        lock.scope.as_str(),
                        &lock.name,
                        lock.level.as_str(),
                        lock.notes.clone(),
                        lock.owners.to_string()
                    ],
                )
                .await?;
                audit::append(&mut c, &all.1).await?;
                Ok(known.is_none())
            })
        })
        .await
    }

    async fn remove_lock(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((scope, name, record));
        self.write("removing a lock", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let sql = "DELETE FROM locks WHERE tenant = $1 AND scope_key = $2 AND name_key = $3";
                let touched = c.run(sql, &values![tenant, all.0.key(), all.1.to_lowercase()]).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(touched > 0)
            })
        })
        .await
    }
}
