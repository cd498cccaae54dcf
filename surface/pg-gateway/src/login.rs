//! The password, which is a token; whom it proves; and the role that is theirs.

use std::{sync::Arc, task::Poll};

use bytes::{Bytes, BytesMut};
use cs_access::Standing;
use cs_audit::{AuditOutcome, AuditRecord};
use cs_authority::{KnownResource, TokenRefusal};
use cs_database::{RoleName, find_rule};
use cs_databases::Server;
use cs_ids::ObjectId;
use cs_names::{Address, Surface};
use cs_rbac::Caller;
use cs_time::Timestamp;
use cs_wire_postgres::{
    Malformed, PASSWORD_MAX_BYTES, Startup, Version, authentication_cleartext, backend_key_data,
    message_length, negotiate_protocol, read_password,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::{
    backend::{self, Target},
    cancel,
    crowd::{Patience, Place},
    opening::Visit,
    refusal::Refusal,
    sessions::{NewSession, Ready},
    streams::Client,
};

/// What the audit log calls a login.
const ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/connect/action";

/// Who was let in, and by what.
struct Admitted {
    caller: Caller,
    expires: Timestamp,
    server: Arc<Server>,
    rule: ObjectId,
}

/// Takes a client from its start-up packet to a session that is ready.
pub(crate) async fn log_in(
    client: &mut Client,
    startup: &Startup,
    place: Place,
    visit: &Visit,
) -> Result<Ready, Refusal> {
    let user = startup.single("user")?.filter(|u| !u.is_empty()).ok_or(Refusal::NoUser)?;
    let user = std::str::from_utf8(user).map_err(|_| Malformed("the user name is not UTF-8"))?;
    let role = RoleName::parse(user).map_err(Refusal::BadUser)?;
    startup.single("database")?;
    let replication = startup.single("replication")?.is_some_and(|value| asks_for_replication(value));
    let version = negotiate(client, startup).await?;

    client.write_all(&authentication_cleartext()).await?;
    client.flush().await?;
    let password = password(client).await?;
    let admitted = admit(&role, &password, client, visit).await?;
    drop(password);
    let asked = Asked { role, replication, version, startup };
    // Within what is left of the time, so that an end of it is on record too.
    let (ready, words) = match visit.within(open(client, &asked, &admitted, visit)).await {
        Ok(opened) => {
            let because = format!("rule {}, role {}", admitted.rule, asked.role);
            record(&admitted.caller, &admitted.server, visit, AuditOutcome::Done, because)?;
            opened
        }
        Err(refusal) => {
            let outcome = match refusal {
                Refusal::Replication => AuditOutcome::Denied,
                _ => AuditOutcome::Failed,
            };
            record(
                &admitted.caller,
                &admitted.server,
                visit,
                outcome,
                format!("role {}: {refusal}", asked.role),
            )?;
            return Err(refusal);
        }
    };
    // Proven: it stands in nobody's way at the door any more.
    drop(place);
    client.write_all(&words).await?;
    client.flush().await?;
    Ok(ready)
}

/// What a client wants to be, and how it speaks.
struct Asked<'a> {
    role: RoleName,
    replication: bool,
    version: Version,
    startup: &'a Startup,
}

/// From a rule that lets the caller in to a session of the server; with it what the client is to be told.
async fn open(
    client: &mut Client,
    asked: &Asked<'_>,
    admitted: &Admitted,
    visit: &Visit,
) -> Result<(Ready, BytesMut), Refusal> {
    if asked.replication && !admitted.server.settings.replication {
        return Err(Refusal::Replication);
    }
    let target = Target::of(&admitted.server, &asked.role, &visit.shared).await?;
    let behind = backend::log_in(target, &asked.role, asked.startup).await?;
    nothing_pipelined(client).await?;

    let long = asked.version >= Version::V3_2;
    let session = visit.shared.sessions.admit(
        NewSession {
            tenant: admitted.caller.tenant,
            object: admitted.caller.object,
            rule: admitted.rule,
            label: admitted.server.label.clone(),
            role: asked.role.clone(),
            expires: admitted.expires,
            told: cancel::told(&admitted.server.cancel_secret, behind.way_back.key(), long),
            long_key: long,
            behind: behind.way_back,
        },
        &*visit.shared.parts.chance,
        visit.shared.parts.clock.now(),
    )?;
    let mut words = behind.said;
    words.extend_from_slice(&backend_key_data(session.key()));
    words.extend_from_slice(&behind.ready);
    let shared = Arc::clone(&visit.shared);
    Ok((Ready { session, server: behind.stream, backlog: behind.backlog, shared }, words))
}

