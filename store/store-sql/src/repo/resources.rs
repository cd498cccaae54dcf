//! Subscriptions, resource groups, resources, host names.

use std::sync::Arc;

use async_trait::async_trait;
use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_store::{
    AuditRecord, DeletedFilter, Expect, HostKind, HostOwner, Resource, ResourceFilter, ResourceWrite,
    Resources, StoreError, Subscription, TagUse,
};
use cs_time::Timestamp;
use serde_json::Value;

use super::{audit, cascade, directory, listing, moving, tags};
use crate::{Conn, Row, SqlStore, values};

const MACHINES: &str = "Microsoft.HybridCompute/machines";

/// What [`read`] reads of `r`.
macro_rules! resource_columns {
    () => {
        "r.tenant, r.id, r.kind, r.location, r.tags, r.extra, r.properties, r.created, r.updated, r.created_by, \
         r.updated_by, r.deleted, r.generation"
    };
}
pub(super) use resource_columns;

macro_rules! select_resources {
    ($rest:literal) => {
        concat!("SELECT ", resource_columns!(), " FROM resources r ", $rest)
    };
}
pub(super) use select_resources;

/// An empty id is no machine's: the index has none.
const CALLED: &str = select_resources!(
    "WHERE r.tenant = $1 AND r.vm_key = $2 AND r.vm_key <> '' AND r.deleted IS NULL ORDER BY r.id_key"
);

pub(super) fn read(row: &Row) -> Result<Resource, StoreError> {
    Ok(Resource {
        tenant: row.id(0)?,
        id: row.resource_id(1)?,
        kind: row.string(2)?,
        location: row.string(3)?,
        tags: tags::from_json(&row.json(4)?),
        extra: row.json(5)?,
        properties: row.json(6)?,
        created: row.time(7)?,
        updated: row.time(8)?,
        created_by: row.string(9)?,
        updated_by: row.string(10)?,
        deleted: row.optional(11, Row::time)?,
        generation: row.int(12)?,
    })
}

fn read_subscription(row: &Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        id: row.id(0)?,
        tenant: row.id(1)?,
        display_name: row.string(2)?,
        tags: tags::from_json(&row.json(3)?),
        created: row.time(4)?,
    })
}

pub(super) async fn find(
    c: &mut Conn<'_>,
    tenant: TenantId,
    id: &ResourceId,
) -> Result<Option<Resource>, StoreError> {
    let sql = select_resources!("WHERE r.tenant = $1 AND r.id_key = $2");
    c.row(sql, &values![tenant, id.key()]).await?.as_ref().map(read).transpose()
}

pub(super) async fn insert_subscription(c: &mut Conn<'_>, s: &Subscription) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO subscriptions (id, tenant, display_name, tags, created) VALUES ($1, $2, $3, $4, $5)",
        &values![s.id, s.tenant, &s.display_name, tags::to_json(&s.tags), s.created],
    )
    .await
    .map(drop)
}

#[async_trait]
impl Resources for SqlStore {
    fn changes(&self) -> u64 {
        self.changes.so_far()
    }

    fn is_alone(&self) -> bool {
        self.has_one_writer()
    }

    async fn subscriptions(&self, tenant: TenantId) -> Result<Vec<Subscription>, StoreError> {
        self.read("listing subscriptions", move |mut c| {
            Box::pin(async move {
                let sql = "SELECT id, tenant, display_name, tags, created FROM subscriptions WHERE tenant = $1 ORDER BY id";
                c.rows(sql, &values![tenant]).await?.iter().map(read_subscription).collect()
            })
        })
        .await
    }

