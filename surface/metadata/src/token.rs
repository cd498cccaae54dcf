//! The token path of both services, and what a token request says whatever the service.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cs_broker::{Claim, DeskError, Identity, IssueError, Token};
use cs_serve::{Query, Response, json, single};
use cs_wire_metadata::{ErrorReply, TokenReply};
use http::{HeaderValue, StatusCode, header, request::Parts};

use crate::{
    Service,
    failure::{identity, later, private},
    service::Ask,
    versions,
};

/// Longer than any resource's name; what is longer is somebody playing (A28).
const RESOURCE_MAX_BYTES: usize = 512;
/// When a token may be had that is not the one a resource has refused, in seconds: the broker asks the site no sooner.
const ANOTHER_SECONDS: u16 = 10;
/// The user of a caller is looked up only when this many challenges are open: until then it makes no difference.
const CROWDED: usize = 64;

/// Also what a container sees that shares the network but not the directory (A25).
const WRONG_ANSWER: &str = "The Authorization header does not hold the content of the file that the challenge named, \
    or it was used already, or a minute has passed. The file is readable for root and members of the group himds; \
    a container needs its directory mounted";

/// Why there is no token; each source says it in its own shape.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub error: &'static str,
    pub text: String,
    /// When to come again, in seconds.
    pub retry_after: Option<u16>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: &'static str, text: impl Into<String>) -> Self {
        Self { status, error, text: text.into(), retry_after: None }
    }

    fn bad(text: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", text)
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let said = identity(refusal.status, refusal.error, refusal.text);
        refusal.retry_after.into_iter().fold(said, later)
    }
}

/// The names that clients have for an identity's resource id; the first is the documented one.
const RESOURCE_IDS: [&str; 4] = ["msi_res_id", "mi_res_id", "resource_id", "msi-res-id"];

