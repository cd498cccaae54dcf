//! Blob storage's HTTP (blob.md).
//!
//! Paths are taken as they come: names are opaque, `//`, dots and case mean something. Who may do what is settled before
//! a byte of a body is read, so that `Expect: 100-continue` is answered only to those who may.

mod account;
mod auth;
mod authorise;
mod batch;
mod blobs;
mod blocks;
mod copy;
mod delegation;
mod development;
mod doors;
mod failure;
mod headers;
mod leases;
mod list;
mod notes;

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::Access;
use cs_authority::TokenCheck;
use cs_blob::{Account, BlobError, Blobs};
use cs_names::Surface as Place;
use cs_rbac::{Allowed, Operation};
use cs_serve::{Body, Context, Doors, Found, Paths, Query, Request, Response, Surface, single};
use cs_time::Clock;
use http::{HeaderMap, HeaderValue};

use self::{
    auth::{Asked, Proof},
    doors::{DOORS, Op},
    failure::{Code, Failure},
};

pub use self::{development::Development, doors::doors};

/// The surface at `{account}.blob.core.` + suffix.
pub struct BlobHttp {
    blobs: Arc<Blobs>,
    access: Arc<Access>,
    tokens: Arc<dyn TokenCheck>,
    clock: Arc<dyn Clock>,
    doors: Doors<Op>,
}

impl BlobHttp {
    pub fn new(
        blobs: Arc<Blobs>,
        access: Arc<Access>,
        tokens: Arc<dyn TokenCheck>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { blobs, access, tokens, clock, doors: Doors::new(DOORS, Paths::Exact) }
    }
}

/// How an address names its account.
#[derive(Debug, Clone)]
pub(crate) enum Style {
    /// By the first label of its host.
    Host,
    /// By the first segment of its path; answers then name this endpoint.
    Path { endpoint: String },
}

/// A request that may do what it asks for.
pub(crate) struct Call<'c> {
    pub blobs: &'c Blobs,
    pub account: &'c Account,
    pub op: &'c Operation,
    pub allowed: Allowed,
    pub query: &'c Query,
    pub headers: &'c HeaderMap,
    /// Names of metadata headers as the client wrote them.
    pub written: Vec<String>,
    /// `https://{account}.blob.core.S[:port]/`
    pub endpoint: String,
    pub container: String,
    /// Decoded; empty where the path names no blob.
    pub blob: String,
    /// What a copy reads from.
    pub source: Option<copy::Source>,
}

#[async_trait]
impl Surface for BlobHttp {
    async fn serve(&self, request: Request, context: Context) -> Response {
        self.serve_styled(request, context, Style::Host).await
    }
}

impl BlobHttp {
    pub(crate) async fn serve_styled(&self, request: Request, context: Context, style: Style) -> Response {
        let head = request.method() == http::Method::HEAD;
        let (version, client_request) = {
            let echoed = |name: &str| single(request.headers(), name).ok().flatten().map(str::to_owned);
            (echoed("x-ms-version"), echoed("x-ms-client-request-id"))
        };
        let outcome = self.answer(request, &context, &style).await;
        let now = self.clock.now();
        let mut response =
            outcome.unwrap_or_else(|failure| failure.answer(head, &context.request_id.to_string(), now));
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set("server", "Countersign-Blob/1.0");
        set("x-ms-request-id", &context.request_id.to_string());
        if let Some(version) = version.filter(|v| headers::is_version(v)) {
            set("x-ms-version", &version);
        }
        if let Some(id) = client_request.filter(|id| id.len() <= 1024) {
            set("x-ms-client-request-id", &id);
        }
        response
    }