    async fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        self.read("reading a subscription", move |mut c| {
            Box::pin(async move {
                let sql = "SELECT id, tenant, display_name, tags, created FROM subscriptions WHERE id = $1";
                c.row(sql, &values![id]).await?.as_ref().map(read_subscription).transpose()
            })
        })
        .await
    }

    async fn add_subscription(
        &self,
        subscription: Subscription,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((subscription, record));
        self.write("creating a subscription", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                insert_subscription(&mut c, &all.0).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn set_subscription_tags(
        &self,
        tenant: TenantId,
        id: SubscriptionId,
        new: Vec<(String, String)>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((new, record));
        self.write("tagging a subscription", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let touched = c
                    .run(
                        "UPDATE subscriptions SET tags = $3 WHERE tenant = $1 AND id = $2",
                        &values![tenant, id, tags::to_json(&all.0)],
                    )
                    .await?;
                if touched == 0 {
                    return Err(StoreError::Missing("subscription".to_owned()));
                }
                tags::index(&mut c, tenant, &ResourceId::of_subscription(id), &all.0).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn resource(&self, tenant: TenantId, id: ResourceId) -> Result<Option<Resource>, StoreError> {
        self.read("reading a resource", move |mut c| {
            let id = id.clone();
            Box::pin(async move { Ok(find(&mut c, tenant, &id).await?.filter(|r| r.deleted.is_none())) })
        })
        .await
    }

    async fn resources(&self, tenant: TenantId, filter: ResourceFilter) -> Result<Vec<Resource>, StoreError> {
        self.read("listing resources", move |mut c| {
            let filter = filter.clone();
            Box::pin(async move { listing::list(&mut c, tenant, &filter).await })
        })
        .await
    }

    async fn put_resource(&self, write: ResourceWrite, record: AuditRecord) -> Result<Resource, StoreError> {
        let all = Arc::new((write, record));
        self.write("writing a resource", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let stored = put(&mut c, &all.0).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(stored)
            })
        })
        .await
    }

    async fn remove_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((id, record));
        self.write("removing a resource", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                if find(&mut c, tenant, &all.0).await?.is_none() {
                    return Ok(false);
                }
                cascade::remove(&mut c, tenant, all.0.key()).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn move_resources(
        &self,
        tenant: TenantId,
        moves: Vec<(ResourceId, ResourceId)>,
        record: AuditRecord,
    ) -> Result<(), StoreError> {
        let all = Arc::new((moves, record));
        self.write("moving resources", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                moving::all(&mut c, tenant, &all.0).await?;
                audit::append(&mut c, &all.1).await
            })
        })
        .await
    }

    async fn soft_delete_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        at: Timestamp,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((id, record));
        self.write("deleting a resource", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let touched = c
                    .run(
                        "UPDATE resources SET deleted = $3, generation = generation + 1
                         WHERE tenant = $1 AND id_key = $2 AND deleted IS NULL",
                        &values![tenant, all.0.key(), at],
                    )
                    .await?;
                tags::index(&mut c, tenant, &all.0, &[]).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(touched > 0)
            })
        })
        .await
    }

    async fn recover_resource(
        &self,
        tenant: TenantId,
        id: ResourceId,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((id, record));
        self.write("recovering a resource", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let Some(found) = find(&mut c, tenant, &all.0).await?.filter(|r| r.deleted.is_some()) else {
                    return Ok(false);
                };
                c.run(
                    "UPDATE resources SET deleted = NULL, generation = generation + 1
                     WHERE tenant = $1 AND id_key = $2",
                    &values![tenant, all.0.key()],
                )
                .await?;
                tags::index(&mut c, tenant, &all.0, &found.tags).await?;
                audit::append(&mut c, &all.1).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn deleted_resources(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        filter: DeletedFilter,
    ) -> Result<Vec<Resource>, StoreError> {
        self.read("listing deleted resources", move |mut c| {
            let f = filter.clone();
            Box::pin(async move { listing::deleted(&mut c, tenant, subscription, &f).await })
        })
        .await
    }

    async fn machines_called(&self, tenant: TenantId, vm_id: String) -> Result<Vec<Resource>, StoreError> {
        self.read("looking up the machines of an id", move |mut c| {
            let vm_id = vm_id.clone();
            Box::pin(async move {
                let found = c.rows(CALLED, &values![tenant, vm_id.to_ascii_lowercase()]).await?;
                found.iter().map(read).collect()
            })
        })
        .await
    }

    async fn host_owner(&self, kind: HostKind, label: String) -> Result<Option<HostOwner>, StoreError> {
        self.read("looking up a host name", move |mut c| {
            let label = label.clone();
            Box::pin(async move {
                c.row(
                    "SELECT h.tenant, h.id, h.wrapped_key, r.generation, h.sealed_as FROM host_names h
                     JOIN resources r ON r.tenant = h.tenant AND r.id_key = h.id_key
                     WHERE h.kind = $1 AND h.label = $2 AND r.deleted IS NULL",
                    &values![kind.as_str(), label],
                )
                .await?
                .map(|row| {
                    let id = row.resource_id(1)?;
                    let sealed_as = Some(row.string(4)?).filter(|key| !key.is_empty());
                    Ok(HostOwner {
                        tenant: row.id(0)?,
                        sealed_as: sealed_as.unwrap_or_else(|| id.key().to_owned()),
                        id,
                        wrapped_key: row.bytes(2)?.to_vec(),
                        generation: row.int(3)?,
                    })
                })
                .transpose()
            })
        })
        .await
    }

    async fn host_taken(&self, kind: HostKind, label: String) -> Result<bool, StoreError> {
        self.read("looking up a host name", move |mut c| {
            let label = label.clone();
            Box::pin(async move {
                let sql = "SELECT label FROM host_names WHERE kind = $1 AND label = $2";
                Ok(c.row(sql, &values![kind.as_str(), label]).await?.is_some())
            })
        })
        .await
    }

    async fn tag_uses(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
    ) -> Result<Vec<TagUse>, StoreError> {
        self.read("counting tags", move |mut c| {
            Box::pin(async move { tags::uses(&mut c, tenant, subscription).await })
        })
        .await
    }

    async fn define_tag(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        name: String,
        value: Option<String>,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((name, value, record));
        self.write("defining a tag", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let new = tags::define(&mut c, tenant, subscription, &all.0, all.1.as_deref()).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(new)
            })
        })
        .await
    }

    async fn undefine_tag(
        &self,
        tenant: TenantId,
        subscription: SubscriptionId,
        name: String,
        value: Option<String>,
        record: AuditRecord,
    ) -> Result<bool, StoreError> {
        let all = Arc::new((name, value, record));
        self.write("removing a tag", move |mut c| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let there = tags::undefine(&mut c, tenant, subscription, &all.0, all.1.as_deref()).await?;
                audit::append(&mut c, &all.2).await?;
                Ok(there)
            })
        })
        .await
    }
}

