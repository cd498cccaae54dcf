//! Role assignments.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{Scope, TenantId};
use cs_store::{Assignment, AssignmentFilter, Assignments, AuditRecord, Revision, StoreError};

use super::{
    audit, revision,
    walk::{Walk, walk},
};
use crate::{Conn, Row, SqlStore, values};

macro_rules! select_assignments {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, name, scope, role, principal, principal_type, condition_text, condition_version, ",
            "description, created, updated, created_by, updated_by, deleted, revision FROM assignments ",
            $rest
        )
    };
}

pub(super) const LIST: Walk = Walk {
    at: select_assignments!(
        "WHERE tenant = $1 AND scope_key = $2 AND name_key > $3 AND deleted = 0 ORDER BY name_key LIMIT $4"
    ),
    below: select_assignments!(
        "WHERE tenant = $1 AND (scope_key, name_key) > ($2, $3) AND scope_key < $4 AND deleted = 0
         ORDER BY scope_key, name_key LIMIT $5"
    ),
};

/// Rows read at once where few of them may be wanted.
const STEP: u32 = 1000;

fn is_wanted(filter: &AssignmentFilter, assignment: &Assignment) -> bool {
    filter.principals.as_ref().is_none_or(|wanted| wanted.contains(&assignment.principal))
}

fn read(row: &Row) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        tenant: row.id(0)?,
        name: row.string(1)?,
        scope: row.scope(2)?,
        role: row.string(3)?,
        principal: row.id(4)?,
        principal_type: row.string(5)?,
        condition: row.optional(6, Row::string)?,
        condition_version: row.optional(7, Row::string)?,
        description: row.optional(8, Row::string)?,
        created: row.time(9)?,
        updated: row.time(10)?,
        created_by: row.optional(11, Row::id)?,
        updated_by: row.optional(12, Row::id)?,
        deleted: row.flag(13)?,
        revision: row.int(14)?,
    })
}

async fn find(
    c: &mut Conn<'_>,
    tenant: TenantId,
    scope: &Scope,
    name: &str,
) -> Result<Option<Assignment>, StoreError> {
    let sql = select_assignments!("WHERE tenant = $1 AND scope_key = $2 AND name_key = $3 AND deleted = 0");
    c.row(sql, &values![tenant, scope.key(), name.to_ascii_lowercase()]).await?.as_ref().map(read).transpose()
}

#[async_trait]
impl Assignments for SqlStore {
    async fn assignment(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
    ) -> Result<Option<Assignment>, StoreError> {
        self.read("reading a role assignment", move |mut c| {
            let (scope, name) = (scope.clone(), name.clone());
            Box::pin(async move { find(&mut c, tenant, &scope, &name).await })
        })
        .await
    }

    async fn assignments(
        &self,
        tenant: TenantId,
        filter: AssignmentFilter,
    ) -> Result<Vec<Assignment>, StoreError> {
        self.read("listing role assignments", move |mut c| {
            let filter = filter.clone();
            Box::pin(async move {
                let wanted = filter.part.limit as usize;
                let mut part = filter.part.clone();
                if filter.principals.is_some() {
                    // Of those that are wanted there may be few in many: small steps would be many statements.
                    part.limit = part.limit.max(STEP);
                }
                let mut found = Vec::new();
                loop {
                    let rows = walk(&mut c, tenant, (&filter.scope, filter.below), &part, &LIST).await?;
                    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                    let next =
                        rows.last().filter(|_| rows.len() >= part.limit as usize).map(Assignment::place);
                    found.extend(rows.into_iter().filter(|a| is_wanted(&filter, a)));
                    if next.is_none() || found.len() >= wanted {
                        found.truncate(wanted);
                        return Ok(found);
                    }
                    part.after = next;
                }
            })
        })
        .await
    }

    async fn count_assignments(&self, tenant: TenantId, scope: Scope) -> Result<u64, StoreError> {
        self.read("counting role assignments", move |mut c| {
            let scope = scope.clone();
            Box::pin(async move {
                let (from, to) = below_range(scope.key());
                let sql = "SELECT COUNT(*) FROM assignments WHERE tenant = $1 AND deleted = 0
                           AND (scope_key = $2 OR (scope_key >= $3 AND scope_key < $4))";
                let row = c.row(sql, &values![tenant, scope.key(), from, to]).await?;
                Ok(row.map_or(Ok(0), |r| r.int(0))?.unsigned_abs())
            })
        })
        .await
    }

    async fn assignments_since(
        &self,
        tenant: TenantId,
        since: Revision,
    ) -> Result<(Vec<Assignment>, Revision), StoreError> {
        self.read("reading changed role assignments", move |mut c| {
            Box::pin(async move {
                // The counter first: what commits in between is then seen twice, never missed.
                let upto = revision::current(&mut c, tenant).await?;
                let sql = select_assignments!("WHERE tenant = $1 AND revision > $2 ORDER BY revision");
                let changed = c.rows(sql, &values![tenant, since]).await?;
                Ok((changed.iter().map(read).collect::<Result<_, _>>()?, upto))
            })
        })
        .await
    }