    async fn answer(&self, request: Request, context: &Context, style: &Style) -> Result<Response, Failure> {
        let Place::Blob { account: label, secondary } = &context.place else {
            return Err(Code::RESOURCE_NOT_FOUND.into());
        };
        let account = self.blobs.account(label).await?.ok_or(Code::RESOURCE_NOT_FOUND)?;
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query()).map_err(|_| Code::INVALID_QUERY)?;
        let (method, signed_path) = (parts.method.as_str(), parts.uri.path());
        let path = match style {
            Style::Host => signed_path,
            Style::Path { .. } => without_account(signed_path, account.id.name()),
        };
        let (container, blob) = names_of(path);
        let asked = Asked {
            method,
            path: signed_path,
            raw_query: parts.uri.query(),
            query: &query,
            headers: &parts.headers,
            envelope_version: parts.extensions.get::<batch::EnvelopeVersion>().map(|v| v.0.as_str()),
            peer: context.peer,
            now: self.clock.now(),
            account: &account,
            container: &container,
            blob: &blob,
        };
        let asker = self.asker(&asked, context, style)?;
        let (door, params) = match self.doors.find(method, path, &query) {
            Found::Door(door, params) => (door, params),
            Found::OtherMethods(_) | Found::Nowhere => return Err(nowhere(method)),
        };
        if *secondary && !matches!(method, "GET" | "HEAD") {
            return Err(Code::WRITE_TO_SECONDARY.into());
        }
        let readable = cs_serve::percent_decode(params.get("blob")).is_some();
        let named = headers::check_names(&container, &blob);
        let built = headers::only_what_is_built(&parts.headers, &query, &blob);
        if door.op == Op::Batch {
            return self.batch(&parts.headers, body, &container, (context, style)).await;
        }
        let allowed = self.require(&asker, &asked, door).await?;
        if !readable {
            return Err(Code::INVALID_URI.into());
        }
        named?;
        built?;
        if asked.headers.get("x-ms-tags").is_some_and(|tags| !tags.is_empty()) {
            self.may_tag(&asker, &asked).await?;
        }
        let source = match door.op {
            Op::PutBlob | Op::PutBlock => self.source(&asker, &asked, (context, style)).await?,
            _ => None,
        };
        let call = Call {
            blobs: &self.blobs,
            account: &account,
            op: &asker.op,
            allowed,
            query: &query,
            headers: &parts.headers,
            written: cs_serve::spelled(&parts, headers::METADATA).await,
            endpoint: match style {
                Style::Host => format!("{}/", context.address.blob(label)),
                Style::Path { endpoint } => endpoint.clone(),
            },
            container: container.clone(),
            blob: blob.clone(),
            source,
        };
        let done = self.carry_out(&call, door.op, body).await;
        let mut response =
            done.map_err(|failure| if blob.is_empty() { failure.of_container() } else { failure })?;
        if let (Proof::Signature(sas), Op::GetBlob | Op::HeadBlob) = (&asker.proof, door.op) {
            for (name, value) in &sas.overrides {
                headers::put(response.headers_mut(), name, value);
            }
        }
        Ok(response)
    }

    async fn carry_out(&self, call: &Call<'_>, op: Op, body: Body) -> Result<Response, Failure> {
        match op {
            Op::AccountInfo => Ok(account::info()),
            Op::ListContainers => account::list(call).await,
            Op::CreateContainer => account::create(call).await,
            Op::GetContainer => account::get(call).await,
            Op::SetContainerMetadata => account::set_metadata(call).await,
            Op::DeleteContainer => account::delete(call).await,
            Op::ListBlobs => list::list(call).await,
            Op::PutBlob => blobs::put(call, body).await,
            Op::GetBlob => blobs::get(call).await,
            Op::HeadBlob => blobs::head(call).await,
            Op::GetMetadata => blobs::get_metadata(call).await,
            Op::DeleteBlob => blobs::delete(call).await,
            Op::SetMetadata => blobs::set_metadata(call).await,
            Op::SetProperties => blobs::set_properties(call).await,
            Op::PutBlock => blocks::put_block(call, body).await,
            Op::PutBlockList => blocks::put_list(call, body).await,
            Op::GetBlockList => blocks::get_list(call).await,
            Op::UserDelegationKey => delegation::key(call, body).await,
            Op::GetServiceProperties => Ok(account::service_properties()),
            Op::GetContainerAcl => account::acl(call).await,
            Op::SetTier => notes::set_tier(call).await,
            Op::GetTags => notes::get_tags(call).await,
            Op::SetTags => notes::set_tags(call, body).await,
            Op::LeaseContainer | Op::LeaseBlob => leases::lease(call).await,
            Op::AbortCopy => Err(Code::NO_PENDING_COPY.into()),
            // Answered before anything is decided: each of its requests is decided on its own.
            Op::Batch => Err(Code::INVALID_BATCH.into()),
            Op::NotYet => Err(not_yet(call.query)),
        }
    }
}

/// `/account/c/b` without the account; requests of a batch leave it out themselves.
fn without_account<'p>(path: &'p str, account: &str) -> &'p str {
    match path.trim_start_matches('/').strip_prefix(account) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// Container and blob of a path, decoded; what cannot be decoded is no name, and refused once the caller is known.
fn names_of(path: &str) -> (String, String) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (container, blob) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| cs_serve::percent_decode(text).unwrap_or_default();
    (decoded(container), decoded(blob))
}

fn nowhere(method: &str) -> Failure {
    match method {
        "GET" | "HEAD" | "PUT" | "POST" | "DELETE" => Code::INVALID_URI.into(),
        _ => Code::UNSUPPORTED_VERB.into(),
    }
}

/// Words of `comp` the documents know; any other is the caller's mistake.
fn not_yet(query: &Query) -> Failure {
    const KNOWN: [&str; 14] = [
        "properties",
        "stats",
        "userdelegationkey",
        "blobs",
        "acl",
        "undelete",
        "snapshot",
        "appendblock",
        "seal",
        "page",
        "pagelist",
        "incrementalcopy",
        "query",
        "expiry",
    ];
    match query.get("comp") {
        Some(comp) if KNOWN.contains(&comp.to_ascii_lowercase().as_str()) => Code::NOT_IMPLEMENTED.into(),
        _ => Code::INVALID_QUERY.into(),
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        failure::of_part(error)
    }
}
