//! Blob storage's HTTP (blob.md).
//!
//! Paths are taken as they come: names are opaque, `//`, dots and case mean something. Who may do what is settled before
//! a byte of a body is read, so that `Expect: 100-continue` is answered only to those who may.

mod account;
mod blobs;
mod blocks;
mod doors;
mod failure;
mod headers;
mod list;

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::{Access, Refusal};
use cs_authority::{KnownResource, TokenCheck};
use cs_blob::{Account, BlobError, Blobs};
use cs_names::Surface as Place;
use cs_rbac::{Allowed, Attributes, Operation, Source, condition::names};
use cs_serve::{
    Bearer, Context, Doors, Found, Needs, Params, Paths, Query, Request, Response, Surface, bearer, single,
};
use cs_time::Clock;
use http::{HeaderMap, HeaderValue};

use self::{
    doors::{BLOB_ADD, DOORS, Op},
    failure::{Code, Failure},
};

pub use self::doors::doors;

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

/// A request that may do what it asks for.
pub(crate) struct Call<'c> {
    pub blobs: &'c Blobs,
    pub account: &'c Account,
    pub op: &'c Operation,
    pub allowed: Allowed,
    pub query: &'c Query,
    pub headers: &'c HeaderMap,
    /// `https://{account}.blob.core.S[:port]/`
    pub endpoint: String,
    pub container: String,
    /// Decoded; empty where the path names no blob.
    pub blob: String,
}

/// Versions without this are not spoken with tokens (blob.md 3).
const BEARER_SINCE: &str = "2017-11-09";

#[async_trait]
impl Surface for BlobHttp {
    async fn serve(&self, request: Request, context: Context) -> Response {
        let head = request.method() == http::Method::HEAD;
        let (version, client_request) = {
            let echoed = |name: &str| single(request.headers(), name).ok().flatten().map(str::to_owned);
            (echoed("x-ms-version"), echoed("x-ms-client-request-id"))
        };
        let outcome = self.answer(request, &context).await;
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
}

impl BlobHttp {
    async fn answer(&self, request: Request, context: &Context) -> Result<Response, Failure> {
        let Place::Blob { account: label, secondary } = &context.place else {
            return Err(Code::RESOURCE_NOT_FOUND.into());
        };
        let account = self.blobs.account(label).await?.ok_or(Code::RESOURCE_NOT_FOUND)?;
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query()).map_err(|_| Code::INVALID_QUERY)?;
        let op = self.caller(&parts.headers, &query, context, &account)?;
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let (door, params) = match self.doors.find(method, path, &query) {
            Found::Door(door, params) => (door, params),
            Found::OtherMethods(_) | Found::Nowhere => return Err(nowhere(method)),
        };
        if *secondary && !matches!(method, "GET" | "HEAD") {
            return Err(Code::WRITE_TO_SECONDARY.into());
        }
        let blob = cs_serve::percent_decode(params.get("blob")).ok_or(Code::INVALID_URI)?;
        let named = headers::check_names(params.get("container"), &blob);
        let built = headers::only_what_is_built(&parts.headers, &query, &blob);
        let allowed = self.require(&op, &account, door, &params, &blob, &query).await?;
        named?;
        built?;
        let call = Call {
            blobs: &self.blobs,
            account: &account,
            op: &op,
            allowed,
            query: &query,
            headers: &parts.headers,
            endpoint: format!("{}/", context.address.blob(label)),
            container: params.get("container").to_owned(),
            blob,
        };
        match door.op {
            Op::AccountInfo => Ok(account::info()),
            Op::ListContainers => account::list(&call).await,
            Op::CreateContainer => account::create(&call).await,
            Op::GetContainer => account::get(&call).await,
            Op::SetContainerMetadata => account::set_metadata(&call).await,
            Op::DeleteContainer => account::delete(&call).await,
            Op::ListBlobs => list::list(&call).await,
            Op::PutBlob => blobs::put(&call, body).await,
            Op::GetBlob => blobs::get(&call).await,
            Op::HeadBlob => blobs::head(&call).await,
            Op::GetMetadata => blobs::get_metadata(&call).await,
            Op::DeleteBlob => blobs::delete(&call).await,
            Op::SetMetadata => blobs::set_metadata(&call).await,
            Op::SetProperties => blobs::set_properties(&call).await,
            Op::PutBlock => blocks::put_block(&call, body).await,
            Op::PutBlockList => blocks::put_list(&call, body).await,
            Op::GetBlockList => blocks::get_list(&call).await,
            Op::NotYet => Err(not_yet(&query)),
        }
    }

