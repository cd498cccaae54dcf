//! Client certificates for PostgreSQL's own `cert` authentication: the way to a database without the gateway.
//!
//! Whoever may log in as a role by a rule of the server may have a certificate that says so, and gateways of the server
//! for any role that a rule names. No built-in role gives one, not even Owner of everything: who may write rules gives
//! themselves one and leaves a trace.

use std::fmt;

use cs_audit::{AuditOutcome, AuditRecord};
use cs_database::{NoRule, RoleName, find_rule};
use cs_databases::Server;
use cs_ids::ObjectId;
use cs_pki::{CLIENT_SECONDS, ClientAuthority, ClientRequest, serial_number};
use cs_resources::ResourceError;
use cs_serve::json;
use cs_wire_arm::{CertificateBackend, CertificateQuestion, CertificateReply};
use http::StatusCode;

use super::gateways::is_gateway;
use crate::{
    call::{Answer, Call},
    doors::Body,
    failure::Failure,
};

pub(super) const SIGN: &str =
    g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/signClientCertificate");
/// Who decides.
pub(super) const WHY: &str = "signs for whom a rule of the server gives the role";
pub(super) const BODY: Body = Body::Json("role, certificateRequest, lifeSeconds");
/// For the audit log, and for refusals.
const ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/signClientCertificate/action";
/// Shorter than this nobody could use it, in seconds.
const LIFE_LEAST: i64 = 60;

pub(super) async fn sign(call: &Call) -> Answer {
    let question: CertificateQuestion = call.json()?;
    let role = RoleName::parse(&question.role)
        .map_err(|bad| ResourceError::invalid("role", format!("is no role: {bad}")))?;
    let request = ClientRequest::read(&question.certificate_request, role.as_str())
        .map_err(|bad| ResourceError::invalid("certificateRequest", bad.to_string()))?;
    if question.life_seconds.is_some_and(|life| life < LIFE_LEAST) {
        return Err(ResourceError::invalid("lifeSeconds", "must be 60 at least").into());
    }
    let server = find(call).await?;
    let by = decide(call, server.as_ref(), &role)?;
    let (server, by) = match (server, by) {
        (Some(server), Ok(by)) => (server, by),
        (_, no) => {
            let why = no.err().map_or_else(|| "no such server".to_owned(), |no| no.to_string());
            let denied = record(call, ACTION, AuditOutcome::Denied, format!("role {role}: {why}"));
            call.parts.audit.record(denied).await.map_err(|_| Failure::busy())?;
            return Err(Failure::denied(&call.op.caller, ACTION, &call.scope));
        }
    };
    let allowed = match by {
        By::Rule(_) => server.settings.certificate_seconds.ok_or_else(Failure::no_certificates)?,
        By::Gateway => CLIENT_SECONDS,
    };
    let life = question.life_seconds.map_or(allowed, |wanted| wanted.min(allowed));
    let certificate = certify(call, &server, &role, &request, life)?;
    // The record first: no certificate leaves that nobody knows of.
    let because = format!("{by}, role {role}, {life} seconds");
    let done = record(call, ACTION, AuditOutcome::Done, because);
    call.parts.audit.record(done).await.map_err(|_| Failure::busy())?;
    Ok(json(
        StatusCode::OK,
        &CertificateReply {
            role: role.as_str().to_owned(),
            certificate,
            not_after: call.op.started.plus_seconds(life).rfc3339(),
            life_seconds: life,
            backend: server.settings.backend.map(|backend| CertificateBackend {
                host: backend.host,
                port: backend.port,
                server_name: backend.server_name,
                certificate_authority: backend.certificate_authority,
            }),
        },
    ))
}

/// Why a certificate is given.
enum By {
    Rule(ObjectId),
    Gateway,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(object) => write!(f, "rule {object}"),
            Self::Gateway => f.write_str("as a gateway"),
        }
    }
}

/// The server at the path, if it is there and of the caller's tenant.
pub(super) async fn find(call: &Call) -> Result<Option<Server>, Failure> {
    let id = call.id()?;
    let found = call.parts.databases.server(&id.name().to_ascii_lowercase()).await;
    let found = found.map_err(|error| {
        tracing::error!(%error, server = %id, "a database server could not be read");
        Failure::busy()
    })?;
    Ok(found.filter(|server| server.tenant == call.op.caller.tenant && server.id.key() == id.key()))
}

/// What gives the caller the role. Whether there is a server is not told to whom none is for.
fn decide(call: &Call, server: Option<&Server>, role: &RoleName) -> Result<Result<By, NoRule>, Failure> {
    let Some(server) = server else { return Ok(Err(NoRule::UnknownRole)) };
    let caller = &call.op.caller;
    let groups = call.parts.access.groups_of(caller.tenant, caller.object).map_err(|_| Failure::busy())?;
    Ok(match find_rule(&server.rules, caller.object, &groups, role.as_str()) {
        Ok(rule) => Ok(By::Rule(rule.object)),
        Err(NoRule::OtherPrincipal) if is_gateway(call)? => Ok(By::Gateway),
        Err(no) => Err(no),
    })
}

fn certify(
    call: &Call,
    server: &Server,
    role: &RoleName,
    request: &ClientRequest,
    life: i64,
) -> Result<String, Failure> {
    let told = |error: cs_pki::PkiError| error.to_string();
    let attempt = || {
        let key = server.key.as_ref().ok_or_else(|| "the server's key is not here".to_owned())?;
        let authority = ClientAuthority::open(key.expose(), &server.client_authority).map_err(told)?;
        let serial = serial_number(&*call.parts.chance);
        authority.sign(role.as_str(), request.key(), &serial, (call.op.started, life)).map_err(told)
    };
    attempt().map(|certificate| certificate.pem()).map_err(|error| {
        tracing::error!(%error, server = %server.id, "a client certificate could not be signed");
        Failure::internal("signing a client certificate")
    })
}

pub(super) fn record(call: &Call, action: &str, outcome: AuditOutcome, because: String) -> AuditRecord {
    let op = &call.op;
    AuditRecord {
        tenant: op.caller.tenant,
        time: op.started,
        correlation: op.correlation,
        caller: Some(op.caller.object),
        client: Some(op.caller.client),
        action: action.to_owned(),
        scope: call.scope.to_string(),
        outcome,
        because,
    }
}