/// Which identity is asked for, and what to echo.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selector<'q> {
    System,
    Client(&'q str),
    Object(&'q str),
    Resource(&'q str),
}

pub(crate) async fn token(ask: &Ask<'_>, request: &Parts, query: &Query) -> Response {
    answer(ask, request, query).await.unwrap_or_else(|refusal| refusal)
}

async fn answer(ask: &Ask<'_>, request: &Parts, query: &Query) -> Result<Response, Response> {
    let version = query.get("api-version").unwrap_or_default();
    if !versions::is_date(version) && ask.service == Service::Imds {
        // As on every other path there: some clients ask again with what it names.
        return Err(versions::missing(query));
    }
    if !versions::is_date(version) {
        let text =
            "The api-version is missing or cannot be read. Supported are 2019-11-01 2020-06-01 2021-02-01";
        return Err(identity(StatusCode::BAD_REQUEST, "bad_request", text));
    }
    let resource = resource(query)?;
    let selector = selector(query)?;
    let identities = ask.facts.identities().await;
    if identities.is_empty() {
        return Err(not_connected(ask.service).into());
    }
    let claim = match ask.service {
        Service::Himds => Some(challenge(ask, request)?),
        Service::Imds | Service::AppService | Service::CloudShell => None,
    };
    let is_anew = query.get("bypass_cache").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let which = if is_anew { Which::New } else { Which::Any };
    let outcome = issue(ask, &identities, selector, (resource, which)).await;
    // A failure of ours spends no answer: the claim is given back, and the program repeats its request (A13).
    let ours = outcome.as_ref().is_err_and(|refusal| refusal.status().is_server_error());
    if let Some(claim) = claim.filter(|_| !ours) {
        claim.spend();
    }
    outcome
}

async fn issue(
    ask: &Ask<'_>,
    identities: &[Identity],
    selector: Selector<'_>,
    (resource, which): (&str, Which<'_>),
) -> Result<Response, Response> {
    let (chosen, token) = issued(ask, identities, selector, (resource, which)).await?;
    Ok(private(json(StatusCode::OK, &reply(ask, chosen, &token, selector, resource))))
}

/// Which of the tokens there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which<'q> {
    Any,
    /// None from the cache.
    New,
    /// None with this SHA-256, in hexadecimal digits: a resource has refused it.
    OtherThan(&'q str),
}

/// The token of the identity that a request selects.
pub(crate) async fn issued<'i>(
    ask: &Ask<'_>,
    identities: &'i [Identity],
    selector: Selector<'_>,
    (resource, which): (&str, Which<'_>),
) -> Result<(&'i Identity, Arc<Token>), Refusal> {
    let chosen = choose(ask.service, identities, selector)?;
    ask.machine.callers.admit(ask, chosen, resource).await?;
    let broker = &ask.machine.broker;
    let is_refused =
        |token: &Token| matches!(which, Which::OtherThan(hash) if is_hash_of(&token.access_token, hash));
    let known = if which == Which::New { None } else { broker.fresh(chosen, resource) };
    let known = match known {
        None if which != Which::New => {
            let token = broker.token(chosen, resource, ask.correlation()).await;
            Some(token.map_err(|error| refused(ask, &error))?)
        }
        known => known,
    };
    if let Some(known) = known.filter(|token| !is_refused(token)) {
        return Ok((chosen, known));
    }
    let token = broker.new_token(chosen, resource, ask.correlation()).await;
    let token = token.map_err(|error| refused(ask, &error))?;
    // Seconds old, or of a site that is away.
    if is_refused(&token) {
        let text = "There is no other token than the one that was refused yet";
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", text);
        return Err(Refusal { retry_after: Some(ANOTHER_SECONDS), ..refusal });
    }
    Ok((chosen, token))
}

fn is_hash_of(token: &str, hash: &str) -> bool {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let digits: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    digits.eq_ignore_ascii_case(hash)
}

pub(crate) fn reply<'r>(
    ask: &Ask<'_>,
    chosen: &Identity,
    token: &'r Token,
    selector: Selector<'_>,
    resource: &'r str,
) -> TokenReply<'r> {
    let expires_in = (token.expires_on - ask.machine.clock.now().seconds()).max(0).to_string();
    TokenReply {
        access_token: &token.access_token,
        client_id: chosen.client.to_string(),
        expires_on: token.expires_on.to_string(),
        ext_expires_in: expires_in.clone(),
        expires_in,
        not_before: token.not_before.to_string(),
        resource,
        token_type: "Bearer",
        object_id: matches!(selector, Selector::Object(_)).then(|| chosen.object.to_string()),
        msi_res_id: match selector {
            Selector::Resource(sent) => Some(sent.to_owned()),
            _ => None,
        },
    }
}

pub(crate) fn resource(query: &Query) -> Result<&str, Refusal> {
    let bad = Refusal::bad;
    match query.get("resource") {
        None | Some("") => Err(bad("Required audience parameter not specified")),
        Some(name) if name.len() > RESOURCE_MAX_BYTES => Err(bad("The audience parameter is too long")),
        Some(name) if !name.bytes().all(|b| b.is_ascii_graphic()) => {
            Err(bad("The audience parameter holds characters that no resource has"))
        }
        Some(name) => Ok(name),
    }
}

pub(crate) fn selector(query: &Query) -> Result<Selector<'_>, Refusal> {
    // `resource_id` is what azure-identity's asynchronous client for Python sends to IMDS, `msi-res-id` what the one for
    // .NET does: ignoring one would give the machine's own token to somebody who has asked for another (A11).
    let resource = one_of(query, &RESOURCE_IDS)?;
    let object = one_of(query, &["object_id", "principal_id"])?;
    // `clientid`: App Service's protocol of 2017, and azure-identity for Java before 1.13 in Cloud Shell.
    let client = one_of(query, &["client_id", "clientid"])?;
    match (client, object, resource) {
        (None, None, None) => Ok(Selector::System),
        (Some(id), None, None) => Ok(Selector::Client(id)),
        (None, Some(id), None) => Ok(Selector::Object(id)),
        (None, None, Some(id)) => Ok(Selector::Resource(id)),
        _ => Err(two_identities()),
    }
}

/// A selector by any of its spellings; by two of them it must be the same one (A09).
fn one_of<'a>(query: &'a Query, names: &[&str]) -> Result<Option<&'a str>, Refusal> {
    let mut given = names.iter().filter_map(|name| query.get(name)).filter(|value| !value.is_empty());
    let first = given.next();
    if given.all(|other| Some(other) == first) { Ok(first) } else { Err(two_identities()) }
}

fn two_identities() -> Refusal {
    Refusal::bad("Only one of client_id, object_id and msi_res_id may be specified")
}

