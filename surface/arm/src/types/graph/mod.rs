//! Resource Graph (arm.md 4.13): one question over all resources the caller may read.

mod run;

use cs_ids::{ResourceId, Scope, SubscriptionId};
use cs_resources::{GROUPS, Resource, ResourceFilter, Subscription};
use cs_serve::json;
use cs_wire_arm::{
    GraphOptions, GraphQuestion,
    kql::{Query, Table},
    tag_map,
};
use http::StatusCode;
use serde_json::{Map, Value, json as value};

use super::resources::may_read;
use crate::{
    answer,
    call::{Answer, Call},
    doors::{Body, Type, open_door},
    failure::Failure,
};

const RESOURCES_READ: &str = "Microsoft.Resources/subscriptions/resources/read";
const BODY: Body = Body::Json("query, subscriptions, managementGroups, options");
/// Rows of one answer: unless told otherwise, and at most.
const TOP: usize = 100;
const TOP_MAX: usize = 1000;
/// Rows one question may look at. Beyond, it must ask for a type or a subscription.
const LOOKED_AT_MAX: usize = 50_000;

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.ResourceGraph/resources",
    about: "Questions over all resources the caller may read, in a part of KQL.",
    versions: &["2024-04-01", "2022-10-01", "2021-03-01", "2020-04-01-preview", "2019-04-01"],
    rows: &[open_door(
        "POST",
        "/providers/Microsoft.ResourceGraph/resources",
        BODY,
        "finds what the caller may read",
        |c| Box::pin(ask(c)),
    )],
};

async fn ask(call: &Call) -> Answer {
    let question: GraphQuestion = call.json()?;
    let query = Query::parse(&question.query).map_err(|bad| bad_query(&bad.0))?;
    let options = question.options.clone().unwrap_or_default();
    let (top, skip) = page(&options)?;
    let subscriptions = subscriptions(call, &question).await?;
    let rows = match query.table {
        Table::Resources => resources(call, &subscriptions, query.kind()).await?,
        Table::Containers => containers(call, &subscriptions).await?,
    };
    // Fifty thousand rows and a long question are work for seconds: other requests go on meanwhile.
    let steps = query.steps;
    let found = tokio::task::spawn_blocking(move || run::run(&steps, rows)).await;
    let found = found.map_err(|_| Failure::internal("answering a query"))?;
    let total = found.len();
    let rows: Vec<Map<String, Value>> = found.into_iter().skip(skip).take(top).collect();
    let more = skip + rows.len() < total;
    let mut reply = value!({
        "totalRecords": total,
        "count": rows.len(),
        // Text, as clients expect it.
        "resultTruncated": "false",
        "facets": [],
        "data": if options.is_table() { run::table(&rows) } else { value!(rows) },
    });
    if more {
        reply["$skipToken"] = value!(cs_jose::encode_url((skip + rows.len()).to_string()));
    }
    Ok(json(StatusCode::OK, &reply))
}

fn bad_query(why: &str) -> Failure {
    let message = format!("The query cannot be answered: {}.", crate::failure::shown(why));
    Failure::new(StatusCode::BAD_REQUEST, "InvalidQuery", message)
}

fn page(options: &GraphOptions) -> Result<(usize, usize), Failure> {
    let bad = |name: &str| Failure::bad_body(format!("The option '{name}' is not valid."));
    let top = options.top.unwrap_or(TOP);
    if !(1..=TOP_MAX).contains(&top) {
        return Err(bad("$top"));
    }
    let skip = match &options.skip_token {
        None => options.skip.unwrap_or(0),
        Some(token) => {
            let text = cs_jose::decode_url(token).and_then(|bytes| String::from_utf8(bytes).ok());
            text.and_then(|text| text.parse().ok()).ok_or_else(|| bad("$skipToken"))?
        }
    };
    Ok((top, skip))
}

