//! Custom roles and deny assignments.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{Scope, TenantId};
use cs_store::{AccessRules, AuditRecord, DenyRow, Part, Revision, RoleRow, RuleChanges, StoreError};
use serde_json::Value as Json;

use super::{
    audit, revision,
    walk::{Walk, walk},
};
use crate::{Conn, Row, SqlStore, values};

macro_rules! select_roles {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, name, description, permissions, assignable, created, updated, created_by, updated_by, ",
            "deleted FROM role_definitions ",
            $rest
        )
    };
}

macro_rules! select_denies {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, scope, body, created, updated, created_by, updated_by, deleted FROM deny_assignments ",
            $rest
        )
    };
}

pub(super) const DENIES: Walk = Walk {
    at: select_denies!(
        "WHERE tenant = $1 AND scope_key = $2 AND id > $3 AND deleted = 0 ORDER BY id LIMIT $4"
    ),
    below: select_denies!(
        "WHERE tenant = $1 AND (scope_key, id) > ($2, $3) AND scope_key < $4 AND deleted = 0
         ORDER BY scope_key, id LIMIT $5"
    ),
};

/// A listing never grows past this; a tenant may have 5,000 custom roles (rbac.md 10).
const LIST_MAX: i64 = 10_000;

fn role(row: &Row) -> Result<RoleRow, StoreError> {
    let assignable = row.json(5)?;
    let text = |s: &Json| s.as_str().map(str::to_owned);
    Ok(RoleRow {
        tenant: row.id(0)?,
        id: row.string(1)?,
        name: row.string(2)?,
        description: row.string(3)?,
        permissions: row.json(4)?,
        assignable: assignable.as_array().map(|a| a.iter().filter_map(text).collect()).unwrap_or_default(),
        created: row.time(6)?,
        updated: row.time(7)?,
        created_by: row.optional(8, Row::id)?,
        updated_by: row.optional(9, Row::id)?,
        deleted: row.flag(10)?,
    })
}

fn deny(row: &Row) -> Result<DenyRow, StoreError> {
    Ok(DenyRow {
        tenant: row.id(0)?,
        id: row.string(1)?,
        scope: row.scope(2)?,
        body: row.json(3)?,
        created: row.time(4)?,
        updated: row.time(5)?,
        created_by: row.optional(6, Row::id)?,
        updated_by: row.optional(7, Row::id)?,
        deleted: row.flag(8)?,
    })
}

async fn find_role(c: &mut Conn<'_>, tenant: TenantId, id: &str) -> Result<Option<RoleRow>, StoreError> {
    let sql = select_roles!("WHERE tenant = $1 AND id = $2 AND deleted = 0");
    c.row(sql, &values![tenant, id]).await?.as_ref().map(role).transpose()
}

async fn find_deny(c: &mut Conn<'_>, tenant: TenantId, id: &str) -> Result<Option<DenyRow>, StoreError> {
    let sql = select_denies!("WHERE tenant = $1 AND id = $2 AND deleted = 0");
    c.row(sql, &values![tenant, id]).await?.as_ref().map(deny).transpose()
}

async fn put_role(c: &mut Conn<'_>, new: &RoleRow, most: u32) -> Result<RoleRow, StoreError> {
    let known = find_role(c, new.tenant, &new.id).await?;
    let name_key = new.name.to_lowercase();
    let twin =
        "SELECT id FROM role_definitions WHERE tenant = $1 AND name_key = $2 AND id <> $3 AND deleted = 0";
    if c.row(twin, &values![new.tenant, &name_key, &new.id]).await?.is_some() {
        return Err(StoreError::Exists(new.name.clone()));
    }
    let count = "SELECT COUNT(*) FROM role_definitions WHERE tenant = $1 AND deleted = 0";
    let count = c.row(count, &values![new.tenant]).await?.map_or(Ok(0), |row| row.int(0))?;
    if known.is_none() && count >= i64::from(most) {
        return Err(StoreError::Conflict("the list of custom roles is full, which".to_owned()));
    }
    let mut stored = new.clone();
    if let Some(known) = &known {
        stored.created = known.created;
        stored.created_by = known.created_by;
    }
    let revision = revision::raise(c, new.tenant).await?;
    c.run(
        "INSERT INTO role_definitions (tenant, id, name, name_key, description, permissions, assignable, created, updated,
           created_by, updated_by, deleted, revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12)
         ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
           description = excluded.description, permissions = excluded.permissions, assignable = excluded.assignable,
           created = excluded.created, updated = excluded.updated, created_by = excluded.created_by,
           updated_by = excluded.updated_by, deleted = 0, revision = excluded.revision",
        &values![
            stored.tenant,
            &stored.id,
            &stored.name,
            name_key,
            &stored.description,
            stored.permissions.to_string(),
            Json::from(stored.assignable.clone()).to_string(),
            stored.created,
            stored.updated,
            stored.created_by,
            stored.updated_by,
            revision
        ],
    )
    .await?;
    Ok(stored)
}

