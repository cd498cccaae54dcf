//! Answers: the headers all of them carry (arm.md 1.2), and resources as JSON.

use cs_access::PrincipalKind;
use cs_ids::CorrelationId;
use cs_names::Address;
use cs_resources::{ACCOUNTS, GROUPS, Resource, SERVERS, VAULTS};
use cs_serve::{Context, Request, Response, empty};
use cs_wire_arm::{SystemData, headers, tag_map};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::call::Call;

/// What an answer's headers repeat of its request.
pub(crate) struct Trail {
    request_id: String,
    correlation: CorrelationId,
    client_request_id: Option<String>,
    routing: String,
    remaining: String,
    /// The bucket of the whole subscription, beside that of the caller.
    global: Option<String>,
}

impl Trail {
    pub fn of(
        request: &Request,
        context: &Context,
        correlation: CorrelationId,
        client_request_id: Option<String>,
    ) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let within = path.get(..14).is_some_and(|p| p.eq_ignore_ascii_case("subscriptions/"));
        let level = if within { "subscription" } else { "tenant" };
        let what = match *request.method() {
            Method::GET | Method::HEAD => "reads",
            Method::DELETE if within => "deletes",
            _ => "writes",
        };
        let at = context.started.format("%Y%m%dT%H%M%SZ");
        Self {
            request_id: context.request_id.to_string(),
            routing: format!("LOCAL:{at}:{}", context.request_id),
            remaining: format!("{}-{level}-{what}", headers::REMAINING_PREFIX),
            global: within.then(|| format!("{}-subscription-global-{what}", headers::REMAINING_PREFIX)),
            correlation,
            client_request_id,
        }
    }

    pub fn finish(self, mut response: Response) -> Response {
        let all = response.headers_mut();
        let mut set = |name: &str, value: &str| {
            // What a client sent as its id may hold what no header may: then it is not repeated.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                all.insert(name, value);
            }
        };
        set(headers::REQUEST_ID, &self.request_id);
        set(headers::CORRELATION_ID, &self.correlation.to_string());
        set(headers::ROUTING_ID, &self.routing);
        // Nothing is counted: the number is what a full bucket says.
        set(&self.remaining, "11999");
        if let Some(global) = &self.global {
            set(global, "3749");
        }
        if let Some(id) = &self.client_request_id {
            set(headers::CLIENT_REQUEST_ID, id);
        }
        set("cache-control", "no-cache");
        set("pragma", "no-cache");
        set("expires", "-1");
        set("strict-transport-security", "max-age=31536000; includeSubDomains");
        set("x-content-type-options", "nosniff");
        response
    }
}

/// An answer without a body.
pub(crate) fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// 204 or 404, the only two answers to HEAD that clients know.
pub(crate) fn head(is_there: bool) -> Response {
    bare(if is_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

/// A resource as its own GET shows it.
pub(crate) fn whole(r: &Resource, call: &Call) -> Value {
    let mut all = Map::new();
    all.insert("id".to_owned(), json!(r.id.as_str()));
    all.insert("name".to_owned(), json!(r.id.name()));
    all.insert("type".to_owned(), json!(r.kind));
    all.insert("location".to_owned(), json!(r.location));
    all.insert("tags".to_owned(), Value::Object(tag_map(&r.tags)));
    all.extend(r.extra.as_object().cloned().unwrap_or_default());
    all.insert("properties".to_owned(), properties(r, &call.address));
    if r.kind != GROUPS {
        all.insert("systemData".to_owned(), json!(system_data(r, call)));
    }
    Value::Object(all)
}

/// A resource as lists of resources of all types show it: without `properties`.
pub(crate) fn row(r: &Resource, expand: bool) -> Value {
    let mut all = Map::new();
    all.insert("id".to_owned(), json!(r.id.as_str()));
    all.insert("name".to_owned(), json!(r.id.name()));
    all.insert("type".to_owned(), json!(r.kind));
    all.insert("location".to_owned(), json!(r.location));
    all.insert("tags".to_owned(), Value::Object(tag_map(&r.tags)));
    for name in ["kind", "sku", "identity", "managedBy"] {
        if let Some(value) = r.extra.get(name) {
            all.insert(name.to_owned(), value.clone());
        }
    }
    if expand {
        all.insert("createdTime".to_owned(), json!(r.created.iso7()));
        all.insert("changedTime".to_owned(), json!(r.updated.iso7()));
        all.insert("provisioningState".to_owned(), json!("Succeeded"));
    }
    Value::Object(all)
}

/// What depends on the address the caller came by is written here and stored nowhere.
fn properties(r: &Resource, address: &Address) -> Value {
    let mut all = r.properties.as_object().cloned().unwrap_or_default();
    match r.kind.as_str() {
        GROUPS => drop(all.insert("provisioningState".to_owned(), json!("Succeeded"))),
        VAULTS => drop(all.insert("vaultUri".to_owned(), json!(format!("{}/", address.vault(r.id.name()))))),
        SERVERS => {
            let host = address.names().postgres_host(r.id.name());
            all.insert("fullyQualifiedDomainName".to_owned(), json!(host));
        }
        ACCOUNTS => {
            let blob = format!("{}/", address.blob(r.id.name()));
            all.insert("primaryEndpoints".to_owned(), json!({ "blob": blob }));
        }
        _ => {}
    }
    Value::Object(all)
}

/// What somebody is, in the words of `systemData`. Whoever the directory never knew came as an application.
fn type_of(r: &Resource, who: &str, call: &Call) -> &'static str {
    let kind = who.parse().ok().and_then(|object| call.parts.access.kind_of(r.tenant, object));
    match kind {
        Some(PrincipalKind::User) => "User",
        Some(PrincipalKind::MachineIdentity | PrincipalKind::UserAssignedIdentity) => "ManagedIdentity",
        Some(PrincipalKind::Application | PrincipalKind::Group) | None => "Application",
    }
}

fn system_data(r: &Resource, call: &Call) -> SystemData {
    SystemData {
        created_by: r.created_by.clone(),
        created_by_type: type_of(r, &r.created_by, call),
        created_at: r.created.iso7(),
        last_modified_by: r.updated_by.clone(),
        last_modified_by_type: type_of(r, &r.updated_by, call),
        last_modified_at: r.updated.iso7(),
    }
}