/// Says which protocol will be spoken where the client asks for something we do not know.
async fn negotiate(client: &mut Client, startup: &Startup) -> Result<Version, Refusal> {
    let version = startup.version.min(Version::V3_2);
    let unknown = startup.protocol_options();
    if version != startup.version || !unknown.is_empty() {
        client.write_all(&negotiate_protocol(version, &unknown)).await?;
    }
    Ok(version)
}

/// `true`, `on`, `yes`, `1` and `database` do; PostgreSQL's false words do not.
fn asks_for_replication(value: &[u8]) -> bool {
    let value = value.to_ascii_lowercase();
    !["", "false", "off", "no", "0", "f", "n", "of"].iter().any(|no| value == no.as_bytes())
}

/// The text of the password message, which must be the first thing a client says (G07, G09).
async fn password(client: &mut Client) -> Result<Vec<u8>, Refusal> {
    let mut head = [0; 5];
    client.read_exact(&mut head).await?;
    let [kind, a, b, c, d] = head;
    if kind != b'p' {
        return Err(Malformed("expected a password response").into());
    }
    let length = message_length([a, b, c, d], PASSWORD_MAX_BYTES + 1)
        .map_err(|_| Malformed("the password is longer than 64 KiB"))?;
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    Ok(body)
}

/// Who the token proves, on which server, by which rule. Reasons differ in the log, hardly to the client.
async fn admit(
    role: &RoleName,
    password: &[u8],
    client: &Client,
    visit: &Visit,
) -> Result<Admitted, Refusal> {
    let parts = &visit.shared.parts;
    let user = || role.as_str().to_owned();
    if visit.shared.sessions.is_closing() {
        return Err(Refusal::Stopping);
    }
    match visit.shared.crowd.patience(visit.peer.ip(), parts.clock.now()) {
        Patience::Fresh => {}
        Patience::Worn => tokio::time::sleep(parts.limits.weary).await,
        Patience::Out => return Err(Refusal::Patience),
    }
    let token = read_password(password).ok().and_then(|text| std::str::from_utf8(text).ok());
    if token.is_some_and(str::is_empty) {
        return Err(Refusal::NoPassword { user: user() });
    }
    let token = token.ok_or(Refusal::Token { user: user(), why: TokenRefusal::Malformed })?;
    let audiences = KnownResource::Postgres.audiences(&Address::new(parts.names.clone(), 443));
    let caller = parts.tokens.check(token, &audiences).map_err(|why| Refusal::Token { user: user(), why })?;
    let expires = expiry(token).ok_or(Refusal::Token { user: user(), why: TokenRefusal::Malformed })?;

    let server = find_server(client, visit).await?.ok_or(Refusal::NoServer { user: user() })?;
    if server.tenant != caller.tenant {
        return Err(Refusal::OtherTenant { user: user() });
    }
    let groups = meet(&caller, visit).await?;
    match parts.knowledge.standing(caller.tenant, caller.object) {
        Standing::Good => {}
        Standing::Gone => return Err(Refusal::Token { user: user(), why: TokenRefusal::Principal }),
        Standing::Unconfirmed => return Err(Refusal::Undecided("how the caller stands".to_owned())),
    }
    let find = |server: &Server| {
        find_rule(&server.rules, caller.object, &groups, role.as_str()).map(|rule| rule.object)
    };
    let (server, found) = match find(&server) {
        Ok(rule) => (server, Ok(rule)),
        Err(_) => {
            let server = by_now(server, visit).await?;
            let found = find(&server);
            (server, found)
        }
    };
    match found {
        Ok(rule) => Ok(Admitted { caller, expires, rule, server }),
        Err(why) => {
            record(&caller, &server, visit, AuditOutcome::Denied, format!("role {role}: {why}"))?;
            Err(Refusal::NoRule { user: user(), why })
        }
    }
}

