//! The attested document (metadata.md 3.5): who this machine is, signed by the site's CA over the caller's nonce. It
//! cannot pass for the public cloud's, whose signer is another.

use cs_broker::Facts;
use cs_serve::{Query, Response, json};
use cs_time::Timestamp;
use cs_wire_metadata::AttestedReply;
use http::StatusCode;
use serde_json::json;

use crate::{failure, service::Metadata};

const NONCE_MAX_CHARS: usize = 32;
/// From its making on it is good for this long, in seconds: six hours.
const LIFE_SECONDS: i64 = 6 * 3600;

pub(crate) fn answer(machine: &Metadata, facts: &Facts, query: &Query) -> Result<Response, Response> {
    let now = machine.clock.now();
    let nonce = match query.get("nonce").filter(|n| !n.is_empty()) {
        None => now.format("%Y%m%d-%H%M%S"),
        Some(sent) if sent.len() <= NONCE_MAX_CHARS && sent.bytes().all(|b| b.is_ascii_graphic()) => {
            sent.to_owned()
        }
        Some(_) => {
            let text = "Bad request. The nonce has at most 32 characters, all of them printable";
            return Err(failure::plain(StatusCode::BAD_REQUEST, text));
        }
    };
    let Some(attester) = &machine.attester else {
        let text = "Attested data is served by the site's own host only";
        return Err(failure::plain(StatusCode::NOT_FOUND, text));
    };
    let signed = attester.sign(document(facts, &nonce, now).as_bytes()).map_err(|error| {
        tracing::error!(error, "the attested document could not be signed");
        failure::plain(StatusCode::INTERNAL_SERVER_ERROR, "The document could not be signed: see the log")
    })?;
    let reply = AttestedReply { encoding: "pkcs7", signature: cs_jose::encode_std(signed) };
    Ok(failure::private(json(StatusCode::OK, &reply)))
}

fn document(facts: &Facts, nonce: &str, now: Timestamp) -> String {
    let written = |t: Timestamp| t.format("%m/%d/%y %H:%M:%S -0000");
    json!({
        "nonce": nonce, "plan": {"name": "", "product": "", "publisher": ""}, "sku": "",
        "subscriptionId": facts.subscription_id,
        "timeStamp": {"createdOn": written(now), "expiresOn": written(now.plus_seconds(LIFE_SECONDS))},
        "vmId": facts.vm_id, "licenseType": ""
    })
    .to_string()
}
