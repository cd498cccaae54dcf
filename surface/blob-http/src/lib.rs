//! Blob storage's HTTP (blob.md).
//!
//! Paths are taken as they come: names are opaque, `//`, dots and case mean something. Who may do what is settled before
//! a byte of a body is read, so that `Expect: 100-continue` is answered only to those who may.

mod account;
mod auth;
mod batch;
mod blobs;
mod blocks;
mod copy;
mod delegation;
mod development;
mod doors;
mod failure;
mod headers;
mod list;

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::{Access, Refusal, Standing};
use cs_authority::{KnownResource, TokenCheck};
use cs_blob::{Account, BlobError, Blobs};
use cs_ids::ObjectId;
use cs_names::Surface as Place;
use cs_rbac::{Allowed, Attributes, Caller, Operation, Source, condition::names};
use cs_serve::{
    Bearer, Body, Context, Doors, Found, Needs, Paths, Query, Request, Response, Surface, bearer, single,
};
use cs_time::Clock;
use http::{HeaderMap, HeaderValue};

use self::{
    auth::{Asked, Asker, Granted, Proof, Sas},
    doors::{BLOB_ADD, DOORS, Op},
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
    /// `https://{account}.blob.core.S[:port]/`
    pub endpoint: String,
    pub container: String,
    /// Decoded; empty where the path names no blob.
    pub blob: String,
    /// What a copy reads from.
    pub source: Option<copy::Source>,
}