/// Learns of the caller what is true now; answers the groups it is in.
async fn meet(caller: &Caller, visit: &Visit) -> Result<Vec<ObjectId>, Refusal> {
    let (tenant, object) = (caller.tenant, caller.object);
    let knowledge = Arc::clone(&visit.shared.parts.knowledge);
    let undecided = |why: String| Refusal::Undecided(why);
    let met = visit.shared.home.spawn(async move { knowledge.meet(tenant, object).await });
    met.await.map_err(|e| undecided(e.to_string()))?.map_err(|e| undecided(e.to_string()))?;
    visit.shared.parts.knowledge.groups_of(tenant, object).map_err(|e| undecided(e.to_string()))
}

async fn by_now(server: Arc<Server>, visit: &Visit) -> Result<Arc<Server>, Refusal> {
    let knowledge = Arc::clone(&visit.shared.parts.knowledge);
    let asked = visit.shared.home.spawn(async move { knowledge.server_by_now(&server).await });
    let answer = asked.await.map_err(|e| Refusal::Undecided(e.to_string()))?;
    answer.map_err(|e| Refusal::Undecided(e.to_string()))
}

/// `exp` of a token that was just verified.
fn expiry(token: &str) -> Option<Timestamp> {
    let jws = cs_jose::Jws::split(token).ok()?;
    jws.claims.get("exp").and_then(cs_jose::NumericDate::read).map(|d| Timestamp::from_seconds(d.0))
}

/// The server that the name in the client's hello means, or the only one where it names none of ours.
async fn find_server(client: &Client, visit: &Visit) -> Result<Option<Arc<Server>>, Refusal> {
    let parts = &visit.shared.parts;
    let Ok(label) = label(client, visit) else { return Ok(None) };
    let knowledge = Arc::clone(&parts.knowledge);
    let asked = visit.shared.home.spawn(async move {
        let label = match label {
            Some(label) => Some(label),
            None => knowledge.only_label().await?,
        };
        match label {
            Some(label) => knowledge.server(&label).await,
            None => Ok(None),
        }
    });
    match asked.await {
        Ok(Ok(server)) => Ok(server),
        Ok(Err(error)) => Err(Refusal::Undecided(error.to_string())),
        Err(error) => Err(Refusal::Undecided(error.to_string())),
    }
}

/// The server that the client's hello names, if it names one; an error for a name that is no server's.
pub(crate) fn label(client: &Client, visit: &Visit) -> Result<Option<String>, ()> {
    let name = client.get_ref().1.server_name();
    match name.and_then(|n| visit.shared.parts.names.route(n)) {
        Some(Surface::Database(label)) => Ok(Some(label)),
        Some(_) => Err(()),
        None => Ok(None),
    }
}

/// No record, no session.
fn record(
    caller: &Caller,
    server: &Server,
    visit: &Visit,
    outcome: AuditOutcome,
    because: String,
) -> Result<(), Refusal> {
    let record = AuditRecord {
        tenant: caller.tenant,
        time: visit.shared.parts.clock.now(),
        correlation: visit.correlation,
        caller: Some(caller.object),
        client: Some(caller.client),
        action: ACTION.to_owned(),
        scope: server.id.to_string(),
        outcome,
        because,
    };
    visit.shared.parts.audit.soon(record).map_err(|error| Refusal::Undecided(error.to_string()))
}

/// Whatever a client sent before it was let in is not passed on (G09); clients wait for the answer.
async fn nothing_pipelined(client: &mut Client) -> Result<(), Refusal> {
    let mut byte = [0];
    std::future::poll_fn(|cx| {
        let mut buffer = ReadBuf::new(&mut byte);
        Poll::Ready(match std::pin::Pin::new(&mut *client).poll_read(cx, &mut buffer) {
            Poll::Pending => Ok(()),
            Poll::Ready(Err(error)) => Err(error.into()),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(Refusal::Silent("it left")),
            Poll::Ready(Ok(())) => Err(Malformed("received data before authentication was complete").into()),
        })
    })
    .await
}

/// What a server said between login and readiness, and how to reach it again.
pub(crate) struct Behind {
    pub stream: crate::streams::Server,
    pub way_back: backend::WayBack,
    /// Everything but the key and the last message.
    pub said: BytesMut,
    /// `ReadyForQuery`.
    pub ready: BytesMut,
    /// Bytes that came after it.
    pub backlog: Bytes,
}
