//! A group as a template (`az group export`): what its resources say, without what the product says of them.

use cs_ids::ResourceId;
use cs_resources::{Resource, ResourceFilter};
use cs_serve::json;
use cs_wire_arm::{ExportQuestion, ExportReply, tag_map};
use http::StatusCode;
use serde_json::{Map, Value, json as value};

use super::super::{ALL, resources::may_read};
use crate::{
    call::{Answer, Call},
    doors::Body,
    failure::{Failure, shown},
};

pub(super) const BODY: Body = Body::Json("resources, options, outputFormat");
const SCHEMA: &str = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
/// Resources of one template, as in the original.
const EXPORTED_MAX: u32 = 200;
/// Members that nobody writes: a template that names them would fail elsewhere.
const SAID_BY_US: &[&str] = &[
    "provisioningState",
    "principalId",
    "clientId",
    "instanceView",
    "creationDate",
    "keyCreationTime",
    "status",
    "lastStatusChange",
    "errorDetails",
    // Whose machine it is: elsewhere another machine connects by a key of its own.
    "clientPublicKey",
    "vmId",
    "vmUuid",
];

/// Names are written out and not made parameters, whatever `options` ask.
pub(super) async fn export(call: &Call) -> Answer {
    let question: ExportQuestion = call.json()?;
    if question.output_format.as_deref().is_some_and(|format| !format.eq_ignore_ascii_case("json")) {
        return Err(Failure::bad_body(
            "The property 'outputFormat' must be Json: no Bicep is made here.".to_owned(),
        ));
    }
    let group = call.id()?;
    call.manager().existing(&call.op, &group).await?;
    let found = match wanted(&question, &group)? {
        Some(ids) if ids.len() > EXPORTED_MAX as usize => return Err(too_many()),
        Some(ids) => {
            let mut found = Vec::new();
            for id in &ids {
                found.push(call.manager().existing(&call.op, id).await?);
            }
            found
        }
        None => everything(call, &group).await?,
    };
    let mut seen = Vec::new();
    for resource in found {
        if may_read(call, &resource)? {
            seen.push(resource);
        }
    }
    let has = |id: &ResourceId| seen.iter().any(|r| r.id == *id);
    let rows: Vec<Value> = seen.iter().map(|resource| described(resource, has)).collect();
    let template = value!({
        "$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": {}, "variables": {}, "resources": rows,
    });
    Ok(json(StatusCode::OK, &ExportReply { template }))
}

async fn everything(call: &Call, group: &ResourceId) -> Result<Vec<Resource>, Failure> {
    let filter = ResourceFilter {
        subscription: Some(group.subscription()),
        // As keys are folded.
        group: group.group().map(str::to_ascii_lowercase),
        groups: Some(false),
        limit: EXPORTED_MAX,
        ..ResourceFilter::default()
    };
    let page = call.manager().list(&call.op, filter).await?;
    if page.next.is_some() { Err(too_many()) } else { Ok(page.rows) }
}

fn too_many() -> Failure {
    let message = format!("A template has at most {EXPORTED_MAX} resources: name those to export.");
    Failure::new(StatusCode::BAD_REQUEST, "ResourceGroupExportLimitExceeded", message)
}

/// The resources that are named; all, where `*` is among them.
fn wanted(question: &ExportQuestion, group: &ResourceId) -> Result<Option<Vec<ResourceId>>, Failure> {
    if question.resources.is_empty() || question.resources.iter().any(|id| id == "*") {
        return Ok(None);
    }
    let read = |text: &String| {
        let id = ResourceId::parse(text).ok().filter(|id| group.scope().contains(id.scope()));
        let message = || format!("The resource id '{}' is none of this resource group.", shown(text));
        id.ok_or_else(|| Failure::bad_body(message()))
    };
    question.resources.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// A template may depend only on what it has itself.
fn described(r: &Resource, has: impl Fn(&ResourceId) -> bool) -> Value {
    let version = ALL.iter().find(|t| t.name.eq_ignore_ascii_case(&r.kind)).and_then(|t| t.versions.first());
    let mut all = Map::new();
    all.insert("type".to_owned(), value!(r.kind));
    all.insert("apiVersion".to_owned(), value!(version));
    all.insert("name".to_owned(), value!(names(&r.id)));
    all.insert("location".to_owned(), value!(r.location));
    if let Some(parent) = r.id.parent().filter(has) {
        all.insert("dependsOn".to_owned(), value!([parent.as_str()]));
    }
    if !r.tags.is_empty() {
        all.insert("tags".to_owned(), Value::Object(tag_map(&r.tags)));
    }
    let own = r.extra.as_object().into_iter().flatten();
    all.extend(own.map(|(name, value)| {
        let value = if name == "identity" { identity(value) } else { value.clone() };
        (name.clone(), value)
    }));
    let mut properties = r.properties.as_object().cloned().unwrap_or_default();
    properties.retain(|name, _| !SAID_BY_US.contains(&name.as_str()));
    all.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(all)
}

/// `vault/secret`: the names of a child and of what it lies in.
fn names(id: &ResourceId) -> String {
    // "", subscriptions, S, resourceGroups, G, providers, namespace, type, name, type, name
    id.as_str().split('/').skip(8).step_by(2).collect::<Vec<_>>().join("/")
}

/// Which identities, and not whose ids they have here.
fn identity(value: &Value) -> Value {
    let attached = value.get("userAssignedIdentities").and_then(Value::as_object);
    let mut told = Map::new();
    told.extend(value.get("type").map(|kind| ("type".to_owned(), kind.clone())));
    told.extend(attached.map(|all| {
        let all: Map<String, Value> = all.keys().map(|id| (id.clone(), value!({}))).collect();
        ("userAssignedIdentities".to_owned(), Value::Object(all))
    }));
    Value::Object(told)
}