async fn put_deny(c: &mut Conn<'_>, new: &DenyRow) -> Result<(DenyRow, bool), StoreError> {
    let known = find_deny(c, new.tenant, &new.id).await?;
    if known.as_ref().is_some_and(|k| k.scope != new.scope) {
        return Err(StoreError::Conflict(format!("deny assignment {}", new.id)));
    }
    let mut stored = new.clone();
    if let Some(known) = &known {
        stored.created = known.created;
        stored.created_by = known.created_by;
    }
    let revision = revision::raise(c, new.tenant).await?;
    c.run(
        "INSERT INTO deny_assignments (tenant, id, scope, scope_key, body, created, updated, created_by, updated_by,
           deleted, revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)
         ON CONFLICT (tenant, id) DO UPDATE SET scope = excluded.scope, scope_key = excluded.scope_key,
           body = excluded.body, created = excluded.created, updated = excluded.updated,
           created_by = excluded.created_by, updated_by = excluded.updated_by, deleted = 0,
           revision = excluded.revision",
        &values![
            stored.tenant,
            &stored.id,
            stored.scope.as_str(),
            stored.scope.key(),
            stored.body.to_string(),
            stored.created,
            stored.updated,
            stored.created_by,
            stored.updated_by,
            revision
        ],
    )
    .await?;
    Ok((stored, known.is_none()))
}

#[async_trait]
impl AccessRules for SqlStore {
    async fn role(&self, tenant: TenantId, id: String) -> Result<Option<RoleRow>, StoreError> {
        self.read("reading a role definition", move |mut c| {
            let id = id.clone();
            Box::pin(async move { find_role(&mut c, tenant, &id).await })
        })
        .await
    }

    async fn roles(&self, tenant: TenantId) -> Result<Vec<RoleRow>, StoreError> {
        self.read("listing role definitions", move |mut c| {
            Box::pin(async move {
                let sql = select_roles!("WHERE tenant = $1 AND deleted = 0 ORDER BY name_key LIMIT $2");
                c.rows(sql, &values![tenant, LIST_MAX]).await?.iter().map(role).collect()
            })
        })
        .await
    }

    async fn put_role(&self, role: RoleRow, most: u32, record: AuditRecord) -> Result<RoleRow, StoreError> {
        let all = Arc::new((role, record));
        self.write("writing a role definition", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let stored = put_role(&mut c, &all.0, most).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(stored)
            })
        })
        .await
    }

    async fn remove_role(
        &self,
        tenant: TenantId,
        id: String,
        record: AuditRecord,
    ) -> Result<Option<RoleRow>, StoreError> {
        let all = Arc::new((id, record));
        self.write("removing a role definition", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let Some(found) = find_role(&mut c, tenant, &all.0).await? else { return Ok(None) };
                let held =
                    "SELECT name FROM assignments WHERE tenant = $1 AND role = $2 AND deleted = 0 LIMIT 1";
                if c.row(held, &values![tenant, &all.0]).await?.is_some() {
                    return Err(StoreError::Conflict(format!("role definition {}", all.0)));
                }
                let revision = revision::raise(&mut c, tenant).await?;
                let sql =
                    "UPDATE role_definitions SET deleted = 1, revision = $3 WHERE tenant = $1 AND id = $2";
                c.run(sql, &values![tenant, &all.0, revision]).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(Some(found))
            })
        })
        .await
    }

    async fn deny(&self, tenant: TenantId, scope: Scope, id: String) -> Result<Option<DenyRow>, StoreError> {
        self.read("reading a deny assignment", move |mut c| {
            let (scope, id) = (scope.clone(), id.clone());
            Box::pin(async move { Ok(find_deny(&mut c, tenant, &id).await?.filter(|d| d.scope == scope)) })
        })
        .await
    }

    async fn denies(
        &self,
        tenant: TenantId,
        scope: Scope,
        below: bool,
        part: Part,
    ) -> Result<Vec<DenyRow>, StoreError> {
        self.read("listing deny assignments", move |mut c| {
            let (scope, part) = (scope.clone(), part.clone());
            Box::pin(async move {
                walk(&mut c, tenant, (&scope, below), &part, &DENIES).await?.iter().map(deny).collect()
            })
        })
        .await
    }

    async fn put_deny(&self, deny: DenyRow, record: AuditRecord) -> Result<(DenyRow, bool), StoreError> {
        let all = Arc::new((deny, record));
        self.write("writing a deny assignment", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let outcome = put_deny(&mut c, &all.0).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(outcome)
            })
        })
        .await
    }

    async fn remove_deny(
        &self,
        tenant: TenantId,
        scope: Scope,
        id: String,
        record: AuditRecord,
    ) -> Result<Option<DenyRow>, StoreError> {
        let all = Arc::new((scope, id, record));
        self.write("removing a deny assignment", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let found = find_deny(&mut c, tenant, &all.1).await?.filter(|d| d.scope == all.0);
                let Some(found) = found else { return Ok(None) };
                let revision = revision::raise(&mut c, tenant).await?;
                let sql =
                    "UPDATE deny_assignments SET deleted = 1, revision = $3 WHERE tenant = $1 AND id = $2";
                c.run(sql, &values![tenant, &all.1, revision]).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(Some(found))
            })
        })
        .await
    }

    async fn rules_since(
        &self,
        tenant: TenantId,
        since: Revision,
    ) -> Result<(RuleChanges, Revision), StoreError> {
        self.read("reading changed rules", move |mut c| {
            Box::pin(async move {
                // The counter first: what commits in between is then seen twice, never missed.
                let upto = revision::current(&mut c, tenant).await?;
                let sql = select_roles!("WHERE tenant = $1 AND revision > $2 ORDER BY revision");
                let roles = c.rows(sql, &values![tenant, since]).await?;
                let sql = select_denies!("WHERE tenant = $1 AND revision > $2 ORDER BY revision");
                let denies = c.rows(sql, &values![tenant, since]).await?;
                let changes = RuleChanges {
                    roles: roles.iter().map(role).collect::<Result<_, _>>()?,
                    denies: denies.iter().map(deny).collect::<Result<_, _>>()?,
                };
                Ok((changes, upto))
            })
        })
        .await
    }
}
