//! Members of groups, owners of objects.

use std::sync::Arc;

use cs_ids::{ObjectId, TenantId};
use cs_store::{AuditRecord, LinkKind, Membership, Revision, StoreError};

use super::{audit, revision};
use crate::{Conn, SqlStore, values};

/// A listing of what somebody belongs to never grows past this.
const HOLDERS_MAX: i64 = 10_000;

/// Adds a link in the running transaction.
pub(super) async fn add(
    c: &mut Conn<'_>,
    tenant: TenantId,
    holder: ObjectId,
    kind: LinkKind,
    who: ObjectId,
) -> Result<(), StoreError> {
    let known = "SELECT deleted FROM links WHERE tenant = $1 AND holder = $2 AND kind = $3 AND who = $4";
    let known = c.row(known, &values![tenant, holder, kind.as_str(), who]).await?;
    if known.map(|row| row.flag(0)).transpose()? == Some(false) {
        return Err(StoreError::Exists("link".to_owned()));
    }
    let revision = revision::raise(c, tenant).await?;
    c.run(
        "INSERT INTO links (tenant, holder, kind, who, deleted, revision) VALUES ($1, $2, $3, $4, 0, $5)
         ON CONFLICT (tenant, holder, kind, who) DO UPDATE SET deleted = 0, revision = excluded.revision",
        &values![tenant, holder, kind.as_str(), who, revision],
    )
    .await
    .map(drop)
}

pub(super) async fn link(
    store: &SqlStore,
    tenant: TenantId,
    holder: ObjectId,
    kind: LinkKind,
    who: ObjectId,
    record: AuditRecord,
) -> Result<(), StoreError> {
    let record = Arc::new(record);
    store
        .write("adding a member or owner", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                add(&mut c, tenant, holder, kind, who).await?;
                audit::append(&mut c, &record).await
            })
        })
        .await
}

pub(super) async fn unlink(
    store: &SqlStore,
    tenant: TenantId,
    holder: ObjectId,
    kind: LinkKind,
    who: ObjectId,
    record: AuditRecord,
) -> Result<bool, StoreError> {
    let record = Arc::new(record);
    store
        .write("removing a member or owner", move |mut c| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let revision = revision::raise(&mut c, tenant).await?;
                let touched = c
                    .run(
                        "UPDATE links SET deleted = 1, revision = $5
                         WHERE tenant = $1 AND holder = $2 AND kind = $3 AND who = $4 AND deleted = 0",
                        &values![tenant, holder, kind.as_str(), who, revision],
                    )
                    .await?;
                audit::append(&mut c, &record).await?;
                Ok(touched > 0)
            })
        })
        .await
}

pub(super) async fn linked(
    store: &SqlStore,
    tenant: TenantId,
    holder: ObjectId,
    kind: LinkKind,
    after: Option<ObjectId>,
    limit: u32,
) -> Result<Vec<ObjectId>, StoreError> {
    store
        .read("listing members or owners", move |mut c| {
            Box::pin(async move {
                let after = after.map(|o| o.to_string()).unwrap_or_default();
                let sql = "SELECT who FROM links WHERE tenant = $1 AND holder = $2 AND kind = $3 AND who > $4
                           AND deleted = 0 ORDER BY who LIMIT $5";
                let rows = c.rows(sql, &values![tenant, holder, kind.as_str(), after, limit]).await?;
                rows.iter().map(|row| row.id(0)).collect()
            })
        })
        .await
}

pub(super) async fn holders(
    store: &SqlStore,
    tenant: TenantId,
    who: ObjectId,
    kind: LinkKind,
) -> Result<Vec<ObjectId>, StoreError> {
    store
        .read("listing what somebody belongs to", move |mut c| {
            Box::pin(async move {
                let sql =
                    "SELECT holder FROM links WHERE tenant = $1 AND who = $2 AND kind = $3 AND deleted = 0
                           ORDER BY holder LIMIT $4";
                let rows = c.rows(sql, &values![tenant, who, kind.as_str(), HOLDERS_MAX]).await?;
                rows.iter().map(|row| row.id(0)).collect()
            })
        })
        .await
}

pub(super) async fn since(
    store: &SqlStore,
    tenant: TenantId,
    since: Revision,
) -> Result<(Vec<Membership>, Revision), StoreError> {
    store
        .read("reading changed memberships", move |mut c| {
            Box::pin(async move {
                // The counter first: what commits in between is then seen twice, never missed.
                let upto = revision::current(&mut c, tenant).await?;
                let sql = "SELECT holder, who, deleted FROM links
                           WHERE tenant = $1 AND revision > $2 AND kind = $3 ORDER BY revision";
                let rows = c.rows(sql, &values![tenant, since, LinkKind::Member.as_str()]).await?;
                let changed = rows.iter().map(|row| {
                    Ok(Membership { group: row.id(0)?, member: row.id(1)?, deleted: row.flag(2)? })
                });
                Ok((changed.collect::<Result<_, StoreError>>()?, upto))
            })
        })
        .await
}
