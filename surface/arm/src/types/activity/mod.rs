//! The activity log (arm.md 4.11).

use cs_audit::{AuditOutcome, AuditRecord};
use cs_ids::{ResourceId, Scope};
use cs_resources::Activity;
use cs_serve::json;
use cs_time::Timestamp;
use cs_wire_arm::{Filter, List};
use http::StatusCode;
use serde_json::{Value, json as value};

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, changes, door},
    failure::Failure,
};

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Insights/eventtypes",
    about: "The activity log: what was done or refused in a subscription.",
    versions: &["2017-03-01-preview", "2015-04-01"],
    rows: &[door(
        "GET",
        s!("/providers/Microsoft.Insights/eventtypes/management/values"),
        Body::Nothing,
        "Microsoft.Insights/eventtypes/values/read",
        |c| Box::pin(list(c)),
    )],
};

async fn list(call: &Call) -> Answer {
    let subscription = call.subscription()?;
    let wanted = wanted(call)?;
    let all = call.manager().activity(&call.op, subscription, wanted).await?;
    // What happens inside vaults and accounts is no management: only what the doors of this surface do is shown.
    let rows: Vec<Value> = all.iter().filter(|r| changes(&r.action)).map(|r| event(call, r)).collect();
    Ok(json(StatusCode::OK, &List::from(rows)))
}

fn wanted(call: &Call) -> Result<Activity, Failure> {
    let Some(text) = call.query.get("$filter").filter(|t| !t.trim().is_empty()) else {
        return Ok(Activity::default());
    };
    let bad = || Failure::bad_filter(text);
    let mut all = Activity::default();
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
            ("eventchannels", "eq") => {}
            _ => return Err(bad()),
        }
    }
    let whole = ResourceId::of_subscription(call.subscription()?);
    match all.at.as_ref().is_none_or(|at| whole.scope().contains(at)) {
        true => Ok(all),
        false => Err(bad()),
    }
}

/// With a zone, or (as az writes it) without: then it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}

fn event(call: &Call, r: &AuditRecord) -> Value {
    let id = ResourceId::parse(&r.scope).ok();
    let provider = r.action.split('/').next().unwrap_or_default();
    let kind = id.as_ref().and_then(|i| i.kind()).map(|k| k.as_str().to_owned());
    let both = |text: &str| value!({"value": text, "localizedValue": text});
    let status = match r.outcome {
        AuditOutcome::Done => "Succeeded",
        AuditOutcome::Denied | AuditOutcome::Failed => "Failed",
    };
    let level = if status == "Succeeded" { "Informational" } else { "Error" };
    let time = r.time.iso7();
    let event = format!("{}-{}", r.correlation, r.time.micros());
    value!({
        "authorization": {"action": r.action, "scope": r.scope},
        "caller": r.caller.map(|o| o.to_string()),
        "category": both("Administrative"),
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
        "resourceProviderName": both(provider),
        "resourceType": both(&kind.unwrap_or_default()),
        "status": both(status),
        "subStatus": both(""),
        "submissionTimestamp": time,
        "subscriptionId": call.subscription().map(|s| s.to_string()).unwrap_or_default(),
        "tenantId": r.tenant.to_string(),
    })
}
