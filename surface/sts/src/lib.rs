//! The token service's HTTP: discovery, keys, tokens (sts.md).

mod discovery;
mod doors;
mod failure;
mod form;
mod machine;
mod token;

use std::sync::Arc;

use async_trait::async_trait;
use cs_authority::Authority;
use cs_ids::CorrelationId;
use cs_serve::{Context, Doors, Found, Paths, Query, Request, Response, Surface, single};
use cs_time::Clock;
use http::{HeaderValue, StatusCode, header};

use self::doors::{DOORS, Op};
use self::failure::{Aadsts, Failure};

pub use self::doors::doors;

/// Signs documents with a certificate that the site's CA stands for.
pub trait Notary: Send + Sync {
    /// A PKCS#7 SignedData, DER, with the document and the signer's certificate inside.
    ///
    /// # Errors
    /// Why it could not be signed.
    fn sign(&self, document: &[u8]) -> Result<Vec<u8>, String>;
}

/// The surface at `login.` + suffix.
pub struct Sts {
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    notary: Option<Arc<dyn Notary>>,
    doors: Doors<Op>,
}

impl Sts {
    pub fn new(authority: Arc<Authority>, clock: Arc<dyn Clock>) -> Self {
        Self { authority, clock, notary: None, doors: Doors::new(DOORS, Paths::Lenient) }
    }

    /// Also attests who machines are.
    #[must_use]
    pub fn with_notary(self, notary: Arc<dyn Notary>) -> Self {
        Self { notary: Some(notary), ..self }
    }
}

/// What every answer of a request needs to know.
pub(crate) struct Call<'c> {
    pub authority: &'c Authority,
    pub context: &'c Context,
    pub query: Query,
    pub correlation: CorrelationId,
}

#[async_trait]
impl Surface for Sts {
    async fn serve(&self, request: Request, context: Context) -> Response {
        // The client's own id of the request, where it is one and no other is sent, becomes the correlation id (sts.md 1).
        let sent = single(request.headers(), "client-request-id").ok().flatten().map(str::to_owned);
        let correlation = cs_serve::correlation(request.headers())
            .or_else(|| sent.as_deref().and_then(|id| id.parse().ok()))
            .unwrap_or_else(|| context.request_id.into());
        let echo = single(request.headers(), "return-client-request-id").ok().flatten() == Some("true");
        let outcome = self.answer(request, &context, correlation).await;
        let mut response =
            outcome.unwrap_or_else(|failure| failure.answer(&context, correlation, self.clock.now()));
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set("x-ms-request-id", &context.request_id.to_string());
        set("strict-transport-security", "max-age=31536000; includeSubDomains");
        set("x-content-type-options", "nosniff");
        if let Some(id) = sent.filter(|_| echo) {
            set("client-request-id", &id);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
            headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        }
        response
    }
}

impl Sts {
    async fn answer(
        &self,
        request: Request,
        context: &Context,
        correlation: CorrelationId,
    ) -> Result<Response, Failure> {
        let query = Query::parse(request.uri().query())
            .map_err(|_| Failure::of(Aadsts::INVALID_INPUT, "The query string cannot be read."))?;
        let method = request.method().as_str().to_owned();
        let (door, params) = match self.doors.find(&method, request.uri().path(), &query) {
            Found::Door(door, params) => (door, params),
            Found::OtherMethods(others) => return Ok(failure::method_not_allowed(&others)),
            Found::Nowhere => return Err(Failure::nowhere()),
        };
        let call = Call { authority: &self.authority, context, query, correlation };
        match door.op {
            Op::ConfigurationV2 => discovery::configuration(&call, params.get("tenant"), true),
            Op::ConfigurationV1 => discovery::configuration(&call, params.get("tenant"), false),
            Op::Instance => discovery::instance(&call),
            Op::KeysV2 => discovery::keys(&call, params.get("tenant"), true),
            Op::KeysV1 => discovery::keys(&call, params.get("tenant"), false),
            Op::TokenV2 => token::token(&call, params.get("tenant"), request, true).await,
            Op::TokenV1 => token::token(&call, params.get("tenant"), request, false).await,
            Op::Heartbeat => machine::heartbeat(&call, params.get("tenant"), request).await,
            Op::NextKey => machine::next_key(&call, params.get("tenant"), request).await,
            Op::Attested => {
                let by = (self.notary.as_deref(), self.clock.now());
                machine::attested(&call, params.get("tenant"), request, by).await
            }
            Op::Interactive => Err(Failure::of(
                Aadsts::UNSUPPORTED_GRANT,
                "Interactive sign-in is not served by this site. Use a client secret, a signed assertion or a managed identity.",
            )),
        }
    }
}

/// An answer that may be kept for so many seconds.
pub(crate) fn kept(mut response: Response, seconds: u32) -> Response {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&format!("max-age={seconds}, private")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    debug_assert_eq!(response.status(), StatusCode::OK);
    response
}
