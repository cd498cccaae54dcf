//! Listing resources: one statement for each index that can lead, so that a page costs what it shows, however many
//! resources lie beside.

use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_store::{DeletedFilter, Resource, ResourceFilter, StoreError};

use super::{
    assignments::below_range,
    resources::{read, resource_columns, select_resources},
};
use crate::{Conn, Value, values};

/// The resources `$3 < id < $4` of subscription `$2`, with what no index leads by; `$8` and on are the statement's own.
macro_rules! listing {
    ($from:literal, $id:literal, $own:literal) => {
        concat!(
            "SELECT ",
            resource_columns!(),
            " FROM ",
            $from,
            " WHERE r.tenant = $1 AND r.subscription = $2 AND ",
            $id,
            " > $3 AND ",
            $id,
            " < $4 AND ",
            $own,
            " AND ($5 = '' OR r.location = $5) ",
            "AND ($6 = -1 OR $6 = (CASE WHEN r.kind_key = 'microsoft.resources/resourcegroups' THEN 1 ELSE 0 END)) ",
            "AND r.deleted IS NULL ORDER BY ",
            $id,
            " LIMIT $7"
        )
    };
}

/// The primary key leads: a subscription or group is a range of ids.
const ALL: &str = listing!("resources r", "r.id_key", "$8 = ''");
const BY_KIND: &str = listing!("resources r", "r.id_key", "r.kind_key = $8");
const BY_NAME: &str = listing!("resources r", "r.id_key", "r.name_key = $8 AND ($9 = '' OR r.kind_key = $9)");
/// One row a name and value, and names are unique on a resource: with a name alone it still comes once. A cross join, so that
/// SQLite begins with the tags.
const BY_TAG: &str = listing!(
    "resource_tags t CROSS JOIN resources r",
    "t.id_key",
    "r.id_key = t.id_key AND t.tenant = $1 AND t.subscription = $2 AND t.name_key = $8
     AND ($9 = '' OR r.kind_key = $9) AND ($10 = '' OR r.name_key = $10)"
);
const BY_TAG_AND_VALUE: &str = listing!(
    "resource_tags t CROSS JOIN resources r",
    "t.id_key",
    "r.id_key = t.id_key AND t.tenant = $1 AND t.subscription = $2 AND t.name_key = $8
     AND ($9 = '' OR r.kind_key = $9) AND ($10 = '' OR r.name_key = $10) AND t.value = $11"
);

pub(super) async fn list(
    c: &mut Conn<'_>,
    tenant: TenantId,
    f: &ResourceFilter,
) -> Result<Vec<Resource>, StoreError> {
    let Some(subscription) = f.subscription else { return Ok(Vec::new()) };
    let whole = match &f.group {
        Some(group) => ResourceId::of_group(subscription, group),
        None => ResourceId::of_subscription(subscription),
    };
    let (from, to) = below_range(f.below.as_deref().unwrap_or(whole.key()));
    let after = f.after.clone().filter(|after| *after > from).unwrap_or(from);
    let or_any = |x: &Option<String>| x.clone().unwrap_or_default();
    let mut params = values![
        tenant,
        subscription,
        after,
        to,
        or_any(&f.location),
        f.groups.map_or(-1, i64::from),
        f.limit.max(1)
    ]
    .to_vec();
    let mut add = |values: &[String]| params.extend(values.iter().cloned().map(Value::Text));
    let sql = match (&f.tag, &f.name, &f.kind) {
        (Some((tag, Some(value))), ..) => {
            add(&[tag.clone(), or_any(&f.kind), or_any(&f.name), value.clone()]);
            BY_TAG_AND_VALUE
        }
        (Some((tag, None)), ..) => {
            add(&[tag.clone(), or_any(&f.kind), or_any(&f.name)]);
            BY_TAG
        }
        (None, Some(name), _) => {
            add(&[name.clone(), or_any(&f.kind)]);
            BY_NAME
        }
        (None, None, Some(kind)) => {
            add(std::slice::from_ref(kind));
            BY_KIND
        }
        (None, None, None) => {
            add(&[String::new()]);
            ALL
        }
    };
    c.rows(sql, &params).await?.iter().map(read).collect()
}

const DELETED: &str = select_resources!(
    "WHERE r.tenant = $1 AND r.subscription = $2 AND r.id_key > $3 AND r.id_key < $4 AND r.deleted IS NOT NULL
     AND ($5 = '' OR r.name_key = $5) ORDER BY r.id_key LIMIT $6"
);

/// Those that are soft-deleted.
pub(super) async fn deleted(
    c: &mut Conn<'_>,
    tenant: TenantId,
    subscription: SubscriptionId,
    f: &DeletedFilter,
) -> Result<Vec<Resource>, StoreError> {
    let whole = ResourceId::of_subscription(subscription);
    let (from, to) = below_range(f.below.as_deref().unwrap_or(whole.key()));
    let after = if f.after > from { f.after.clone() } else { from };
    let name = f.name.clone().unwrap_or_default();
    c.rows(DELETED, &values![tenant, subscription, after, to, name, f.limit])
        .await?
        .iter()
        .map(read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::planned::plan;

    #[tokio::test]
    async fn every_listing_is_led_by_an_index_and_sorts_nothing() {
        for (sql, index) in [
            (ALL, "(tenant=? AND id_key>? AND id_key<?)"),
            (
                BY_KIND,
                "resources_kind (tenant=? AND subscription=? AND kind_key=? AND id_key>? AND id_key<?)",
            ),
            (
                BY_NAME,
                "resources_name (tenant=? AND subscription=? AND name_key=? AND id_key>? AND id_key<?)",
            ),
            (DELETED, "resources_deleted (tenant=? AND subscription=? AND id_key>? AND id_key<?)"),
            (
                BY_TAG,
                "resource_tags_named (tenant=? AND subscription=? AND name_key=? AND id_key>? AND id_key<?)",
            ),
            (
                BY_TAG_AND_VALUE,
                "(tenant=? AND subscription=? AND name_key=? AND value=? AND id_key>? AND id_key<?)",
            ),
        ] {
            let plan = plan(sql).await;
            assert!(plan.contains(index), "{index}:\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
