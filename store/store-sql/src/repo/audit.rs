//! The audit log.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_store::{AuditLog, AuditOutcome, AuditQuery, AuditRecord, StoreError};
use cs_time::Timestamp;

use crate::{Conn, Row, SqlStore, values};

/// Appends one record in the running transaction: every write of a repository calls this.
pub(super) async fn append(c: &mut Conn<'_>, r: &AuditRecord) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO audit (tenant, time, correlation, caller, client, action, scope, outcome, because)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &values![
            r.tenant,
            r.time,
            r.correlation,
            r.caller,
            r.client,
            &r.action,
            &r.scope,
            r.outcome.as_str(),
            &r.because
        ],
    )
    .await
    .map(drop)
}

fn read(row: &Row) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        tenant: row.id(0)?,
        time: row.time(1)?,
        correlation: row.id(2)?,
        caller: row.optional(3, Row::id)?,
        client: row.optional(4, Row::id)?,
        action: row.string(5)?,
        scope: row.string(6)?,
        outcome: row.word(7, AuditOutcome::parse)?,
        because: row.string(8)?,
    })
}

macro_rules! select_records {
    ($correlation:literal) => {
        concat!(
            "SELECT tenant, time, correlation, caller, client, action, scope, outcome, because, seq FROM audit ",
            "WHERE tenant = $1 AND ",
            $correlation,
            " AND ($3 = '' OR caller = $3) AND time >= $4 AND time <= $5 AND ($6 = '' OR LOWER(scope) LIKE $6) ",
            "AND ($7 = 0 OR action NOT LIKE '%/read') AND seq < $8 ORDER BY seq DESC LIMIT $9"
        )
    };
}

const ALL: &str = select_records!("$2 = ''");
const BY_CORRELATION: &str = select_records!("correlation = $2");

#[async_trait]
impl AuditLog for SqlStore {
    async fn append(&self, records: Vec<AuditRecord>) -> Result<(), StoreError> {
        let records = Arc::new(records);
        self.write_content("recording the audit", move |mut c| {
            let records = Arc::clone(&records);
            Box::pin(async move {
                for record in records.iter() {
                    append(&mut c, record).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn numbered(
        &self,
        tenant: TenantId,
        query: AuditQuery,
    ) -> Result<Vec<(i64, AuditRecord)>, StoreError> {
        self.read("reading the audit", move |mut c| {
            let query = query.clone();
            Box::pin(async move {
                // One statement for each index that can lead.
                let sql = if query.correlation.is_some() { BY_CORRELATION } else { ALL };
                c.rows(
                    sql,
                    &values![
                        tenant,
                        query.correlation.map(|x| x.to_string()).unwrap_or_default(),
                        query.caller.map(|x| x.to_string()).unwrap_or_default(),
                        query.from.map_or(i64::MIN, Timestamp::micros),
                        query.until.map_or(i64::MAX, Timestamp::micros),
                        query.below.as_deref().map(begins_with).unwrap_or_default(),
                        query.changes,
                        query.before.unwrap_or(i64::MAX),
                        query.limit
                    ],
                )
                .await?
                .iter()
                .map(|row| Ok((row.int(9)?, read(row)?)))
                .collect()
            })
        })
        .await
    }
}

/// A pattern for what begins so, and a little more: wildcards in the text stay, and it ends where ASCII does, because the
/// two engines differ in what is a capital beyond it.
fn begins_with(text: &str) -> String {
    let plain = text.split(|c: char| !c.is_ascii()).next().unwrap_or_default();
    format!("{plain}%")
}
