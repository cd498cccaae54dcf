//! Key Vault's HTTP, secrets (keyvault.md).
//!
//! The order of checks is the original's: vault, token, path and version, right, and only then the object. A first
//! request without token and body gets its challenge before anything else is looked at.

mod backup;
mod challenge;
mod doors;
mod failure;
mod page;
mod secrets;

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::{Access, Refusal};
use cs_authority::{KnownResource, TokenCheck};
use cs_names::Surface as Place;
use cs_rbac::{Allowed, NO_ATTRIBUTES, ObjectKind, Operation};
use cs_serve::{
    Bearer, Context, Doors, Found, Needs, Params, Paths, Query, Request, Response, Surface, bearer, single,
};
use cs_time::Clock;
use cs_vault::{AuditRecord, OpenVault, Vaults};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use self::{
    doors::{DOORS, Op},
    failure::Failure,
};

pub use self::doors::doors;

/// The surface at `{vault}.vault.` + suffix.
pub struct VaultHttp {
    vaults: Arc<Vaults>,
    access: Arc<Access>,
    tokens: Arc<dyn TokenCheck>,
    clock: Arc<dyn Clock>,
    doors: Doors<Op>,
}

impl VaultHttp {
    pub fn new(
        vaults: Arc<Vaults>,
        access: Arc<Access>,
        tokens: Arc<dyn TokenCheck>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { vaults, access, tokens, clock, doors: Doors::new(DOORS, Paths::Exact) }
    }
}

/// A request that may do what it asks for.
pub(crate) struct Call<'c> {
    pub vaults: &'c Vaults,
    pub vault: &'c OpenVault,
    pub op: &'c Operation,
    pub allowed: Allowed,
    pub query: &'c Query,
    /// `https://{vault}.vault.S[:port]`
    pub base: String,
    pub params: Params,
}

#[async_trait]
impl Surface for VaultHttp {
    async fn serve(&self, request: Request, context: Context) -> Response {
        let client_request =
            single(request.headers(), "x-ms-client-request-id").ok().flatten().map(str::to_owned);
        let outcome = self.answer(request, &context).await;
        let mut response = outcome.unwrap_or_else(|failure| failure.answer());
        let headers = response.headers_mut();
        common_headers(headers, &context);
        if let Some(Ok(id)) = client_request.map(|id| HeaderValue::from_str(&id)) {
            headers.insert("x-ms-client-request-id", id);
        }
        response
    }
}

impl VaultHttp {
    async fn answer(&self, request: Request, context: &Context) -> Result<Response, Failure> {
        let Place::Vault(label) = &context.place else { return Err(Failure::NoSuchVault(String::new())) };
        let vault = self.vaults.open(label).await?.ok_or_else(|| Failure::NoSuchVault(label.clone()))?;
        let op = self.caller(request.headers(), context, &vault)?;
        let query = Query::storable(request.uri().query())
            .map_err(|_| Failure::bad("The query string cannot be read."))?;
        let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
        // Nothing is called so, and PostgreSQL takes no NUL in a text.
        if path.contains("%00") {
            return Err(Failure::bad("The path cannot be read."));
        }
        let (door, params) = match self.doors.find(&method, &path, &query) {
            Found::Door(door, params) => (door, params),
            Found::OtherMethods(allowed) => return Err(Failure::Method(allowed)),
            Found::Nowhere => return Err(Failure::Nowhere),
        };
        api_version(&query)?;
        // The scope of a name that is none is the vault's: whoever has no right hears so before the name is judged.
        let named = params.get("name").parse::<cs_ids::SecretName>();
        let allowed =
            match self.require(&op, &vault, &door.needs, named.as_ref().ok().map(cs_ids::SecretName::as_str))
            {
                Ok(allowed) => allowed,
                Err(refusal) => return Err(self.refused(&op, &vault, refusal).await),
            };
        if !matches!(door.op, Op::List | Op::ListDeleted | Op::Restore) {
            named.map_err(|bad| {
                Failure::bad(format!(
                    "The request URI contains an invalid name: {}",
                    failure::shown(&bad.name)
                ))
            })?;
        }
        let base = context.address.vault(label);
        let call =
            Call { vaults: &self.vaults, vault: &vault, op: &op, allowed, query: &query, base, params };
        match door.op {
            Op::Set => secrets::set(&call, request).await,
            Op::Get => secrets::get(&call).await,
            Op::Update => secrets::update(&call, request).await,
            Op::List => secrets::list(&call).await,
            Op::Versions => secrets::versions(&call).await,
            Op::Delete => secrets::delete(&call).await,
            Op::GetDeleted => secrets::get_deleted(&call).await,
            Op::ListDeleted => secrets::list_deleted(&call).await,
            Op::Recover => secrets::recover(&call).await,
            Op::Purge => secrets::purge(&call).await,
            Op::Backup => backup::backup(&call).await,
            Op::Restore => backup::restore(&call, request).await,
        }
    }

