//! What a gateway in a process of its own hears from its site: who may log in to its server as which role, how those
//! people stand, and by which keys tokens are verified.
//!
//! It takes a data action, which no built-in role has: whoever is a gateway may be any role that a rule names, and
//! that is for nobody to have by accident.

use std::{collections::HashSet, time::Duration};

use aws_lc_rs::digest;
use cs_access::{Refusal, Standing};
use cs_audit::{AuditOutcome, AuditRecord};
use cs_database::{CLIENT_AUTHORITY, RuleKind};
use cs_databases::Server;
use cs_ids::ObjectId;
use cs_rbac::Attributes;
use cs_resources::ResourceError;
use cs_serve::json;
use cs_time::Timestamp;
use cs_wire_arm::{
    GatewayPrincipal, GatewayQuestion, GatewayRecord, GatewayRecords, GatewayReply, GatewayRule,
};
use http::StatusCode;

use super::certificates::find;
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::Body,
    failure::Failure,
};

pub(super) const STATE: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/gatewayState");
pub(super) const RECORDS: &str =
    g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/gatewayRecords");
/// A data action.
pub(super) const ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/gateway/action";
/// What logins are called in the audit log, wherever the gateway stands.
const CONNECT: &str = "Microsoft.DBforPostgreSQL/flexibleServers/connect/action";
pub(super) const WHY: &str = "for gateways: the data action is checked by the handler";
/// An answer that waits is looked at so often, so that a change is known well within a second.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// No request is held longer, in milliseconds.
const WAIT_AT_MOST: u64 = 5_000;
/// More principals than a gateway has sessions of.
const PRINCIPALS_AT_MOST: usize = 20_000;
const RECORDS_AT_MOST: usize = 5_000;

pub(super) const STATE_BODY: Body = Body::Json("known, waitMilliseconds, principals, certificateRequest");
pub(super) const RECORDS_BODY: Body = Body::Json("records");

/// Whether the caller is a gateway of this server.
pub(super) fn is_gateway(call: &Call) -> Result<bool, Failure> {
    let attributes = Attributes::new().at(call.op.started);
    match call.parts.access.require_data(&call.op, ACTION, &call.scope, &attributes) {
        Ok(_) => Ok(true),
        Err(Refusal::Denied(_)) => Ok(false),
        Err(Refusal::Unconfirmed) => Err(Failure::busy()),
    }
}

/// A refusal is on record before it is told.
async fn check(call: &Call) -> Result<(), Failure> {
    if is_gateway(call)? {
        return Ok(());
    }
    let record =
        super::certificates::record(call, ACTION, AuditOutcome::Denied, "no role with it".to_owned());
    call.parts.audit.record(record).await.map_err(|_| Failure::busy())?;
    Err(Failure::denied(&call.op.caller, ACTION, &call.scope))
}

