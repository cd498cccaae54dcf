//! Answers: the headers all of them carry (arm.md 1.2), and resources as JSON.

use cs_access::PrincipalKind;
use cs_ids::CorrelationId;
use cs_names::Address;
use cs_resources::{ACCOUNTS, GROUPS, Resource, SERVERS, VAULTS};
use cs_serve::{Context, Request, Response, empty};
use cs_time::Timestamp;
use cs_wire_arm::{SystemData, headers, tag_map};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::Call;

/// What an answer's headers repeat of its request.
pub(crate) struct Trail {
    request_id: Uuid,
    started: Timestamp,
    correlation: CorrelationId,
    client_request_id: Option<String>,
    /// Names of the buckets that are told.
    buckets: &'static [&'static str],
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
        let buckets = match *request.method() {
            Method::GET | Method::HEAD if within => headers::SUBSCRIPTION_READS,
            Method::DELETE if within => headers::SUBSCRIPTION_DELETES,
            _ if within => headers::SUBSCRIPTION_WRITES,
            Method::GET | Method::HEAD => headers::TENANT_READS,
            _ => headers::TENANT_WRITES,
        };
        let (request_id, started) = (context.request_id, context.started);
        Self { request_id, started, correlation, client_request_id, buckets }
    }

    pub fn finish(self, mut response: Response) -> Response {
        /// All of them and what the body brings, so that the map grows once.
        const HEADERS: usize = 20;
        let all = response.headers_mut();
        all.reserve(HEADERS);
        let at = self.started.basic();
        let told = [
            (headers::REQUEST_ID, self.request_id.to_string()),
            (headers::CORRELATION_ID, self.correlation.to_string()),
            (headers::ROUTING_ID, format!("LOCAL:{at}:{}", self.request_id)),
        ];
        // What a client sent as its id may hold what no header may: then it is not repeated.
        let repeated = self.client_request_id.map(|id| (headers::CLIENT_REQUEST_ID, id));
        for (name, value) in told.into_iter().chain(repeated) {
            if let Ok(value) = HeaderValue::try_from(value) {
                all.insert(HeaderName::from_static(name), value);
            }
        }
        // Nothing is counted: the number is what a full bucket says.
        for (name, value) in self.buckets.iter().zip(["11999", "3749"]) {
            all.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in ALWAYS {
            all.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::PRAGMA, "no-cache"),
    (header::EXPIRES, "-1"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

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

/// A resource as its own GET shows it, written straight from the row.
pub(crate) struct Shown<'r> {
    r: &'r Resource,
    call: &'r Call,
}

impl<'r> Shown<'r> {
    pub fn new(r: &'r Resource, call: &'r Call) -> Self {
        Self { r, call }
    }
}

/// Members that are no kind's own; those of a row that go by these names are not shown.
const OUR_MEMBERS: [&str; 7] = ["id", "name", "type", "location", "tags", "properties", "systemData"];

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { r, call } = *self;
        let mut all = to.serialize_map(None)?;
        all.serialize_entry("id", r.id.as_str())?;
        all.serialize_entry("name", r.id.name())?;
        all.serialize_entry("type", &r.kind)?;
        all.serialize_entry("location", &r.location)?;
        all.serialize_entry("tags", &Tags(&r.tags))?;
        let own = r.extra.as_object().into_iter().flatten();
        for (name, value) in own.filter(|(name, _)| !OUR_MEMBERS.contains(&name.as_str())) {
            all.serialize_entry(name, value)?;
        }
        match extra_property(r, &call.address) {
            None if r.properties.is_object() => all.serialize_entry("properties", &r.properties)?,
            more => {
                let mut properties = r.properties.as_object().cloned().unwrap_or_default();
                properties.extend(more.map(|(name, value)| (name.to_owned(), value)));
                all.serialize_entry("properties", &properties)?;
            }
        }
        if r.kind != GROUPS {
            all.serialize_entry("systemData", &system_data(r, call))?;
        }
        all.end()
    }
}

/// Names are unique on a resource.
struct Tags<'r>(&'r [(String, String)]);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The same as a document, for what lists and questions make of it.
pub(crate) fn whole(r: &Resource, call: &Call) -> Value {
    // Only maps whose keys are no text cannot be made one.
    serde_json::to_value(Shown::new(r, call)).unwrap_or_default()
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
fn extra_property(r: &Resource, address: &Address) -> Option<(&'static str, Value)> {
    Some(match r.kind.as_str() {
        GROUPS => ("provisioningState", json!("Succeeded")),
        VAULTS => ("vaultUri", json!(format!("{}/", address.vault(r.id.name())))),
        SERVERS => ("fullyQualifiedDomainName", json!(address.names().postgres_host(r.id.name()))),
        ACCOUNTS => ("primaryEndpoints", json!({ "blob": format!("{}/", address.blob(r.id.name())) })),
        _ => return None,
    })
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