pub(super) async fn put(c: &mut Conn<'_>, write: &ResourceWrite) -> Result<Resource, StoreError> {
    let r = &write.resource;
    let known = find(c, r.tenant, &r.id).await?;
    match (write.expect, &known) {
        (Expect::Absent, Some(_)) => return Err(StoreError::Exists(r.id.to_string())),
        (Expect::Generation(_), None) => return Err(StoreError::Missing(r.id.to_string())),
        (Expect::Generation(g), Some(k)) if k.generation != g => {
            return Err(StoreError::Conflict(r.id.to_string()));
        }
        _ => {}
    }
    if let (Some(group), true) = (r.id.group(), r.id.kind().is_some()) {
        let group = ResourceId::of_group(r.id.subscription(), group);
        for above in [Some(group), r.id.parent()].into_iter().flatten() {
            if find(c, r.tenant, &above).await?.is_none_or(|found| found.deleted.is_some()) {
                return Err(StoreError::Missing(above.to_string()));
            }
        }
    }
    let mut stored = r.clone();
    stored.generation = known.as_ref().map_or(1, |k| k.generation + 1);
    if let Some(known) = known {
        // The names stay as first written.
        stored.id = known.id;
        stored.created = known.created;
        stored.created_by = known.created_by;
    }
    upsert(c, &stored).await?;
    tags::index(c, stored.tenant, &stored.id, &stored.tags).await?;
    if let Some((kind, label, wrapped_key)) = &write.host {
        c.run(
            "INSERT INTO host_names (kind, label, tenant, id, id_key, wrapped_key) VALUES ($1, $2, $3, $4, $5, $6)",
            &values![kind.as_str(), label, stored.tenant, stored.id.as_str(), stored.id.key(), wrapped_key],
        )
        .await?;
    }
    if let Some(new) = &write.principal {
        directory::insert(c, &new.principal, &new.credentials).await?;
    }
    Ok(stored)
}

async fn upsert(c: &mut Conn<'_>, r: &Resource) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO resources (tenant, id_key, id, subscription, group_key, kind_key, kind, name_key, location, tags,
           extra, properties, created, updated, created_by, updated_by, deleted, generation, vm_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, NULL, $17, $18)
         ON CONFLICT (tenant, id_key) DO UPDATE SET location = excluded.location, tags = excluded.tags,
           extra = excluded.extra, properties = excluded.properties, updated = excluded.updated,
           updated_by = excluded.updated_by, generation = excluded.generation, vm_key = excluded.vm_key",
        &values![
            r.tenant, r.id.key(), r.id.as_str(), r.id.subscription(), r.id.group().unwrap_or_default().to_ascii_lowercase(),
            r.kind.to_ascii_lowercase(), &r.kind, r.id.name().to_ascii_lowercase(), &r.location, tags::to_json(&r.tags),
            r.extra.to_string(), r.properties.to_string(), r.created, r.updated, &r.created_by, &r.updated_by,
            r.generation, vm_key(r)
        ],
    )
    .await
    .map(drop)
}

/// What a machine is looked up by when it has itself attested.
fn vm_key(r: &Resource) -> String {
    if !r.kind.eq_ignore_ascii_case(MACHINES) {
        return String::new();
    }
    r.properties.get("vmId").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::planned::plan;

    #[tokio::test]
    async fn machines_of_an_id_are_led_by_an_index() {
        let plan = plan(CALLED).await;
        assert!(plan.contains("resources_vm (tenant=? AND vm_key=?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
