//! Azure Resource Manager's HTTP (arm.md).
//!
//! A request's way: its token is checked ([`Arm::serve`]); the table of its type finds the door (`types/`, one folder a
//! type, each a table and its handlers); [`authorise`] asks for the action the row names at the scope the row's path
//! spells, and only then does the handler run, with the proof in its [`call::Call`]. So whoever may not read a
//! resource learns nothing about it, not even whether it exists.

mod answer;
mod asked;
mod authorise;
mod call;
mod cloud;
mod doors;
mod failure;
mod paging;
mod place;
mod resources_filter;
mod types;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cs_access::Access;
use cs_audit::Audit;
use cs_authority::{Audiences, KnownResource, TokenCheck};
use cs_blob::Blobs;
use cs_databases::Databases;
use cs_ids::{CorrelationId, SubscriptionId, TenantId};
use cs_names::Address;
use cs_pki::ClientRequest;
use cs_rbac::{Caller, Operation};
use cs_resources::{Manager, When};
use cs_serve::{
    Bearer, Context, Query, Request, Response, Surface, bearer, json_has_nul, percent_decode, read_body,
    single, without_mark,
};
use cs_time::Chance;
use cs_vault::Vaults;
use cs_wire_arm::{GatewayKey, headers};
use http::{HeaderMap, Method};

pub use doors::{Body, Entry, entries};

use crate::{
    asked::{Asked, Memory},
    call::Call,
    failure::Failure,
    types::enrolment,
};

/// Larger bodies are refused unread; the largest real one, a vault with 1,024 policies, is about 0.5 MiB.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Of whoever has proven nothing yet.
const JOIN_BODY_MAX_BYTES: usize = 64 * 1024;

/// What the site tells database gateways in processes of their own.
pub trait Gateways: Send + Sync {
    /// Names that tokens are issued under.
    fn issuers(&self) -> Vec<String>;

    fn keys(&self, tenant: TenantId) -> Vec<GatewayKey>;

    /// A TLS certificate for the name of a database server, PEM, the leaf first; `None` where the site has no CA.
    fn certificate(&self, host: &str, request: &ClientRequest) -> Option<String>;
}

/// What the surface stands on.
pub struct Parts {
    pub manager: Arc<Manager>,
    /// For containers of accounts.
    pub blobs: Arc<Blobs>,
    /// For secrets of vaults.
    pub vaults: Arc<Vaults>,
    /// For client certificates of database servers.
    pub databases: Arc<Databases>,
    pub chance: Arc<dyn Chance>,
    pub gateways: Arc<dyn Gateways>,
    pub access: Arc<Access>,
    pub audit: Arc<Audit>,
    pub tokens: Arc<dyn TokenCheck>,
}

/// The surface at `management.` + suffix.
pub struct Arm {
    parts: Arc<Parts>,
    doors: doors::Tables,
    memory: Memory,
    audiences: Mutex<Option<(Address, Arc<Audiences>)>>,
}

impl Arm {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            doors: doors::Tables::new(),
            memory: Memory::default(),
            audiences: Mutex::default(),
        }
    }
}

#[async_trait]
impl Surface for Arm {
    async fn serve(&self, request: Request, context: Context) -> Response {
        let correlation =
            cs_serve::correlation(request.headers()).unwrap_or_else(|| context.request_id.into());
        let client_request_id = sent(&request, headers::CLIENT_REQUEST_ID).filter(|id| id.len() <= 256);
        let trail = answer::Trail::of(&request, &context, correlation, client_request_id.clone());
        let outcome = self.answer(request, &context, correlation, client_request_id).await;
        trail.finish(outcome.unwrap_or_else(|failure| failure.answer(&context)))
    }
}

