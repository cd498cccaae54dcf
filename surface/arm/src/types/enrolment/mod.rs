//! Join tokens, in a namespace of our own: the original has nothing like them.
//!
//! `POST …/joinTokens` makes one and is the only answer that shows it. `POST /providers/Countersign.Enrolment/join`
//! spends it: the one door of this surface that takes credentials in its body instead of a bearer token.

use cs_audit::AuditRecord;
use cs_ids::{MachineName, ResourceId};
use cs_rbac::{Caller, Denied, Operation, WhyDenied};
use cs_resources::{JoinText, JoinToken, Manager, ResourceError};
use cs_serve::{Door, Needs, json};
use cs_wire_arm::{List, ResourceBody, tag_map};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json as value};

use super::shared::answered;
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Also, Body, Op, Type, door},
    failure::{Failure, shown},
};

const ALL: &str = g!("/providers/Countersign.Enrolment/joinTokens");
const ONE: &str = g!("/providers/Countersign.Enrolment/joinTokens/{token}");
const JOIN: &str = "/providers/Countersign.Enrolment/join";
const READ: &str = "Countersign.Enrolment/joinTokens/read";
const WRITE: &str = "Countersign.Enrolment/joinTokens/write";
const DELETE: &str = "Countersign.Enrolment/joinTokens/delete";
const MACHINE_WRITE: &str = "Microsoft.HybridCompute/machines/write";
/// How long a token is good unless its maker says otherwise, in seconds.
const LIFE_SECONDS: i64 = 3600;