    fn caller(
        &self,
        headers: &HeaderMap,
        context: &Context,
        vault: &OpenVault,
    ) -> Result<Operation, Failure> {
        let challenged = |refusal| Failure::unauthorized(context, vault, refusal);
        let token = match bearer(headers) {
            Bearer::Token(token) => token,
            Bearer::Absent | Bearer::Malformed | Bearer::Other(..) => return Err(challenged(None)),
        };
        let audiences = KnownResource::Vault.audiences(&context.address);
        let caller = self.tokens.check(token, &audiences).map_err(|refusal| challenged(Some(refusal)))?;
        if caller.tenant != vault.tenant {
            let found = caller.issuer;
            return Err(challenged(Some(cs_authority::TokenRefusal::Issuer { found })));
        }
        let correlation = cs_serve::correlation(headers).unwrap_or_else(|| context.request_id.into());
        let mut op = Operation::new(caller, correlation, self.clock.now());
        op.client_request_id = single(headers, "x-ms-client-request-id").ok().flatten().map(str::to_owned);
        Ok(op)
    }

    /// Roles or access policies, as the vault has it.
    fn require(
        &self,
        op: &Operation,
        vault: &OpenVault,
        needs: &Needs,
        name: Option<&str>,
    ) -> Result<Allowed, Refusal> {
        let Needs::Data { action, policy: Some((_, permission)) } = needs else {
            // Every row of the table is of this kind; one that is not opens nothing.
            return Err(Refusal::Unconfirmed);
        };
        if vault.rbac {
            let scope = name.map_or_else(|| vault.scope().clone(), |n| vault.secret_scope(n));
            return self.access.require_data(op, action, &scope, &NO_ATTRIBUTES);
        }
        self.access.require_policy(op, &vault.policies, ObjectKind::Secrets, permission, vault.scope())
    }

    async fn refused(&self, op: &Operation, vault: &OpenVault, refusal: Refusal) -> Failure {
        let denied = match refusal {
            Refusal::Unconfirmed => return Failure::Unconfirmed,
            Refusal::Denied(denied) => denied,
        };
        match self.vaults.record(AuditRecord::denied(op, &denied)).await {
            Ok(()) => Failure::forbidden(op, vault, &denied),
            Err(error) => error.into(),
        }
    }
}

/// Any `7.x`, and any date from the first on: clients move every month (keyvault.md 3).
fn api_version(query: &Query) -> Result<(), Failure> {
    let Some(version) = query.get("api-version").filter(|v| !v.is_empty()) else {
        return Err(Failure::bad(
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    let (number, preview) = version.split_once("-preview").map_or((version, ""), |(n, p)| (n, p));
    let dotted = number.split_once('.').is_some_and(|(major, minor)| {
        major == "7" && !minor.is_empty() && minor.len() < 3 && minor.bytes().all(|b| b.is_ascii_digit())
    });
    let date = number.len() == 10
        && number
            .bytes()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
        && number >= "2016-10-01";
    let preview_fits = preview.is_empty()
        || preview.strip_prefix('.').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
    if (dotted || date) && preview_fits {
        return Ok(());
    }
    let shown = failure::shown(version);
    Err(Failure::bad(format!(
        "The specified version ({shown}) is not recognized. Consider using the latest supported version (7.6)."
    )))
}

fn common_headers(headers: &mut HeaderMap, context: &Context) {
    const FIXED: [(HeaderName, HeaderValue); 7] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
        (header::EXPIRES, HeaderValue::from_static("-1")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000;includeSubDomains")),
        (HeaderName::from_static("x-ms-keyvault-region"), HeaderValue::from_static("local")),
        (HeaderName::from_static("x-ms-keyvault-service-version"), HeaderValue::from_static("1.9.0.0")),
    ];
    headers.extend(FIXED);
    if let Ok(id) = HeaderValue::from_str(&context.request_id.to_string()) {
        headers.insert("x-ms-request-id", id);
    }
    if let Some(peer) = context.peer.address {
        let family = if peer.is_ipv4() { ("Ipv4", "InterNetwork") } else { ("Ipv6", "InterNetworkV6") };
        let info = format!("conn_type={};addr={};act_addr_fam={};", family.0, peer.ip(), family.1);
        if let Ok(info) = HeaderValue::from_str(&info) {
            headers.insert("x-ms-keyvault-network-info", info);
        }
    }
}