/// HIMDS: without an answer a challenge, with one that is wrong, used or late a 403 and no new challenge.
fn challenge<'a>(ask: &Ask<'a>, request: &Parts) -> Result<Claim<'a>, Response> {
    let sent = match single(&request.headers, header::AUTHORIZATION) {
        Ok(None) => return Err(open(ask)),
        Ok(Some(sent)) => sent,
        Err(()) => "",
    };
    // Exactly `Basic` and one blank: the answer is compared as sent (A18).
    let claim = sent.strip_prefix("Basic ").and_then(|answer| ask.machine.desk.claim(answer));
    claim.ok_or_else(|| identity(StatusCode::FORBIDDEN, "forbidden", WRONG_ANSWER))
}

/// The first knock. The answer is never a token.
fn open(ask: &Ask<'_>) -> Response {
    let desk = &ask.machine.desk;
    let user = || ask.machine.callers.user(ask.connection, ask.machine.clock.now());
    let user = (desk.open_count() >= CROWDED).then(user).flatten();
    match desk.open(user) {
        Ok(opened) => unanswered(ask, &as_seen(ask, opened.path)),
        Err(DeskError::Crowded) => {
            tracing::warn!(user, "too many challenges are open for one user");
            let text = "Too many challenges of this user are open and unanswered. Try again in a second";
            later(identity(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text), 1)
        }
        Err(DeskError::File(cause)) => {
            tracing::error!(%cause, "the challenge file could not be written");
            let text = "The challenge file could not be written: see the agent's log";
            identity(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
        }
    }
}

fn as_seen(ask: &Ask<'_>, written: PathBuf) -> PathBuf {
    match (ask.seen_at, written.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => written,
    }
}

fn unanswered(ask: &Ask<'_>, path: &Path) -> Response {
    let reply = ErrorReply {
        error: "unauthorized_client",
        error_description: "Missing Basic Authorization header".to_owned(),
        error_codes: Some([401]),
        timestamp: Some(ask.machine.clock.now().rfc3339()),
        trace_id: Some(""),
        correlation_id: Some(correlation_of(ask, path)),
    };
    let mut response = private(json(StatusCode::UNAUTHORIZED, &reply));
    // Nothing else may stand in it: no quotes, one blank, one equals sign (metadata.md 1.2).
    if let Ok(value) = HeaderValue::from_str(&format!("Basic realm={}", path.display())) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The caller's, or the number that the challenge has anyway: its name, which the same answer tells. A draw of another
/// would cost as much as all else in the answer.
fn correlation_of(ask: &Ask<'_>, path: &Path) -> String {
    let number = || path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
    match ask.correlation_sent() {
        Some(sent) => sent.to_string(),
        None => number().unwrap_or_else(|| ask.correlation().to_string()),
    }
}

fn choose<'i>(
    service: Service,
    identities: &'i [Identity],
    selector: Selector<'_>,
) -> Result<&'i Identity, Refusal> {
    let found = match selector {
        Selector::System => {
            let only = if let [only] = identities { Some(only) } else { None };
            identities.iter().find(|i| i.system_assigned).or(only)
        }
        Selector::Client(id) => identities.iter().find(|i| i.client.to_string().eq_ignore_ascii_case(id)),
        Selector::Object(id) => identities.iter().find(|i| i.object.to_string().eq_ignore_ascii_case(id)),
        Selector::Resource(id) => identities.iter().find(|i| i.resource.eq_ignore_ascii_case(id)),
    };
    // Never the system's token instead of one that is not there (A11).
    found.ok_or_else(|| match (service, selector) {
        (Service::Himds, _) => {
            let text = "Identity not found on this machine";
            Refusal::new(StatusCode::NOT_FOUND, "identity_not_found", text)
        }
        (_, Selector::System) if !identities.is_empty() => Refusal::bad(
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        ),
        _ => Refusal::bad("Identity not found"),
    })
}

pub(crate) fn not_connected(service: Service) -> Refusal {
    Refusal::bad(match service {
        Service::Himds => "This machine is not connected to a site. Run csagent connect first",
        Service::Imds | Service::AppService | Service::CloudShell => "Identity not found",
    })
}

fn refused(ask: &Ask<'_>, error: &IssueError) -> Refusal {
    tracing::warn!(%error, service = ?ask.service, "no token");
    match error {
        IssueError::Refused { text, .. } => {
            Refusal::new(StatusCode::BAD_REQUEST, "invalid_resource", text.clone())
        }
        IssueError::Revoked(text) => {
            Refusal::new(StatusCode::BAD_REQUEST, "unauthorized_client", text.clone())
        }
        IssueError::Unreachable(_) => {
            let text = "The site cannot be reached and no token is cached";
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", text);
            Refusal { retry_after: Some(5), ..refusal }
        }
    }
}
