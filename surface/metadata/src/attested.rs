//! The attested document (metadata.md 3.5): who this machine is, signed in the name of its site over the caller's nonce.
//! It cannot pass for the public cloud's, whose signer is another.

use cs_broker::AttestError;
use cs_serve::{Query, Response, json};
use cs_wire_metadata::{AttestedReply, is_nonce};
use http::StatusCode;

use crate::{failure, service::Ask};

pub(crate) async fn answer(ask: &Ask<'_>, query: &Query) -> Result<Response, Response> {
    let nonce = query.get("nonce").filter(|n| !n.is_empty());
    if nonce.is_some_and(|sent| !is_nonce(sent)) {
        let text = "Bad request. The nonce has at most 32 characters, all of them printable";
        return Err(failure::plain(StatusCode::BAD_REQUEST, text));
    }
    let attester = ask.machine.attester.as_ref().ok_or_else(|| refused(&AttestError::Nobody))?;
    let signed = attester.attest(nonce, ask.correlation()).await.map_err(|error| {
        tracing::warn!(%error, "no attested document");
        refused(&error)
    })?;
    let reply = AttestedReply { encoding: "pkcs7", signature: cs_jose::encode_std(signed) };
    Ok(failure::private(json(StatusCode::OK, &reply)))
}

fn refused(error: &AttestError) -> Response {
    let said = |status, text: &str| failure::private(failure::plain(status, text));
    match error {
        AttestError::Nobody => said(StatusCode::NOT_FOUND, "This machine's site attests nothing"),
        AttestError::Refused(text) => said(StatusCode::BAD_REQUEST, text),
        AttestError::Busy => {
            failure::later(said(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Try again in a second"), 1)
        }
        AttestError::Unreachable(_) => failure::later(
            said(StatusCode::SERVICE_UNAVAILABLE, "The site that signs it cannot be reached"),
            5,
        ),
        AttestError::Failed(_) => {
            said(StatusCode::INTERNAL_SERVER_ERROR, "The document could not be signed: see the log")
        }
    }
}