/// Those that were asked for, as far as the caller sees them. Who names only others is refused as if there were none.
async fn subscriptions(call: &Call, question: &GraphQuestion) -> Result<Vec<Subscription>, Failure> {
    let root = Scope::management_root(call.op.caller.tenant);
    let in_groups = question.management_groups.as_ref().is_some_and(|groups| {
        groups.iter().any(|name| {
            Scope::root().child("providers", "Microsoft.Management").child("managementGroups", name) == root
        })
    });
    let named = question.subscriptions.as_ref().filter(|all| !all.is_empty());
    let mut seen = Vec::new();
    for known in call.manager().subscriptions(&call.op).await? {
        let id = known.id;
        let wanted = named.map_or(question.management_groups.is_none() || in_groups, |all| {
            all.iter().any(|text| text.parse() == Ok(id))
        });
        if wanted && call.is_visible(ResourceId::of_subscription(id).scope())? {
            seen.push(known);
        }
    }
    if seen.is_empty() && named.is_some() {
        let message = "Access is denied to the requested subscriptions, or they are not there.";
        return Err(Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message));
    }
    Ok(seen)
}

async fn resources(
    call: &Call,
    subscriptions: &[Subscription],
    kind: Option<&str>,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let mut rows = Vec::new();
    for id in subscriptions.iter().map(|s| s.id) {
        let scope = ResourceId::of_subscription(id);
        let reads_all = call.may(RESOURCES_READ, scope.scope())?.is_some();
        let filter = ResourceFilter { kind: kind.map(str::to_lowercase), groups: Some(false), ..of(id) };
        for resource in all(call, filter, LOOKED_AT_MAX.saturating_sub(rows.len())).await? {
            if reads_all || may_read(call, &resource)? {
                rows.push(row(call, &resource));
            }
        }
    }
    Ok(rows)
}

async fn containers(call: &Call, subscriptions: &[Subscription]) -> Result<Vec<Map<String, Value>>, Failure> {
    let mut rows = Vec::new();
    for subscription in subscriptions {
        let id = subscription.id;
        let own = value!({
            "id": format!("/subscriptions/{id}"), "name": subscription.display_name, "subscriptionId": id.to_string(),
            "type": "microsoft.resources/subscriptions", "tenantId": call.op.caller.tenant.to_string(),
            "resourceGroup": "", "location": "", "tags": tag_map(&subscription.tags), "properties": {"state": "Enabled"},
        });
        rows.extend(own.as_object().cloned().map(with_every_column));
        let filter = ResourceFilter { kind: Some(GROUPS.to_lowercase()), groups: Some(true), ..of(id) };
        for group in all(call, filter, LOOKED_AT_MAX.saturating_sub(rows.len())).await? {
            if may_read(call, &group)? {
                let mut shown = row(call, &group);
                shown.insert("type".to_owned(), value!("microsoft.resources/subscriptions/resourcegroups"));
                rows.push(shown);
            }
        }
    }
    Ok(rows)
}

fn of(subscription: SubscriptionId) -> ResourceFilter {
    ResourceFilter { subscription: Some(subscription), ..ResourceFilter::default() }
}

/// Page by page, up to so many.
async fn all(call: &Call, mut filter: ResourceFilter, room: usize) -> Result<Vec<Resource>, Failure> {
    let mut rows = Vec::new();
    loop {
        let page = call.manager().list(&call.op, filter.clone()).await?;
        rows.extend(page.rows);
        if rows.len() > room {
            return Err(bad_query(
                "it looks at too many resources: begin it with where type =~ '…', or name subscriptions",
            ));
        }
        match page.next {
            Some(after) => filter.after = Some(after),
            None => return Ok(rows),
        }
    }
}

/// A resource as Resource Graph shows it: every column there, some of them folded.
fn row(call: &Call, r: &Resource) -> Map<String, Value> {
    let mut shown = answer::whole(r, call).as_object().cloned().unwrap_or_default();
    shown.shift_remove("systemData");
    let mut shown = with_every_column(shown);
    shown.insert("type".to_owned(), value!(r.kind.to_lowercase()));
    shown.insert("tenantId".to_owned(), value!(r.tenant.to_string()));
    shown.insert("subscriptionId".to_owned(), value!(r.id.subscription().to_string()));
    shown.insert("resourceGroup".to_owned(), value!(r.id.group().unwrap_or_default().to_lowercase()));
    shown
}

/// What a row does not have is null, and a column all the same.
fn with_every_column(mut row: Map<String, Value>) -> Map<String, Value> {
    for name in ["kind", "managedBy", "sku", "plan", "identity", "zones", "extendedLocation"] {
        row.entry(name).or_insert(Value::Null);
    }
    row
}
