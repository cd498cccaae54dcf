//! Tags: the JSON beside a resource, and the index that counts and finds them.

use cs_ids::{ResourceId, SubscriptionId, TenantId};
use cs_store::{StoreError, TagUse};
use serde_json::Value as Json;

use crate::{Conn, Row, values};

/// Distinct name and value pairs one answer holds at most.
const USES_MAX: i64 = 10_000;

/// `[["env","dev"],…]`: the order written is kept.
pub(super) fn to_json(tags: &[(String, String)]) -> String {
    Json::from(tags.iter().map(|(n, v)| Json::from(vec![n.as_str(), v.as_str()])).collect::<Vec<_>>())
        .to_string()
}

pub(super) fn from_json(json: &Json) -> Vec<(String, String)> {
    let pair = |p: &Json| Some((p.get(0)?.as_str()?.to_owned(), p.get(1)?.as_str()?.to_owned()));
    json.as_array().map(|all| all.iter().filter_map(pair).collect()).unwrap_or_default()
}

/// Makes the index say what the resource carries now.
pub(super) async fn index(
    c: &mut Conn<'_>,
    tenant: TenantId,
    id: &ResourceId,
    tags: &[(String, String)],
) -> Result<(), StoreError> {
    c.run("DELETE FROM resource_tags WHERE tenant = $1 AND id_key = $2", &values![tenant, id.key()]).await?;
    for (name, value) in tags {
        c.run(
            "INSERT INTO resource_tags (tenant, subscription, name_key, value, id_key, name)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            &values![tenant, id.subscription(), name.to_ascii_lowercase(), value, id.key(), name],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn uses(
    c: &mut Conn<'_>,
    tenant: TenantId,
    subscription: SubscriptionId,
) -> Result<Vec<TagUse>, StoreError> {
    let defined = c
        .rows(
            "SELECT name, has_value, value FROM defined_tags WHERE tenant = $1 AND subscription = $2
             ORDER BY name_key, has_value, value LIMIT $3",
            &values![tenant, subscription, USES_MAX],
        )
        .await?;
    let used = c
        .rows(
            "SELECT MIN(name), value, COUNT(*) FROM resource_tags WHERE tenant = $1 AND subscription = $2
             GROUP BY name_key, value ORDER BY name_key, value LIMIT $3",
            &values![tenant, subscription, USES_MAX],
        )
        .await?;
    let mut all = Vec::with_capacity(defined.len() + used.len());
    for row in &defined {
        let value = if row.flag(1)? { Some(row.string(2)?) } else { None };
        all.push(TagUse { name: row.string(0)?, value, count: 0 });
    }
    for row in &used {
        all.push(TagUse { name: row.string(0)?, value: row.optional(1, Row::string)?, count: row.int(2)? });
    }
    Ok(all)
}

pub(super) async fn define(
    c: &mut Conn<'_>,
    tenant: TenantId,
    subscription: SubscriptionId,
    name: &str,
    value: Option<&str>,
) -> Result<bool, StoreError> {
    let touched = c
        .run(
            "INSERT INTO defined_tags (tenant, subscription, name_key, value, has_value, name)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            &values![
                tenant,
                subscription,
                name.to_ascii_lowercase(),
                value.unwrap_or_default(),
                value.is_some(),
                name
            ],
        )
        .await?;
    Ok(touched > 0)
}

pub(super) async fn undefine(
    c: &mut Conn<'_>,
    tenant: TenantId,
    subscription: SubscriptionId,
    name: &str,
    value: Option<&str>,
) -> Result<bool, StoreError> {
    let touched = match value {
        Some(value) => {
            c.run(
                "DELETE FROM defined_tags WHERE tenant = $1 AND subscription = $2 AND name_key = $3 AND value = $4
                 AND has_value = 1",
                &values![tenant, subscription, name.to_ascii_lowercase(), value],
            )
            .await?
        }
        None => {
            c.run(
                "DELETE FROM defined_tags WHERE tenant = $1 AND subscription = $2 AND name_key = $3",
                &values![tenant, subscription, name.to_ascii_lowercase()],
            )
            .await?
        }
    };
    Ok(touched > 0)
}
