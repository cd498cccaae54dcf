//! Leases on the wire: the operation, the header by which others show theirs, and what answers say of one.

use cs_blob::{Lease, LeaseAction, LeaseState};
use cs_serve::Response;
use cs_time::Timestamp;
use http::{HeaderMap, StatusCode};

use crate::{Call, account::plain, failure::Failure, headers};

/// A lease is taken for so many seconds, or without end (blob.md 6).
const SECONDS: std::ops::RangeInclusive<i64> = 15..=60;
const BREAK_SECONDS: std::ops::RangeInclusive<i64> = 0..=60;

/// A lease id: a UUID, folded.
pub(crate) fn id(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Failure> {
    let Some(text) = headers::one(headers, name)?.filter(|t| !t.is_empty()) else { return Ok(None) };
    uuid::Uuid::try_parse(text).map(|id| Some(id.to_string())).map_err(|_| Failure::header(name, text))
}

fn needed(headers: &HeaderMap, name: &'static str) -> Result<String, Failure> {
    id(headers, name)?.ok_or_else(|| Failure::missing_header(name))
}

fn number(
    headers: &HeaderMap,
    name: &'static str,
    may_be: impl Fn(i64) -> bool,
) -> Result<Option<i64>, Failure> {
    let Some(text) = headers::one(headers, name)? else { return Ok(None) };
    text.parse().ok().filter(|n| may_be(*n)).map(Some).ok_or_else(|| Failure::header(name, text))
}

fn action(headers: &HeaderMap) -> Result<(LeaseAction, StatusCode), Failure> {
    const ACTION: &str = "x-ms-lease-action";
    const DURATION: &str = "x-ms-lease-duration";
    const PROPOSED: &str = "x-ms-proposed-lease-id";
    let own = || needed(headers, "x-ms-lease-id");
    let word = headers::one(headers, ACTION)?.ok_or_else(|| Failure::missing_header(ACTION))?;
    Ok(match word.to_ascii_lowercase().as_str() {
        "acquire" => {
            let seconds = number(headers, DURATION, |n| n == -1 || SECONDS.contains(&n))?
                .ok_or_else(|| Failure::missing_header(DURATION))?;
            let (seconds, proposed) = (u32::try_from(seconds).ok(), id(headers, PROPOSED)?);
            (LeaseAction::Acquire { seconds, proposed }, StatusCode::CREATED)
        }
        "renew" => (LeaseAction::Renew(own()?), StatusCode::OK),
        "change" => {
            (LeaseAction::Change { id: own()?, proposed: needed(headers, PROPOSED)? }, StatusCode::OK)
        }
        "release" => (LeaseAction::Release(own()?), StatusCode::OK),
        "break" => {
            let period = number(headers, "x-ms-lease-break-period", |n| BREAK_SECONDS.contains(&n))?;
            (LeaseAction::Break { period: period.and_then(|n| u32::try_from(n).ok()) }, StatusCode::ACCEPTED)
        }
        _ => return Err(Failure::header(ACTION, word)),
    })
}

/// `PUT …?comp=lease` of a container or a blob.
pub(crate) async fn lease(call: &Call<'_>) -> Result<Response, Failure> {
    let (action, status) = action(call.headers)?;
    let blob = Some(call.blob.as_str()).filter(|name| !name.is_empty());
    let (place, conditions) = ((call.container.as_str(), blob), headers::conditions(call.headers)?);
    let answer = call.blobs.lease(call.op, &call.allowed, call.account, place, &conditions, &action).await?;
    let mut response = plain(status);
    let out = response.headers_mut();
    headers::stamp(out, &answer.etag, answer.modified);
    if let Some(id) = &answer.id {
        headers::put(out, "x-ms-lease-id", id);
    }
    if let Some(seconds) = answer.remaining {
        headers::put(out, "x-ms-lease-time", &seconds.to_string());
    }
    Ok(response)
}

/// Status, state and, while it holds unbroken, the kind of its duration.
pub(crate) fn words(
    lease: Option<&Lease>,
    now: Timestamp,
) -> (&'static str, &'static str, Option<&'static str>) {
    let Some(lease) = lease else { return ("unlocked", "available", None) };
    match lease.state(now) {
        LeaseState::Leased => {
            ("locked", "leased", Some(if lease.seconds.is_some() { "fixed" } else { "infinite" }))
        }
        LeaseState::Expired => ("unlocked", "expired", None),
        LeaseState::Breaking => ("locked", "breaking", None),
        LeaseState::Broken => ("unlocked", "broken", None),
    }
}

pub(crate) fn describe(out: &mut HeaderMap, lease: Option<&Lease>, now: Timestamp) {
    let (status, state, duration) = words(lease, now);
    headers::put(out, "x-ms-lease-status", status);
    headers::put(out, "x-ms-lease-state", state);
    if let Some(duration) = duration {
        headers::put(out, "x-ms-lease-duration", duration);
    }
}
