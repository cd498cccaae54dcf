//! The first start of a site, in one transaction.

use cs_store::{Expect, Planting, ResourceWrite, StoreError, Tenant};

use super::{applications, assignments, audit, directory, resources};
use crate::{Conn, values};

/// The setting goes first: of two replicas that start at once, the second stops there.
pub(super) async fn plant(c: &mut Conn<'_>, p: &Planting) -> Result<(), StoreError> {
    c.run("INSERT INTO settings (name, value) VALUES ($1, $2)", &values![&p.done.0, &p.done.1]).await?;
    tenant(c, &p.tenant).await?;
    resources::insert_subscription(c, &p.subscription).await?;
    let group = p.group.clone();
    let write = ResourceWrite { resource: group, expect: Expect::Absent, host: None, principal: None };
    resources::put(c, &write).await?;
    applications::insert(c, &p.registration).await?;
    directory::insert(c, &p.operator, std::slice::from_ref(&p.credential)).await?;
    assignments::put(c, &p.assignment).await?;
    for record in &p.audit {
        audit::append(c, record).await?;
    }
    Ok(())
}

pub(super) async fn tenant(c: &mut Conn<'_>, t: &Tenant) -> Result<(), StoreError> {
    c.run(
        "INSERT INTO tenants (tenant, display_name, domain, wrapped_key, created) VALUES ($1, $2, $3, $4, $5)",
        &values![t.id, &t.display_name, &t.domain, &t.wrapped_key, t.created],
    )
    .await
    .map(drop)
}
