//! Microsoft Graph v1.0, as much of it as az CLI and the SDKs ask of a directory (arm.md 5).
//!
//! A request's way: its token is checked ([`Graph::serve`]), the table of its type finds the door (`types/`, one file a
//! type), and its handler reads, or asks [`cs_directory::Principals::permit`] for the proof that it may write.

mod answer;
mod body;
mod call;
mod doors;
mod failure;
mod filter;
mod kept;
mod objects;
mod path;
mod types;

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::Access;
use cs_audit::Audit;
use cs_authority::{KnownResource, TokenCheck};
use cs_directory::Principals;
use cs_ids::CorrelationId;
use cs_rbac::{Caller, Operation};
use cs_serve::{Bearer, Context, Request, Response, Surface, bearer, read_body, single, without_mark};
use cs_time::Clock;
use cs_wire_arm::headers;
use http::HeaderValue;

use self::{call::Call, failure::Failure};

pub use self::doors::doors;

/// A certificate in base64 with all beside it is below this.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// What the surface stands on.
pub struct Parts {
    pub principals: Arc<Principals>,
    pub access: Arc<Access>,
    pub audit: Arc<Audit>,
    pub tokens: Arc<dyn TokenCheck>,
    pub clock: Arc<dyn Clock>,
}

/// The surface at `graph.` + suffix.
pub struct Graph {
    parts: Arc<Parts>,
    doors: Arc<doors::Tables>,
}

impl Graph {
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), doors: Arc::new(doors::Tables::new()) }
    }
}

#[async_trait]
impl Surface for Graph {
    async fn serve(&self, request: Request, context: Context) -> Response {
        let client_id = single(request.headers(), headers::GRAPH_CLIENT_REQUEST_ID).ok().flatten();
        let client_id = client_id.filter(|id| id.len() <= 256).map(str::to_owned);
        let outcome = self.answer(request, &context, client_id.clone()).await;
        let now = self.parts.clock.now();
        let mut response = outcome.unwrap_or_else(|f| f.answer(&context, client_id.as_deref(), now));
        let all = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                all.insert(name, value);
            }
        };
        let request_id = context.request_id.to_string();
        set(headers::GRAPH_REQUEST_ID, &request_id);
        set(headers::GRAPH_CLIENT_REQUEST_ID, client_id.as_deref().unwrap_or(&request_id));
        set("cache-control", "no-cache");
        set("strict-transport-security", "max-age=31536000; includeSubDomains");
        set("x-content-type-options", "nosniff");
        response
    }
}

impl Graph {
    async fn answer(
        &self,
        request: Request,
        context: &Context,
        client_request_id: Option<String>,
    ) -> Result<Response, Failure> {
        let (head, body) = request.into_parts();
        let caller = self.caller(&head.headers, context)?;
        let correlation = cs_serve::correlation(&head.headers)
            .or_else(|| client_request_id.as_deref().and_then(|id| id.parse().ok()))
            .unwrap_or_else(|| CorrelationId::from(context.request_id));
        let op = Operation { client_request_id, ..Operation::new(caller, correlation, context.started) };
        let site = (Arc::clone(&self.parts), Arc::clone(&self.doors));
        let asked = (head.method.as_str(), &head.uri);
        let (run, mut call) = Call::arrive(site, op, context.clone(), asked).await?;
        call.body = without_mark(read_body(body, BODY_MAX_BYTES).await.map_err(Failure::from)?);
        call.attend(run).await
    }

    fn caller(&self, headers: &http::HeaderMap, context: &Context) -> Result<Caller, Failure> {
        let Bearer::Token(token) = bearer(headers) else { return Err(Failure::Unauthorized(None)) };
        let audiences = KnownResource::Graph.audiences(&context.address);
        self.parts.tokens.check(token, &audiences).map_err(|refusal| Failure::Unauthorized(Some(refusal)))
    }
}