/// Versions without this are not spoken with tokens (blob.md 3).
const BEARER_SINCE: &str = "2017-11-09";

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
            Style::Path { .. } => without_account(signed_path),
        };
        let (container, blob) = names_of(path);
        let asked = Asked {
            method,
            path: signed_path,
            raw_query: parts.uri.query(),
            query: &query,
            headers: &parts.headers,
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
            endpoint: match style {
                Style::Host => format!("{}/", context.address.blob(label)),
                Style::Path { endpoint } => endpoint.clone(),
            },
            container: container.clone(),
            blob: blob.clone(),
            source,
        };
        let mut response = self.carry_out(&call, door.op, body).await?;
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
            Op::AbortCopy => Err(Code::NO_PENDING_COPY.into()),
            // Answered before anything is decided: each of its requests is decided on its own.
            Op::Batch => Err(Code::INVALID_BATCH.into()),
            Op::NotYet => Err(not_yet(call.query)),
        }
    }

    fn asker(&self, asked: &Asked<'_>, context: &Context, style: &Style) -> Result<Asker, Failure> {
        // F15: whoever sends a token over plain HTTP has told it to everybody on the way.
        if !asked.peer.tls && matches!(style, Style::Host) {
            return Err(Code::HTTPS_REQUIRED.into());
        }
        match single(asked.headers, "x-ms-version") {
            Ok(Some(version)) if !headers::is_version(version) => {
                return Err(Failure::header("x-ms-version", version));
            }
            Ok(_) => {}
            Err(()) => return Err(Failure::header("x-ms-version", "given twice")),
        }
        let started = self.clock.now();
        let asker = |caller, proof| {
            let mut op = Operation::new(caller, context.request_id.into(), started);
            op.client_request_id =
                single(asked.headers, "x-ms-client-request-id").ok().flatten().map(str::to_owned);
            Asker { op, proof }
        };
        let tenant = asked.account.tenant;
        match bearer(asked.headers) {
            Bearer::Token(token) => Ok(asker(self.token(token, asked, context)?, Proof::Token)),
            Bearer::Absent if asked.query.get("sig").is_some() => {
                let sas = Sas::verify(asked)?;
                let mut caller = Caller::unnamed(tenant);
                if let Some(user) = sas.user() {
                    caller.object = user;
                }
                Ok(asker(caller, Proof::Signature(Box::new(sas))))
            }
            Bearer::Absent => Err(Failure::unauthorized(context, asked.account, None)),
            Bearer::Other(scheme, parameter) => {
                let key = auth::shared_key(asked, scheme, parameter)?;
                Ok(asker(Caller::unnamed(tenant), Proof::Key(key)))
            }
            Bearer::Malformed => Err(Code::AUTHENTICATION_FORMAT.into()),
        }
    }

    fn token(&self, token: &str, asked: &Asked<'_>, context: &Context) -> Result<Caller, Failure> {
        if !asked.peer.tls {
            return Err(Code::HTTPS_REQUIRED.into());
        }
        let account = asked.account;
        let challenged = |refusal| Failure::unauthorized(context, account, refusal);
        let audiences =
            KnownResource::Storage.audiences(&context.address).with(context.address.blob(account.id.name()));
        let caller = self.tokens.check(token, &audiences).map_err(|refusal| challenged(Some(refusal)))?;
        if caller.tenant != account.tenant {
            let found = caller.issuer;
            return Err(challenged(Some(cs_authority::TokenRefusal::Issuer { found })));
        }
        match single(asked.headers, "x-ms-version").ok().flatten() {
            Some(version) if version >= BEARER_SINCE => Ok(caller),
            _ => Err(Failure::authentication(
                "Authentication scheme Bearer is not supported in this version. Send the header x-ms-version with \
                 2017-11-09 or later."
                    .to_owned(),
            )),
        }
    }

    /// What a proof allows: roles for tokens, everything for keys, what they say for signatures.
    async fn require(
        &self,
        asker: &Asker,
        asked: &Asked<'_>,
        door: &'static cs_serve::Door<Op>,
    ) -> Result<Allowed, Failure> {
        let account = asked.account;
        let scope = if asked.container.is_empty() || door.op == Op::AccountInfo {
            account.scope().clone()
        } else {
            account.container_scope(asked.container)
        };
        let (Needs::Action(action) | Needs::Data { action, .. }) = door.needs else {
            // Every row of the table is of one of these kinds; one that is not opens nothing.
            return Err(Code::PERMISSION_MISMATCH.into());
        };
        match &asker.proof {
            Proof::Token => self.require_role(&asker.op, asked, door, &scope).await,
            Proof::Key(_) if door.op == Op::UserDelegationKey => Err(Failure::authentication(
                "Only the authentication scheme Bearer is supported here.".to_owned(),
            )),
            Proof::Key(key) => Ok(Allowed::by_account_key(scope, action, (key, "shared key"))),
            Proof::Signature(sas) => {
                let granted = sas.permits(door.op)?;
                let by = (sas.key, sas.by());
                if let Some(user) = sas.user() {
                    self.stands(account, user)?;
                    // No more than the user may do now, whatever the signature says (F05).
                    let allowed = self.require_role(&asker.op, asked, door, &scope).await?;
                    if granted == Granted::Whole {
                        return Ok(allowed);
                    }
                }
                let action = if granted == Granted::OnlyNew { BLOB_ADD } else { action };
                let allowed = Allowed::by_account_key(scope, action, by);
                match granted {
                    Granted::OnlyNew
                        if !self.blobs.is_new(&allowed, account, asked.container, asked.blob).await? =>
                    {
                        Err(Code::PERMISSION_MISMATCH.into())
                    }
                    Granted::OnlyNew | Granted::Whole => Ok(allowed),
                }
            }
        }
    }

    /// A disabled or deleted user signs nothing any more. Tokens are checked for this by the authority.
    fn stands(&self, account: &Account, user: ObjectId) -> Result<(), Failure> {
        match self.access.standing(account.tenant, user) {
            Standing::Good => Ok(()),
            Standing::Gone => Err(Code::PERMISSION_MISMATCH.into()),
            Standing::Unconfirmed => Err(Code::SERVER_BUSY.into()),
        }
    }

    async fn require_role(
        &self,
        op: &Operation,
        asked: &Asked<'_>,
        door: &'static cs_serve::Door<Op>,
        scope: &cs_ids::Scope,
    ) -> Result<Allowed, Failure> {
        let attributes =
            attributes(asked.account, door.op, asked.container, asked.blob, asked.query).at(op.started);
        let decided = match &door.needs {
            Needs::Action(action) => self.access.require_action_with(op, action, scope, &attributes),
            Needs::Data { action, .. } => self.access.require_data(op, action, scope, &attributes),
            _ => return Err(Code::PERMISSION_MISMATCH.into()),
        };
        match decided {
            Ok(allowed) => Ok(allowed),
            Err(refusal) if door.op.makes_blobs() => {
                let place = (asked.container, asked.blob);
                self.require_add(op, asked.account, place, scope, &attributes, refusal).await
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

/// `/account/c/b` without the account.
fn without_account(path: &str) -> &str {
    let rest = path.trim_start_matches('/');
    rest.find('/').map_or("/", |end| &rest[end..])
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
    const KNOWN: [&str; 17] = [
        "properties",
        "stats",
        "userdelegationkey",
        "blobs",
        "acl",
        "lease",
        "undelete",
        "snapshot",
        "tags",
        "tier",
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
