//! The routers of the listeners.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use async_trait::async_trait;
use cs_broker::{Attester, Broker, ChallengeDesk, Facts, MachineFacts};
use cs_ids::CorrelationId;
use cs_serve::{Body, Door, Doors, Found, Params, Paths, Peer, Query, Request, Response, Router, json};
use cs_time::{Chance, Clock};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use serde_json::{Value, json};

use crate::{
    attested,
    callers::Callers,
    doors::{APP_SERVICE, CLOUD_SHELL, HIMDS, IMDS, Op},
    events, failure, instance,
    looks::Connection,
    owner::Ends,
    pace::Pace,
    rules::{self, Part, ProxyHeaders},
    siblings,
    source::{Narrowed, Secret, Source},
    targets::{Target, Targets, is_doubled},
    token, versions,
};

/// Which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Himds,
    Imds,
    AppService,
    CloudShell,
}

impl Service {
    fn doors(self) -> &'static [Door<Op>] {
        match self {
            Self::Himds => HIMDS,
            Self::Imds => IMDS,
            Self::AppService => APP_SERVICE,
            Self::CloudShell => CLOUD_SHELL,
        }
    }
}

/// What both services answer from.
pub struct Metadata {
    pub broker: Arc<Broker>,
    pub desk: Arc<ChallengeDesk>,
    pub facts: Arc<dyn MachineFacts>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    /// The value of the App Service header on the HIMDS listener; `None`: that source is off there.
    pub app_service_header: Option<String>,
    /// Names whoever asks for tokens, and lets them in.
    pub callers: Arc<Callers>,
    pub proxy_headers: ProxyHeaders,
    /// Who has the attested document signed; `None`: there is none.
    pub attester: Option<Arc<dyn Attester>>,
}

impl Metadata {
    /// The router of one listener.
    pub fn router(self: &Arc<Self>, service: Service) -> Arc<dyn Router> {
        Arc::new(Listening::of(self, service))
    }

    /// HIMDS for callers who see the directory of challenge files at another place than we do.
    pub fn himds_seen_at(self: &Arc<Self>, challenges: PathBuf) -> Arc<dyn Router> {
        Arc::new(Listening { seen_at: Some(challenges), ..Listening::of(self, Service::Himds) })
    }

    /// A source on a listener of its own.
    pub fn source(self: &Arc<Self>, source: Source) -> Arc<dyn Router> {
        let mut listening = Listening::of(self, source.service);
        if let Some(only) = source.only {
            listening.facts = Arc::new(Narrowed { all: listening.facts, only });
        }
        Arc::new(Listening { header: source.header, hosts: source.hosts, ..listening })
    }
}

/// One request to a service.
pub(crate) struct Ask<'a> {
    pub machine: &'a Metadata,
    pub facts: &'a dyn MachineFacts,
    pub service: Service,
    /// What callers of the App Service source must send.
    header: Option<&'a Secret>,
    /// Where the caller sees the challenge files, if not where we write them.
    pub seen_at: Option<&'a Path>,
    /// Where it is one over TCP.
    pub connection: Option<Connection>,
    headers: &'a HeaderMap,
    correlation: OnceLock<CorrelationId>,
}

impl Ask<'_> {
    /// Goes on to the site with a request for a token. Drawn only when somebody hears of it: a draw costs more than
    /// finding a cached token.
    pub(crate) fn correlation(&self) -> CorrelationId {
        let new = || self.machine.chance.uuid().into();
        *self.correlation.get_or_init(|| cs_serve::correlation(self.headers).unwrap_or_else(new))
    }

    /// Only where the caller says one.
    pub(crate) fn correlation_sent(&self) -> Option<CorrelationId> {
        cs_serve::correlation(self.headers)
    }

    pub(crate) fn is_identity_header(&self, sent: &str) -> bool {
        self.header.is_some_and(|wanted| wanted.is(sent))
    }
}

struct Listening {
    machine: Arc<Metadata>,
    facts: Arc<dyn MachineFacts>,
    service: Service,
    header: Option<Secret>,
    hosts: Vec<String>,
    seen_at: Option<PathBuf>,
    doors: Doors<Op>,
    targets: Targets,
    /// The whole document, written once for each change of the facts.
    written: RwLock<Option<Written>>,
    pace: Pace,
}

#[derive(Clone)]
struct Written {
    facts: Arc<Facts>,
    document: Arc<Value>,
    text: bytes::Bytes,
}

#[async_trait]
impl Router for Listening {
    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let (parts, body) = request.into_parts();
        self.serve(&parts, body, peer).await.unwrap_or_else(|refusal| refusal)
    }
}

impl Listening {
    fn of(machine: &Arc<Metadata>, service: Service) -> Self {
        Self {
            machine: Arc::clone(machine),
            facts: Arc::clone(&machine.facts),
            service,
            header: machine.app_service_header.clone().map(Secret::from),
            hosts: Vec::new(),
            seen_at: None,
            doors: Doors::new(service.doors(), Paths::Exact),
            targets: Targets::default(),
            written: RwLock::default(),
            pace: Pace::of_requests(),
        }
    }