    async fn put_assignment(
        &self,
        assignment: Assignment,
        record: AuditRecord,
    ) -> Result<(Assignment, bool), StoreError> {
        let all = Arc::new((assignment, record));
        self.write("writing a role assignment", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let outcome = put(&mut c, &all.0).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(outcome)
            })
        })
        .await
    }

    async fn remove_assignment(
        &self,
        tenant: TenantId,
        scope: Scope,
        name: String,
        record: AuditRecord,
    ) -> Result<Option<Assignment>, StoreError> {
        let all = Arc::new((scope, name, record));
        self.write("removing a role assignment", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let Some(mut found) = find(&mut c, tenant, &all.0, &all.1).await? else { return Ok(None) };
                found.revision = revision::raise(&mut c, tenant).await?;
                found.deleted = true;
                c.run(
                    "UPDATE assignments SET deleted = 1, revision = $4
                     WHERE tenant = $1 AND scope_key = $2 AND name_key = $3",
                    &values![tenant, all.0.key(), all.1.to_ascii_lowercase(), found.revision],
                )
                .await?;
                audit::append(&mut c, &all.2).await?;
                Ok(Some(found))
            })
        })
        .await
    }
}

pub(super) async fn put(c: &mut Conn<'_>, a: &Assignment) -> Result<(Assignment, bool), StoreError> {
    let live = "SELECT object FROM principals WHERE tenant = $1 AND object = $2 AND deleted = 0";
    if c.row(live, &values![a.tenant, a.principal]).await?.is_none() {
        return Err(StoreError::Missing("principal".to_owned()));
    }
    let named = select_assignments!("WHERE tenant = $1 AND name_key = $2 AND deleted = 0");
    let known = c.row(named, &values![a.tenant, a.name.to_ascii_lowercase()]).await?;
    let known = known.as_ref().map(read).transpose()?;
    if known.as_ref().is_some_and(|k| k.role != a.role || k.principal != a.principal || k.scope != a.scope) {
        return Err(StoreError::Conflict(format!("role assignment {}", a.name)));
    }
    // Clients choose the GUID, and whoever decides finds an assignment by it alone: a second one of the same name at
    // another scope would push the first out.
    let elsewhere = "SELECT name FROM assignments WHERE tenant = $1 AND name_key = $2 AND scope_key <> $3 AND deleted = 0";
    if c.row(elsewhere, &values![a.tenant, a.name.to_lowercase(), a.scope.key()]).await?.is_some() {
        return Err(StoreError::Conflict(format!("role assignment {}", a.name)));
    }
    let twin = select_assignments!(
        "WHERE tenant = $1 AND scope_key = $2 AND role = $3 AND principal = $4 AND deleted = 0"
    );
    let twin = c.row(twin, &values![a.tenant, a.scope.key(), &a.role, a.principal]).await?;
    if let Some(twin) = twin.as_ref().map(read).transpose()? {
        if !twin.name.eq_ignore_ascii_case(&a.name) {
            return Err(StoreError::Exists(twin.name));
        }
    }
    let mut stored = a.clone();
    stored.deleted = false;
    stored.revision = revision::raise(c, a.tenant).await?;
    if let Some(known) = &known {
        stored.created = known.created;
        stored.created_by = known.created_by;
        stored.name.clone_from(&known.name);
    }
    c.run(
        "INSERT INTO assignments (tenant, scope_key, name_key, name, scope, role, principal, principal_type,
           condition_text, condition_version, description, created, updated, created_by, updated_by, deleted, revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, $16)
         ON CONFLICT (tenant, name_key) DO UPDATE SET name = excluded.name, scope = excluded.scope,
           scope_key = excluded.scope_key,
           role = excluded.role, principal = excluded.principal, principal_type = excluded.principal_type,
           condition_text = excluded.condition_text, condition_version = excluded.condition_version,
           description = excluded.description, created = excluded.created, updated = excluded.updated,
           created_by = excluded.created_by, updated_by = excluded.updated_by, deleted = 0,
           revision = excluded.revision",
        &values![
            stored.tenant, stored.scope.key(), stored.name.to_ascii_lowercase(), &stored.name, stored.scope.as_str(),
            &stored.role, stored.principal, &stored.principal_type, stored.condition.clone(),
            stored.condition_version.clone(), stored.description.clone(), stored.created, stored.updated,
            stored.created_by, stored.updated_by, stored.revision
        ],
    )
    .await?;
    Ok((stored, known.is_none()))
}

/// The scope one segment pair up, by text: `/subscriptions/s/resourcegroups/g` → `/subscriptions/s` → `/`.
/// Segments in between that are no scope hold no assignments, so every cut is tried.
pub(super) fn parent_key(key: &str) -> Option<String> {
    if key == "/" {
        return None;
    }
    let cut = key.rfind('/')?;
    Some(if cut == 0 { "/".to_owned() } else { key[..cut].to_owned() })
}

/// The half-open range of keys below a scope: `0` is the character after `/`.
pub(super) fn below_range(key: &str) -> (String, String) {
    let base = if key == "/" { "" } else { key };
    let from = if key == "/" { "/!".to_owned() } else { format!("{base}/") };
    (from, format!("{base}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_parents() {
        assert_eq!(below_range("/a/b"), ("/a/b/".to_owned(), "/a/b0".to_owned()));
        assert_eq!(parent_key("/a/b").as_deref(), Some("/a"));
        assert_eq!(parent_key("/a").as_deref(), Some("/"));
        assert_eq!(parent_key("/"), None);
    }
}