pub(super) async fn state(call: &Call) -> Answer {
    let question: GatewayQuestion = call.json()?;
    if question.principals.len() > PRINCIPALS_AT_MOST {
        return Err(ResourceError::invalid("principals", "are too many").into());
    }
    let principals: Vec<ObjectId> = question
        .principals
        .iter()
        .map(|id| id.parse().map_err(|_| ResourceError::invalid("principals", "must be object ids")))
        .collect::<Result<_, _>>()?;
    check(call).await?;
    let began = tokio::time::Instant::now();
    let until = began + Duration::from_millis(question.wait_milliseconds.min(WAIT_AT_MOST));
    let mut seen = call.parts.databases.changes();
    let mut server = existing(call).await?;
    loop {
        let mut reply = describe(call, &server, &principals)?;
        if reply.version != question.known || tokio::time::Instant::now() + LOOK_EVERY > until {
            // A role taken away while the answer waited is taken away.
            check(call).await?;
            reply.certificate = match &question.certificate_request {
                Some(request) => Some(certificate(call, &reply.host, request)?),
                None => None,
            };
            return Ok(json(StatusCode::OK, &reply));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        // Where nobody else writes, the count says whether there is anything new to read. Principals and keys are at hand.
        let now = call.parts.databases.changes();
        if now.is_none() || now != seen {
            (seen, server) = (now, existing(call).await?);
        }
    }
}

/// Its gateways may know that a server is gone.
async fn existing(call: &Call) -> Result<Server, Failure> {
    let gone = ResourceError::NoResource(Box::new(call.id()?));
    find(call).await?.ok_or_else(|| gone.into())
}

fn describe(call: &Call, server: &Server, principals: &[ObjectId]) -> Result<GatewayReply, Failure> {
    let (access, gateways) = (&call.parts.access, &call.parts.gateways);
    let named: HashSet<ObjectId> =
        server.rules.iter().filter(|r| r.kind == RuleKind::Group).map(|r| r.object).collect();
    let mut told = Vec::with_capacity(principals.len());
    for object in principals {
        let standing = access.standing(server.tenant, *object);
        let groups = access.groups_of(server.tenant, *object).map_err(|_| Failure::busy())?;
        if standing == Standing::Unconfirmed {
            return Err(Failure::busy());
        }
        told.push(GatewayPrincipal {
            object_id: object.to_string(),
            good: standing == Standing::Good,
            groups: groups.iter().filter(|g| named.contains(g)).map(ToString::to_string).collect(),
        });
    }
    let rules = server.rules.iter().map(|rule| GatewayRule {
        object_id: rule.object.to_string(),
        principal_type: rule.kind.as_str().to_owned(),
        role: rule.role.as_str().to_owned(),
    });
    let mut properties = server.properties.clone();
    properties.remove(CLIENT_AUTHORITY);
    let mut reply = GatewayReply {
        version: String::new(),
        tenant_id: server.tenant.to_string(),
        server_id: server.id.to_string(),
        generation: server.generation,
        host: call.address.names().postgres_host(&server.label),
        properties,
        client_certificate_authority: server.client_authority.clone(),
        cancel_secret: cs_jose::encode_url(server.cancel_secret),
        rules: rules.collect(),
        principals: told,
        issuers: gateways.issuers(),
        keys: gateways.keys(server.tenant),
        certificate: None,
    };
    let text = serde_json::to_vec(&reply).map_err(|_| Failure::internal("writing a gateway's state"))?;
    reply.version = cs_jose::encode_url(digest::digest(&digest::SHA256, &text));
    Ok(reply)
}

fn certificate(call: &Call, host: &str, request: &str) -> Result<String, Failure> {
    let request = cs_pki::ClientRequest::read(request, host)
        .map_err(|bad| ResourceError::invalid("certificateRequest", bad.to_string()))?;
    call.parts.gateways.certificate(host, &request).ok_or_else(Failure::no_gateway_certificate)
}

pub(super) async fn records(call: &Call) -> Answer {
    let given: GatewayRecords = call.json()?;
    if given.records.len() > RECORDS_AT_MOST {
        return Err(ResourceError::invalid("records", "are too many").into());
    }
    check(call).await?;
    let server = existing(call).await?;
    // All are read before one is kept: a gateway that is refused sends them all again.
    let wrong = || ResourceError::invalid("records", "hold a wrong one");
    let read = |one| read(call, &server, one).ok_or_else(wrong);
    let records: Vec<AuditRecord> = given.records.into_iter().map(read).collect::<Result<_, _>>()?;
    // Durable before the gateway forgets them.
    call.parts.audit.record_all(records).await.map_err(|_| Failure::busy())?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// What a gateway says happened, and which gateway says it.
fn read(call: &Call, server: &Server, one: GatewayRecord) -> Option<AuditRecord> {
    let because: String = one.because.chars().filter(|c| !c.is_control()).take(400).collect();
    Some(AuditRecord {
        tenant: server.tenant,
        time: Timestamp::from_micros(one.time),
        correlation: one.correlation_id.parse().ok()?,
        caller: Some(one.object_id.parse().ok()?),
        client: Some(one.client_id.parse().ok()?),
        action: CONNECT.to_owned(),
        scope: server.id.to_string(),
        outcome: AuditOutcome::parse(&one.outcome)?,
        because: format!("{because}, at the gateway {}", call.op.caller.object),
    })
}
