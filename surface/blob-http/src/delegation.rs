//! Keys by which users sign for others (blob.md 4.3).

use base64::{Engine, engine::general_purpose::STANDARD};
use cs_blob::DelegationKey;
use cs_serve::{Body, BodyError, Response, read_body};
use cs_time::Timestamp;
use cs_wire_blob::{KeyInfo, UserDelegationKey};

use crate::{
    Call,
    account::xml,
    failure::{Code, Failure},
    headers,
};

const BODY_MAX_BYTES: usize = 16 * 1024;
/// A key starts at most so far ahead and lives at most so long, in seconds: seven days.
const MAX_SECONDS: i64 = 7 * 24 * 3600;
/// Keys of callers that name no version are of the oldest that knows them.
const OLDEST_VERSION: &str = "2018-11-09";

/// A key follows from its fields: nothing is kept, and what it may sign is decided when a signature is used.
pub(crate) async fn key(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    let bytes = read_body(body, BODY_MAX_BYTES).await.map_err(|error| match error {
        BodyError::TooLarge(_) => Failure::from(Code::BODY_TOO_LARGE),
        BodyError::Broken(_) => Code::INCOMPLETE_BODY.into(),
    })?;
    let asked = KeyInfo::parse(&bytes).ok_or(Code::INVALID_XML)?;
    let now = call.op.started;
    let time = |text: &str| Timestamp::parse_rfc3339(text).ok_or(Code::INVALID_XML_VALUE);
    let start = asked.start.as_deref().map_or(Ok(now), time)?;
    let expiry = time(&asked.expiry)?;
    let (from, until) = (start.seconds(), expiry.seconds());
    if until <= now.seconds()
        || until <= from
        || until - from.max(now.seconds()) > MAX_SECONDS
        || from > now.seconds() + MAX_SECONDS
    {
        return Err(Code::INVALID_XML_VALUE.into());
    }
    let version = headers::one(call.headers, "x-ms-version")?.unwrap_or(OLDEST_VERSION);
    let key = DelegationKey {
        object: call.op.caller.object.to_string(),
        tenant: call.op.caller.tenant.to_string(),
        start: from,
        expiry: until,
        service: "b".to_owned(),
        version: version.to_owned(),
    };
    let value = call.account.delegation(&key).ok_or(Code::INTERNAL)?;
    let answer = UserDelegationKey {
        object: &key.object,
        tenant: &key.tenant,
        start: &start.rfc3339(),
        expiry: &expiry.rfc3339(),
        service: &key.service,
        version: &key.version,
        value: &STANDARD.encode(value),
    };
    Ok(xml(answer.to_xml()))
}