impl Arm {
    async fn answer(
        &self,
        request: Request,
        context: &Context,
        correlation: CorrelationId,
        client_request_id: Option<String>,
    ) -> Result<Response, Failure> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        // What is remembered was well-formed, and goes through one of the doors behind the token.
        if let Some(asked) = self.memory.of(&head.method, &head.uri) {
            let caller = self.caller(&head.headers, path, context).await?;
            let when = when(&head.headers)?;
            let op = Operation { client_request_id, ..Operation::new(caller, correlation, context.started) };
            return self
                .enter(self.call(op, asked, (document(body, BODY_MAX_BYTES).await?, when), context))
                .await;
        }
        let query = Query::storable(head.uri.query()).map_err(|_| Failure::bad_uri())?;
        if cloud::is_metadata(&head.method, path) {
            return Ok(cloud::endpoints(&query, &context.address));
        }
        if enrolment::is_join(&head.method, path) {
            return self.join((&head.method, path, query), body, context, correlation).await;
        }
        let caller = self.caller(&head.headers, path, context).await?;
        let version = version_of(&query)?;
        check_path(path)?;
        let when = when(&head.headers)?;
        let way = self.doors.find(head.method.as_str(), path, &query)?;
        if !is_version(version) {
            return Err(Failure::bad_api_version(version, way.kind.versions));
        }
        let op = Operation { client_request_id, ..Operation::new(caller, correlation, context.started) };
        let body = document(body, BODY_MAX_BYTES).await?;
        let asked = Arc::new(way.asked(query, path.to_owned()).at()?);
        self.memory.keep(&head.method, &head.uri, &asked);
        self.enter(self.call(op, asked, (body, when), context)).await
    }

    /// The door whose credentials are in its body: nobody asks until the handler has proven the join token.
    async fn join(
        &self,
        (method, path, query): (&Method, &str, Query),
        body: cs_serve::Body,
        context: &Context,
        correlation: CorrelationId,
    ) -> Result<Response, Failure> {
        let version = version_of(&query)?;
        let way = self.doors.find(method.as_str(), path, &query)?;
        if !is_version(version) {
            return Err(Failure::bad_api_version(version, way.kind.versions));
        }
        let body = document(body, JOIN_BODY_MAX_BYTES).await?;
        let op = Operation::new(enrolment::nobody(&body)?, correlation, context.started);
        let asked = Arc::new(way.asked(query, path.to_owned()));
        let call = self.call(op, asked, (body, When::Always), context);
        (call.door.op.run)(&call).await
    }

    fn call(
        &self,
        op: Operation,
        asked: Arc<Asked>,
        (body, when): (bytes::Bytes, When),
        context: &Context,
    ) -> Call {
        let (parts, address) = (Arc::clone(&self.parts), context.address.clone());
        Call { parts, op, asked, body, when, address, allowed: None }
    }

    async fn enter(&self, mut call: Call) -> Result<Response, Failure> {
        let door = call.door;
        call.check_subscription().await?;
        authorise::authorise(&mut call, door).await?;
        if let Some(deed) = authorise::deed(door) {
            call.manager().check_locks(&call.op, &call.scope, deed).await?;
        }
        let response = (door.op.run)(&call).await?;
        if matches!(door.method, "GET" | "HEAD") {
            call.record_read()?;
        }
        Ok(response)
    }

    /// The names of this resource at an address; nearly everybody comes by the same one.
    fn audiences(&self, address: &Address) -> Arc<Audiences> {
        let mut last = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, names)) if known == address => Arc::clone(names),
            _ => {
                let names = Arc::new(KnownResource::Arm.audiences(address));
                *last = Some((address.clone(), Arc::clone(&names)));
                names
            }
        }
    }

    /// Who asks. Without a good token the answer says where to get one: at the tenant of the subscription in the
    /// path, where there is one (arm.md 2.2).
    async fn caller(&self, headers: &HeaderMap, path: &str, context: &Context) -> Result<Caller, Failure> {
        let refusal = match bearer(headers) {
            Bearer::Token(token) => {
                let audiences = self.audiences(&context.address);
                match self.parts.tokens.check(token, &audiences) {
                    Ok(caller) => return Ok(caller),
                    Err(refusal) => Failure::token(refusal, &audiences, context.started),
                }
            }
            Bearer::Absent => Failure::no_token(),
            Bearer::Malformed | Bearer::Other(..) => Failure::bad_token(),
        };
        let tenant = match subscription_in(path) {
            Some(id) => self.parts.manager.tenant_of(id).await?,
            None => None,
        };
        Err(refusal.at_tenant(tenant))
    }
}

/// A header as sent, where it came once and is text.
fn sent(request: &Request, name: &str) -> Option<String> {
    single(request.headers(), name).ok().flatten().map(str::to_owned)
}

/// A body, which is a document in JSON. A NUL is refused: one of the databases takes none in a text.
async fn document(body: cs_serve::Body, max: usize) -> Result<bytes::Bytes, Failure> {
    let body = without_mark(read_body(body, max).await.map_err(Failure::from)?);
    if json_has_nul(&body) {
        let text = "The request content was invalid: a text holds the character NUL.";
        return Err(Failure::bad_body(text.to_owned()));
    }
    Ok(body)
}

/// What the conditional headers ask (arm.md 1.7). Nothing here has an ETag, so a named one is never the present one.
fn when(headers: &HeaderMap) -> Result<When, Failure> {
    let one = |name: &str| single(headers, name).map_err(|()| Failure::precondition());
    match (one("if-match")?, one("if-none-match")?) {
        (None, Some("*")) => Ok(When::Absent),
        (Some("*"), None) => Ok(When::Present),
        (None, _) => Ok(When::Always),
        (Some(_), _) => Err(Failure::precondition()),
    }
}

/// `api-version` is required. A doubled parameter could be read two ways.
fn version_of(query: &Query) -> Result<&str, Failure> {
    if query.has_duplicates() {
        return Err(Failure::bad_uri());
    }
    query.get("api-version").filter(|v| !v.is_empty()).ok_or_else(Failure::no_api_version)
}

/// Whether it may be a version: a date since the resource manager is there, and a word behind it (arm.md 1.1). Clients
/// have newer ones every month; none is refused for that.
fn is_version(text: &str) -> bool {
    let (Some(date), Some(rest)) = (text.get(..10), text.get(10..)) else { return false };
    let dated = date.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let within = |range: std::ops::Range<usize>, least: u16, most: u16| {
        date.get(range).and_then(|n| n.parse().ok()).is_some_and(|n: u16| (least..=most).contains(&n))
    };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let suffix = rest.is_empty() || rest.len() > 1 && rest.starts_with('-') && rest[1..].bytes().all(word);
    dated
        && within(0..4, 2013, 9999)
        && within(5..7, 1, 12)
        && within(8..10, 1, 31)
        && suffix
        && rest.len() <= 32
}

/// Encoded separators would let two readers of one path see two resources (D01), and so would segments that many clients
/// and proxies take away before they send: `.` and `..` name nothing here.
fn check_path(path: &str) -> Result<(), Failure> {
    if !path.contains(['%', '\\']) && !path.contains("/.") {
        return Ok(());
    }
    let clear = |segment: &str| {
        let text = percent_decode(segment);
        text.is_some_and(|text| text != "." && text != ".." && !text.contains(['/', '\\', '%', '\0']))
    };
    if path.split('/').all(clear) { Ok(()) } else { Err(Failure::bad_uri()) }
}

fn subscription_in(path: &str) -> Option<SubscriptionId> {
    let mut segments = path.split('/').filter(|s| !s.is_empty());
    segments.next().filter(|s| s.eq_ignore_ascii_case("subscriptions"))?;
    segments.next()?.parse().ok()
}