    /// In the documented order: route, method, Metadata header, strangers, api-version, parameters.
    async fn serve(&self, request: &Parts, body: Body, peer: Peer) -> Result<Response, Response> {
        let target = self.targets.read(request, |method, uri| self.read(method, uri))?;
        let op = target.op;
        let part = match op {
            Op::Token => Part::Identity,
            Op::AppService => Part::AppService(&request.headers, &*self.machine.chance),
            Op::CloudShell => Part::CloudShell,
            _ => Part::Other,
        };
        if op != Op::AppService {
            rules::metadata_header(self.service, part, &request.headers)?;
        }
        rules::no_strangers((self.service, self.machine.proxy_headers), part, request, &self.hosts)?;
        let bad = |text| rules::refuse(part, StatusCode::BAD_REQUEST, "invalid_request", text);
        let query = match &target.query {
            Ok(query) if !target.is_doubled => query,
            Ok(_) => return Err(bad("Bad request. A query parameter is given more than once")),
            Err(_) => return Err(bad("Bad request. The query string cannot be read")),
        };
        let ends = peer.address.zip(peer.local).map(|(peer, local)| Ends { peer, local });
        let connection = ends.map(|ends| Connection { number: peer.connection, ends });
        self.pace(op, part, connection)?;
        let ask = Ask {
            machine: &self.machine,
            facts: &*self.facts,
            service: self.service,
            header: self.header.as_ref(),
            seen_at: self.seen_at.as_deref(),
            connection,
            headers: &request.headers,
            correlation: OnceLock::new(),
        };
        match op {
            Op::Token => Ok(token::token(&ask, request, query).await),
            Op::AppService => Ok(siblings::app_service(&ask, request, query).await),
            Op::CloudShell => Ok(siblings::cloud_shell(&ask, request, body).await),
            Op::Versions => Ok(json(StatusCode::OK, &json!({"apiVersions": versions::KNOWN}))),
            _ => {
                // Clients of the events ask with dates of their own (2020-07-01).
                let of_events = matches!(op, Op::ScheduledEvents | Op::StartEvents);
                if !(of_events && query.get("api-version").is_some_and(versions::is_date)) {
                    self.version(query)?;
                }
                match op {
                    Op::StartEvents => events::start(body).await,
                    _ => self.document(op, &target.params, query, &ask).await,
                }
            }
        }
    }

    /// Where a request goes, and what it asks there.
    fn read(&self, method: &Method, uri: &Uri) -> Result<Target, Response> {
        let query = Query::parse(uri.query());
        let none = Query::default();
        match self.doors.find(method.as_str(), uri.path(), query.as_ref().unwrap_or(&none)) {
            Found::Door(door, params) => {
                let is_doubled = query.as_ref().is_ok_and(is_doubled);
                Ok(Target { op: door.op, params, query, is_doubled })
            }
            Found::OtherMethods(allowed) => Err(failure::method_not_allowed(&allowed)),
            Found::Nowhere => Err(failure::plain(StatusCode::NOT_FOUND, "Not found")),
        }
    }

    /// HIMDS needs none where its challenges are bounded, or nobody else is asked. Attested documents have one for all
    /// listeners of the machine.
    fn pace(&self, op: Op, part: Part<'_>, connection: Option<Connection>) -> Result<(), Response> {
        let pace = match op {
            Op::Attested => self.machine.callers.attested(),
            _ if self.service == Service::Himds => return Ok(()),
            _ => &self.pace,
        };
        let now = self.machine.clock.now();
        if pace.admits(self.machine.callers.user(connection, now), now.micros()) {
            return Ok(());
        }
        let text = "Too many requests. Try again in a second";
        let refusal = rules::refuse(part, StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text);
        Err(failure::later(refusal, 1))
    }

    fn version(&self, query: &Query) -> Result<(), Response> {
        match (self.service, query.get("api-version")) {
            (service, Some(version)) if versions::served(service, version) => Ok(()),
            (Service::Himds, _) => {
                let text = "The api-version is missing or not supported. Supported are 2019-11-01 2020-06-01 2021-02-01";
                Err(failure::identity(StatusCode::BAD_REQUEST, "bad_request", text))
            }
            _ => Err(versions::missing(query)),
        }
    }

    async fn document(
        &self,
        op: Op,
        params: &Params,
        query: &Query,
        ask: &Ask<'_>,
    ) -> Result<Response, Response> {
        match op {
            Op::Instance => self.instance(params.get("part"), query).await,
            Op::IdentityInfo => {
                let facts = self.facts().await?;
                Ok(json(StatusCode::OK, &json!({"tenantId": facts.tenant_id})))
            }
            Op::Attested => {
                // Not connected is said first.
                self.facts().await?;
                attested::answer(ask, query).await
            }
            Op::ScheduledEvents => Ok(events::list()),
            _ => Err(failure::plain(
                StatusCode::NOT_FOUND,
                "No load balancer metadata is found. Please check if your VM is using any non-basic SKU load balancer and retry later.",
            )),
        }
    }

    async fn instance(&self, part: &str, query: &Query) -> Result<Response, Response> {
        let written = self.written().await?;
        let format = query.get("format");
        if part.is_empty() && format.is_none() {
            let mut response = http::Response::new(cs_serve::full(written.text.clone()));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(written.text.len()));
            return Ok(response);
        }
        Ok(instance::part(&written.document, part, format))
    }

    async fn facts(&self) -> Result<Arc<Facts>, Response> {
        let not_connected =
            || failure::plain(StatusCode::NOT_FOUND, "This machine is not connected to a site");
        self.facts.facts().await.ok_or_else(not_connected)
    }

    /// The document for the facts as they are; the same facts are not written twice.
    async fn written(&self) -> Result<Written, Response> {
        let facts = self.facts().await?;
        let known = self.written.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|k| Arc::ptr_eq(&k.facts, &facts)) {
            return Ok(known);
        }
        let document = instance::document(self.service, &facts);
        let written = Written { facts, text: document.to_string().into(), document: Arc::new(document) };
        *self.written.write().unwrap_or_else(PoisonError::into_inner) = Some(written.clone());
        Ok(written)
    }
}
