//! Tag names of a subscription and tags of anything (arm.md 4.5).

use cs_resources::{TagChange, TagName};
use cs_serve::json;
use cs_wire_arm::{Count, TagNameReply, TagValueReply, TagsBody, TagsProperties, TagsReply, tag_map};
use http::StatusCode;

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::Failure,
    paging,
};

const NAMES_READ: &str = "Microsoft.Resources/subscriptions/tagNames/read";
const NAMES_WRITE: &str = "Microsoft.Resources/subscriptions/tagNames/write";
const NAMES_DELETE: &str = "Microsoft.Resources/subscriptions/tagNames/delete";
const VALUES_WRITE: &str = "Microsoft.Resources/subscriptions/tagNames/tagValues/write";
const VALUES_DELETE: &str = "Microsoft.Resources/subscriptions/tagNames/tagValues/delete";
const READ: &str = "Microsoft.Resources/tags/read";
const WRITE: &str = "Microsoft.Resources/tags/write";
const DELETE: &str = "Microsoft.Resources/tags/delete";
const NAME: &str = s!("/tagNames/{tag}");
const VALUE: &str = s!("/tagNames/{tag}/tagValues/{value}");
const AT: &str = at!("/providers/Microsoft.Resources/tags/default");
const BODY: Body = Body::Json("operation, properties.tags");
const VERSIONS: &[&str] = &["2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"];

pub(crate) static NAMES: Type = Type {
    name: "Microsoft.Resources/tagNames",
    about: "Tag names and values of a subscription, predefined and in use.",
    versions: VERSIONS,
    rows: &[
        door("GET", s!("/tagNames"), Body::Nothing, NAMES_READ, |c| Box::pin(names(c))),
        door("PUT", NAME, Body::Nothing, NAMES_WRITE, |c| Box::pin(define(c))),
        door("DELETE", NAME, Body::Nothing, NAMES_DELETE, |c| Box::pin(undefine(c))),
        door("PUT", VALUE, Body::Nothing, VALUES_WRITE, |c| Box::pin(define(c))),
        door("DELETE", VALUE, Body::Nothing, VALUES_DELETE, |c| Box::pin(undefine(c))),
    ],
};

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Resources/tags",
    about: "The tags of a subscription, group or resource.",
    versions: VERSIONS,
    rows: &[
        door("GET", AT, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("PUT", AT, BODY, WRITE, |c| Box::pin(replace(c))),
        door("PATCH", AT, BODY, WRITE, |c| Box::pin(change(c))),
        door("DELETE", AT, Body::Nothing, DELETE, |c| Box::pin(clear(c))),
    ],
};

async fn names(call: &Call) -> Answer {
    let all = call.manager().tag_names(&call.op, call.subscription()?).await?;
    paging::cut(call, all, |tag| tag.name.to_lowercase(), |tag| reply(call, tag))
}

fn reply(call: &Call, tag: &TagName) -> TagNameReply {
    let id = format!("{}/tagNames/{}", call.scope, tag.name);
    let values = tag.values.iter().map(|v| TagValueReply {
        id: format!("{id}/tagValues/{}", v.value),
        tag_value: v.value.clone(),
        count: Count::total(v.count),
    });
    TagNameReply { values: values.collect(), id, tag_name: tag.name.clone(), count: Count::total(tag.count) }
}

async fn define(call: &Call) -> Answer {
    let (tag, value) = (call.params.get("tag"), value_of(call));
    let subscription = call.subscription()?;
    let new = call.manager().define_tag(&call.op, call.allowed()?, subscription, tag, value).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let all = call.manager().tag_names(&call.op, subscription).await?;
    let found = all.iter().find(|t| t.name.to_lowercase() == tag.to_lowercase());
    let reply = found.map(|t| reply(call, t)).ok_or_else(Failure::busy)?;
    match value {
        None => Ok(json(status, &reply)),
        Some(value) => {
            let found = reply.values.into_iter().find(|v| v.tag_value == value);
            Ok(json(status, &found.ok_or_else(Failure::busy)?))
        }
    }
}

async fn undefine(call: &Call) -> Answer {
    let subscription = call.subscription()?;
    let (tag, value) = (call.params.get("tag"), value_of(call));
    let there = call.manager().undefine_tag(&call.op, call.allowed()?, subscription, tag, value).await?;
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn value_of(call: &Call) -> Option<&str> {
    Some(call.params.get("value")).filter(|v| !v.is_empty())
}

async fn show(call: &Call) -> Answer {
    let tags = call.manager().tags(&call.op, &call.scope).await?;
    Ok(answer(call, &tags))
}

async fn replace(call: &Call) -> Answer {
    let body = TagsBody::parse(call.document()?)?;
    apply(call, TagChange::Replace, &body.tags()?).await
}

async fn change(call: &Call) -> Answer {
    let body = TagsBody::parse(call.document()?)?;
    let operation = body.operation.as_deref().unwrap_or_default();
    let bad = || Failure::bad_body("The tags operation must be Merge, Replace or Delete.".to_owned());
    apply(call, TagChange::parse(operation).ok_or_else(bad)?, &body.tags()?).await
}

async fn clear(call: &Call) -> Answer {
    call.manager().change_tags(&call.op, call.allowed()?, &call.scope, TagChange::Replace, &[]).await?;
    Ok(bare(StatusCode::OK))
}

async fn apply(call: &Call, change: TagChange, given: &[(String, String)]) -> Answer {
    let tags = call.manager().change_tags(&call.op, call.allowed()?, &call.scope, change, given).await?;
    Ok(answer(call, &tags))
}

fn answer(call: &Call, tags: &[(String, String)]) -> cs_serve::Response {
    let reply = TagsReply {
        id: format!("{}/providers/Microsoft.Resources/tags/default", call.scope),
        name: "default",
        kind: "Microsoft.Resources/tags",
        properties: TagsProperties { tags: tag_map(tags) },
    };
    json(StatusCode::OK, &reply)
}
