//! Lists of resources of all types (arm.md 4.4), and the listing that every type shares.

use cs_access::Refusal;
use cs_audit::AuditRecord;
use cs_ids::ResourceId;
use cs_resources::{Resource, ResourceFilter};
use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;

use crate::{
    answer::{row, whole},
    call::{Answer, Call},
    doors::{Body, Type, open_door},
    failure::Failure,
    paging,
    resources_filter::RowFilter,
};

const READ: &str = "Microsoft.Resources/subscriptions/resources/read";

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Resources/resources",
    about: "Lists of resources of all types.",
    versions: &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"],
    rows: &[
        open_door("GET", s!("/resources"), Body::Nothing, "shows those the caller may read", |c| {
            Box::pin(list(c))
        }),
        open_door("GET", g!("/resources"), Body::Nothing, "shows those the caller may read", |c| {
            Box::pin(list(c))
        }),
    ],
};

async fn list(call: &Call) -> Answer {
    answer_list(call, Which { kind: None, read: READ, whole: false }).await
}

/// What a list is of.
#[derive(Clone, Copy)]
pub(crate) struct Which<'w> {
    /// A type; none is every type but groups.
    pub kind: Option<&'static str>,
    /// The action that shows all of it at once.
    pub read: &'w str,
    /// With `properties`.
    pub whole: bool,
}

/// A page of what lies at the call's scope. Who may read all sees all; who may read some sees those; who holds no
/// role there is refused (D10).
pub(crate) async fn answer_list(call: &Call, which: Which<'_>) -> Answer {
    let reads_all = match call.parts.access.require_action(&call.op, which.read, &call.scope) {
        Ok(allowed) => {
            let record = AuditRecord::done(&call.op, &allowed);
            call.parts.audit.soon(record).map_err(|_| Failure::busy())?;
            true
        }
        Err(Refusal::Unconfirmed) => return Err(Failure::busy()),
        Err(Refusal::Denied(_)) if call.is_visible(&call.scope)? => false,
        Err(Refusal::Denied(denied)) => return Err(call.refuse(&denied, which.read, &call.scope).await?),
    };
    let id = call.id()?;
    if id.group().is_some() {
        let group = id.group().unwrap_or_default();
        call.manager().existing(&call.op, &ResourceId::of_group(id.subscription(), group)).await?;
    }
    let filter = RowFilter::parse(call.query.get("$filter"))?;
    let page = call.manager().list(&call.op, lookup(call, &id, &filter, which)?).await?;
    let expand = call.query.get("$expand").is_some_and(|e| e.to_lowercase().contains("createdtime"));
    let mut value = Vec::new();
    for r in page.rows.iter().filter(|r| filter.fits(r)) {
        if reads_all || may_read(call, r)? {
            value.push(if which.whole { whole(r, call) } else { row(r, expand) });
        }
    }
    let next_link = page.next.map(|after| paging::link(call, &after));
    Ok(json(StatusCode::OK, &List { value, next_link, count: None }))
}

fn lookup(
    call: &Call,
    id: &ResourceId,
    filter: &RowFilter,
    which: Which<'_>,
) -> Result<ResourceFilter, Failure> {
    let mut lookup = filter.lookup(id.subscription());
    if let Some(group) = id.group() {
        lookup.group = Some(group.to_ascii_lowercase());
    }
    match which.kind {
        Some(kind) => lookup.kind = Some(kind.to_lowercase()),
        None => lookup.groups = Some(false),
    }
    lookup.limit = paging::top(call)?;
    lookup.after = paging::after(call)?;
    Ok(lookup)
}

/// Groups are shown to who holds a role at, above or in them; resources to who may read them.
pub(crate) fn may_read(call: &Call, r: &Resource) -> Result<bool, Failure> {
    if r.id.kind().is_none() {
        return call.is_visible(r.id.scope());
    }
    Ok(call.may(&format!("{}/read", r.kind), r.id.scope())?.is_some())
}
