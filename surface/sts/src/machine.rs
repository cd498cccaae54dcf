//! `POST …/machine/heartbeat`, `…/machine/key` and `…/machine/attested`: what agents say of their machines, and what is
//! said of these to others. Ours alone; a form with one field, `statement`.

use cs_authority::Statement;
use cs_serve::{Request, Response, json};
use cs_time::Timestamp;
use cs_wire_metadata::{attested_document, is_nonce};
use http::StatusCode;

use crate::{
    Call, Notary,
    failure::{Aadsts, Failure},
    form::Form,
};

pub(crate) async fn heartbeat(call: &Call<'_>, tenant: &str, request: Request) -> Result<Response, Failure> {
    let (tenant, form) = (call.authority.tenant(tenant)?, Form::read(call, request).await?);
    let generation = call.authority.heartbeat(&statement(call, &tenant, &form)?).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({"generation": generation})))
}

pub(crate) async fn next_key(call: &Call<'_>, tenant: &str, request: Request) -> Result<Response, Failure> {
    let (tenant, form) = (call.authority.tenant(tenant)?, Form::read(call, request).await?);
    let offered = call.authority.offer_key(&statement(call, &tenant, &form)?).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({"offered": offered})))
}

/// The attested document of the machine whose key signed (metadata.md 3.5), over the nonce in its statement.
pub(crate) async fn attested(
    call: &Call<'_>,
    tenant: &str,
    request: Request,
    (notary, now): (Option<&dyn Notary>, Timestamp),
) -> Result<Response, Failure> {
    let (tenant, form) = (call.authority.tenant(tenant)?, Form::read(call, request).await?);
    let statement = statement(call, &tenant, &form)?;
    let notary = notary.ok_or_else(Failure::nowhere)?;
    let asked = call.authority.attest(&statement).await?;
    if asked.nonce.as_deref().is_some_and(|nonce| !is_nonce(nonce)) {
        let text = "The nonce has at most 32 characters, all of them printable.";
        return Err(Failure::of(Aadsts::INVALID_INPUT, text));
    }
    let document = attested_document(asked.nonce.as_deref(), &asked.subscription_id, &asked.vm_id, now);
    let signed =
        document.map_err(|e| e.to_string()).and_then(|text| notary.sign(&text)).map_err(|error| {
            tracing::error!(error, "an attested document could not be signed");
            Failure::of(Aadsts::UNAVAILABLE, "The document could not be signed.")
        })?;
    Ok(json(StatusCode::OK, &serde_json::json!({"signature": cs_jose::encode_std(signed)})))
}

fn statement<'r>(
    call: &'r Call<'_>,
    tenant: &'r cs_authority::TenantName,
    form: &'r Form,
) -> Result<Statement<'r>, Failure> {
    let text = form.field("statement").ok_or_else(|| Failure::missing("statement"))?;
    Ok(Statement { tenant, text, address: &call.context.address, correlation: call.correlation })
}
