//! The activity log (arm.md 4.11).

use cs_audit::{AuditOutcome, AuditRecord};
use cs_ids::{ResourceId, Scope};
use cs_resources::Activity;
use cs_serve::{Response, json};
use cs_time::Timestamp;
use cs_wire_arm::{Filter, List};
use http::StatusCode;
use serde_json::{Value, json as value};

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, changes, door, open_door},
    failure::Failure,
};

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Insights/eventtypes",
    about: "The activity log: what was done or refused in a subscription, in pages.",
    versions: &["2017-03-01-preview", "2015-04-01"],
    rows: &[
        door(
            "GET",
            s!("/providers/Microsoft.Insights/eventtypes/management/values"),
            Body::Nothing,
            "Microsoft.Insights/eventtypes/values/read",
            |c| Box::pin(list(c)),
        ),
        open_door(
            "GET",
            "/providers/Microsoft.Insights/eventcategories",
            Body::Nothing,
            "the categories are the same for everybody",
            |_| Box::pin(async { Ok(categories()) }),
        ),
    ],
};

/// The one category there is: what the doors of this surface did.
const CATEGORY: &str = "Administrative";

fn categories() -> Response {
    json(StatusCode::OK, &List::from(vec![both(CATEGORY)]))
}

async fn list(call: &Call) -> Answer {
    let subscription = call.subscription()?;
    let (activity, wanted) = asked(call)?;
    // What happens inside vaults and accounts is no management: only what the doors of this surface do is shown.
    let keeps = |r: &AuditRecord| changes(&r.action) && wanted.holds(r);
    let (events, next) = call.manager().activity(&call.op, subscription, activity, keeps).await?;
    let selected = selected(call);
    let value = events.iter().map(|r| event(call, r, selected.as_deref())).collect();
    let next_link = next.map(|number| crate::paging::link(call, &number.to_string()));
    Ok(json(StatusCode::OK, &List::<Value> { value, next_link, count: None }))
}

/// What is asked of an event beside its time and place.
#[derive(Default)]
struct Wanted {
    provider: Option<String>,
    /// The caller, by object id or by client id.
    caller: Option<String>,
    status: Option<String>,
}

impl Wanted {
    fn holds(&self, r: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, found: &[Option<String>]| {
            let same = |wanted: &String| found.iter().flatten().any(|f| f.eq_ignore_ascii_case(wanted));
            wanted.as_ref().is_none_or(same)
        };
        is(&self.provider, &[Some(provider(r).to_owned())])
            && is(&self.caller, &[r.caller.map(|o| o.to_string()), r.client.map(|c| c.to_string())])
            && is(&self.status, &[Some(status(r).to_owned())])
    }
}

fn asked(call: &Call) -> Result<(Activity, Wanted), Failure> {
    let after =
        crate::paging::after(call)?.map(|text| text.parse().map_err(|_| Failure::bad_uri())).transpose()?;
    let (mut all, mut wanted) = (Activity { after, ..Activity::default() }, Wanted::default());
    let Some(text) = call.query.get("$filter").filter(|t| !t.trim().is_empty()) else {
        return Ok((all, wanted));
    };
    let bad = || Failure::bad_filter(text);
    for term in Filter::parse(text).map_err(|_| bad())?.terms() {
        let Filter::Compare { field, operator, value } = term else { return Err(bad()) };
        match (field.as_str(), operator.as_str()) {
            ("eventtimestamp", "ge" | "gt") => all.from = Some(time(value).ok_or_else(bad)?),
            ("eventtimestamp", "le" | "lt") => all.until = Some(time(value).ok_or_else(bad)?),
            ("resourcegroupname", "eq") => {
                all.at = Some(ResourceId::of_group(call.subscription()?, value).scope().clone());
            }
            ("resourceid" | "resourceuri", "eq") => all.at = Some(Scope::parse(value).map_err(|_| bad())?),
            ("correlationid", "eq") => all.correlation = Some(value.parse().map_err(|_| bad())?),
            ("resourceprovider", "eq") => wanted.provider = Some(value.clone()),
            ("caller", "eq") => wanted.caller = Some(value.clone()),
            ("status", "eq") => wanted.status = Some(value.clone()),
            ("eventchannels", "eq") => {}
            _ => return Err(bad()),
        }
    }
    let whole = ResourceId::of_subscription(call.subscription()?);
    match all.at.as_ref().is_none_or(|at| whole.scope().contains(at)) {
        true => Ok((all, wanted)),
        false => Err(bad()),
    }
}

/// The members an event is to have, folded: az writes `eventTimestamp , caller`.
fn selected(call: &Call) -> Option<Vec<String>> {
    let text = call.query.get("$select").filter(|t| !t.trim().is_empty())?;
    Some(text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect())
}

/// With a zone, or (as az writes it) without: then it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}

fn both(text: &str) -> Value {
    value!({"value": text, "localizedValue": text})
}

fn provider(r: &AuditRecord) -> &str {
    r.action.split('/').next().unwrap_or_default()
}

fn status(r: &AuditRecord) -> &'static str {
    match r.outcome {
        AuditOutcome::Done => "Succeeded",
        AuditOutcome::Denied | AuditOutcome::Failed => "Failed",
    }
}

fn event(call: &Call, r: &AuditRecord, selected: Option<&[String]>) -> Value {
    let id = ResourceId::parse(&r.scope).ok();
    let kind = id.as_ref().and_then(|i| i.kind()).map(|k| k.as_str().to_owned());
    let status = status(r);
    let level = if status == "Succeeded" { "Informational" } else { "Error" };
    let time = r.time.iso7();
    let event = format!("{}-{}", r.correlation, r.time.micros());
    let mut event = value!({
        "authorization": {"action": r.action, "scope": r.scope},
        "caller": r.caller.map(|o| o.to_string()),
        "category": both(CATEGORY),
        "channels": "Operation",
        "claims": {"appid": r.client.map(|c| c.to_string())},
        "correlationId": r.correlation.to_string(),
        "description": "",
        "eventDataId": event,
        "eventName": both("EndRequest"),
        "eventTimestamp": time,
        "id": format!("{}/events/{event}/ticks/{}", r.scope, r.time.micros()),
        "level": level,
        "operationId": r.correlation.to_string(),
        "operationName": both(&r.action),
        "properties": {"statusMessage": r.because},
        "resourceGroupName": id.as_ref().and_then(|i| i.group()).unwrap_or_default(),
        "resourceId": r.scope,
        "resourceProviderName": both(provider(r)),
        "resourceType": both(&kind.unwrap_or_default()),
        "status": both(status),
        "subStatus": both(""),
        "submissionTimestamp": time,
        "subscriptionId": call.subscription().map(|s| s.to_string()).unwrap_or_default(),
        "tenantId": r.tenant.to_string(),
    });
    if let (Some(selected), Some(members)) = (selected, event.as_object_mut()) {
        members.retain(|name, _| selected.contains(&name.to_ascii_lowercase()));
    }
    event
}