pub(crate) static TYPE: Type = Type {
    name: "Countersign.Enrolment/joinTokens",
    about: "Ours: one-time tokens, each of which lets one machine into one resource group.",
    versions: &["2026-11-01"],
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("POST", ALL, Body::Resource, WRITE, |c| Box::pin(make(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(revoke(c))),
        Door {
            method: "POST",
            path: JOIN,
            query: "",
            needs: Needs::Credentials,
            op: Op { run: |c| Box::pin(join(c)), body: Body::Resource, also: Also::Nothing },
        },
    ],
};

/// Whether a request is for the door that asks for no bearer token.
pub(crate) fn is_join(method: &Method, path: &str) -> bool {
    method == Method::POST && path.trim_end_matches('/').eq_ignore_ascii_case(JOIN)
}

/// On whose behalf a join is looked at before its token is proven: nobody, in the tenant that the token names.
pub(crate) fn nobody(body: &[u8]) -> Result<Caller, Failure> {
    let unknown = || Failure::from(ResourceError::JoinTokenUnknown);
    let body = ResourceBody::parse(TYPE.name, body)?;
    match body.rest.get("joinToken") {
        None | Some(Value::Null) => Err(Failure::no_token()),
        Some(Value::String(text)) => {
            JoinText::parse(text).map(|t| Caller::unnamed(t.tenant)).ok_or_else(unknown)
        }
        Some(_) => Err(unknown()),
    }
}

async fn list(call: &Call) -> Answer {
    let all = call.manager().join_tokens(&call.op, &call.id()?).await?;
    let rows: Vec<Value> = all.iter().map(shape).collect();
    Ok(json(StatusCode::OK, &List::from(rows)))
}

async fn make(call: &Call) -> Answer {
    // Who hands out tokens for machines must be able to make machines.
    call.demand(MACHINE_WRITE, &call.scope).await?;
    let input = call.input()?;
    let seconds = match input.properties.get("expiresInSeconds") {
        None | Some(Value::Null) => LIFE_SECONDS,
        Some(given) => given.as_i64().ok_or_else(|| {
            Failure::bad_body("The property 'expiresInSeconds' must be a whole number.".to_owned())
        })?,
    };
    let tags = input.tags.unwrap_or_default();
    let (token, text) =
        call.manager().make_join_token(&call.op, call.allowed()?, &call.id()?, tags, seconds).await?;
    let mut shown = shape(&token);
    if let Some(properties) = shown["properties"].as_object_mut() {
        properties.insert("joinToken".to_owned(), Value::from(text));
    }
    Ok(json(StatusCode::OK, &shown))
}

/// 204 also for one that is not there, as everywhere.
async fn revoke(call: &Call) -> Answer {
    let id = call.params.get("token");
    call.manager().revoke_join_token(&call.op, call.allowed()?, &call.id()?, id).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

fn shape(token: &JoinToken) -> Value {
    let state = if token.used.is_some() { "Used" } else { "Open" };
    let mut properties = value!({
        "state": state, "createdAt": token.created.iso7(), "createdBy": token.created_by.to_string(),
        "expiresAt": token.expires.iso7()
    });
    if let (Some(used), Some(all)) = (&token.used, properties.as_object_mut()) {
        all.insert("usedAt".to_owned(), Value::from(used.at.iso7()));
        all.insert("machineId".to_owned(), Value::from(used.machine.clone()));
    }
    value!({
        "id": format!("{}/providers/Countersign.Enrolment/joinTokens/{}", token.group, token.id),
        "name": token.id, "type": "Countersign.Enrolment/joinTokens", "tags": tag_map(&token.tags),
        "properties": properties
    })
}

async fn join(call: &Call) -> Answer {
    let mut input = call.input()?;
    let given = std::mem::take(&mut input.extra);
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    let unknown = || Failure::from(ResourceError::JoinTokenUnknown);
    let proof = JoinText::parse(text("joinToken")).ok_or_else(unknown)?;
    let token = call.manager().join_token(&proof, call.op.started).await?;
    let op = Operation { caller: Manager::maker_of(&token), ..call.op.clone() };
    check_place(call, &op, &token, &given).await?;
    let name = text("name");
    let name: MachineName = name.parse().map_err(|e| Failure::from(ResourceError::BadName(e)))?;
    // The token is its maker's right, lent: without that right it is nothing.
    let group = token.group.scope();
    let allowed = match call.parts.access.require_action(&op, MACHINE_WRITE, group) {
        Ok(allowed) => allowed,
        Err(cs_access::Refusal::Unconfirmed) => return Err(Failure::busy()),
        Err(cs_access::Refusal::Denied(denied)) => {
            record(call, AuditRecord::denied(&op, &denied)).await?;
            let message = "Whoever made the join token may connect no machines any more. Ask for a new one.";
            return Err(Failure::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message));
        }
    };
    call.manager().check_locks(&op, group, cs_resources::Deed::Write).await?;
    let machine = call.manager().join(&op, &allowed, &token, (&name, input)).await?;
    call.parts.access.refresh(op.caller.tenant).await.map_err(ResourceError::from)?;
    Ok(answered(call, &machine))
}

/// C02: a place that the body names is the token's place.
async fn check_place(
    call: &Call,
    op: &Operation,
    token: &JoinToken,
    given: &Map<String, Value>,
) -> Result<(), Failure> {
    let group = &token.group;
    let differs = |name: &str, is: &str| match given.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case(is),
        Some(_) => true,
    };
    if !differs("resourceGroup", group.name())
        && !differs("subscriptionId", &group.subscription().to_string())
    {
        return Ok(());
    }
    let wanted = |name: &str| given.get(name).and_then(Value::as_str).map(shown).unwrap_or_default();
    let scope = format!("/subscriptions/{}/resourceGroups/{}", group.subscription(), group.name());
    let denied = Denied {
        action: MACHINE_WRITE.to_owned(),
        scope: ResourceId::of_group(group.subscription(), group.name()).scope().clone(),
        why: WhyDenied::NoAssignment,
    };
    let because = format!("join token {} is not for group '{}'", token.id, wanted("resourceGroup"));
    record(call, AuditRecord { because, ..AuditRecord::denied(op, &denied) }).await?;
    let message = format!(
        "The join token is for '{scope}' alone, not for resource group '{}' of subscription '{}'.",
        wanted("resourceGroup"),
        wanted("subscriptionId")
    );
    Err(Failure::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message))
}

/// On record before it is told.
async fn record(call: &Call, record: AuditRecord) -> Result<(), Failure> {
    call.parts.audit.record(record).await.map_err(|_| Failure::busy())
}