    fn caller(
        &self,
        headers: &HeaderMap,
        query: &Query,
        context: &Context,
        account: &Account,
    ) -> Result<Operation, Failure> {
        // F15: whoever sends a token over plain HTTP has told it to everybody on the way.
        if !context.peer.tls {
            return Err(Code::HTTPS_REQUIRED.into());
        }
        let challenged = |refusal| Failure::unauthorized(context, account, refusal);
        let token = match bearer(headers) {
            Bearer::Token(token) => token,
            Bearer::Absent if query.get("sig").is_some() => return Err(Code::KEYS_OFF.into()),
            Bearer::Absent => return Err(challenged(None)),
            Bearer::Other(scheme, _) if scheme.to_ascii_lowercase().starts_with("sharedkey") => {
                return Err(Code::KEYS_OFF.into());
            }
            Bearer::Other(..) | Bearer::Malformed => return Err(Code::AUTHENTICATION_FORMAT.into()),
        };
        let audiences =
            KnownResource::Storage.audiences(&context.address).with(context.address.blob(account.id.name()));
        let caller = self.tokens.check(token, &audiences).map_err(|refusal| challenged(Some(refusal)))?;
        if caller.tenant != account.tenant {
            let found = caller.issuer;
            return Err(challenged(Some(cs_authority::TokenRefusal::Issuer { found })));
        }
        match single(headers, "x-ms-version") {
            Ok(Some(version)) if !headers::is_version(version) => {
                return Err(Failure::header("x-ms-version", version));
            }
            Ok(Some(version)) if version >= BEARER_SINCE => {}
            Ok(_) => return Err(Code::BEARER_NOT_SPOKEN.into()),
            Err(()) => return Err(Failure::header("x-ms-version", "given twice")),
        }
        let mut op = Operation::new(caller, context.request_id.into(), self.clock.now());
        op.client_request_id = single(headers, "x-ms-client-request-id").ok().flatten().map(str::to_owned);
        Ok(op)
    }

    async fn require(
        &self,
        op: &Operation,
        account: &Account,
        door: &'static cs_serve::Door<Op>,
        params: &Params,
        blob: &str,
        query: &Query,
    ) -> Result<Allowed, Failure> {
        let container = params.get("container");
        let scope = if container.is_empty() || door.op == Op::AccountInfo {
            account.scope().clone()
        } else {
            account.container_scope(container)
        };
        let attributes = attributes(account, door.op, container, blob, query).at(op.started);
        let decided = match &door.needs {
            Needs::Action(action) => self.access.require_action_with(op, action, &scope, &attributes),
            Needs::Data { action, .. } => self.access.require_data(op, action, &scope, &attributes),
            // Every row of the table is of one of these kinds; one that is not opens nothing.
            _ => return Err(Code::PERMISSION_MISMATCH.into()),
        };
        match decided {
            Ok(allowed) => Ok(allowed),
            Err(refusal) if matches!(door.op, Op::PutBlob | Op::PutBlock | Op::PutBlockList) => {
                self.require_add(op, account, (container, blob), &scope, &attributes, refusal).await
            }
            Err(refusal) => Err(self.refused(op, refusal).await),
        }
    }

    /// A refusal is recorded before it is answered.
    async fn refused(&self, op: &Operation, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Unconfirmed => Code::SERVER_BUSY.into(),
            Refusal::Denied(denied) => match self.blobs.record_denied(op, &denied).await {
                Ok(()) => Code::PERMISSION_MISMATCH.into(),
                Err(error) => error.into(),
            },
        }
    }

    /// A new blob may be added with less than the right to write (blob.md 4.4).
    async fn require_add(
        &self,
        op: &Operation,
        account: &Account,
        (container, blob): (&str, &str),
        scope: &cs_ids::Scope,
        attributes: &Attributes,
        refusal: Refusal,
    ) -> Result<Allowed, Failure> {
        let Ok(add) = self.access.require_data(op, BLOB_ADD, scope, attributes) else {
            return Err(self.refused(op, refusal).await);
        };
        match self.blobs.is_new(&add, account, container, blob).await? {
            true => Ok(add),
            false => Err(self.refused(op, refusal).await),
        }
    }
}

/// What conditions of assignments may ask about (rbac.md 7.3).
fn attributes(account: &Account, op: Op, container: &str, blob: &str, query: &Query) -> Attributes {
    let named = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let all = Attributes::new().with(Source::Resource, names::ACCOUNT_NAME, account.id.name()).with_some(
        Source::Resource,
        names::CONTAINER_NAME,
        named(container),
    );
    match op {
        Op::ListBlobs => {
            let prefix = query.get("prefix").filter(|p| !p.is_empty());
            all.with_some(Source::Request, names::BLOB_PREFIX, prefix).sub_operation(names::BLOB_LIST)
        }
        _ => all.with_some(Source::Resource, names::BLOB_PATH, named(blob)),
    }
}

fn nowhere(method: &str) -> Failure {
    match method {
        "GET" | "HEAD" | "PUT" | "POST" | "DELETE" => Code::INVALID_URI.into(),
        _ => Code::UNSUPPORTED_VERB.into(),
    }
}

/// Words of `comp` the documents know; any other is the caller's mistake.
fn not_yet(query: &Query) -> Failure {
    const KNOWN: [&str; 19] = [
        "properties",
        "stats",
        "userdelegationkey",
        "batch",
        "blobs",
        "acl",
        "lease",
        "undelete",
        "snapshot",
        "tags",
        "tier",
        "copy",
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
