//! `POST …/machine/heartbeat` and `…/machine/key`: what agents say of their machines. Ours alone; a form with one
//! field, `statement`.

use cs_authority::Statement;
use cs_serve::{Request, Response, json};
use http::StatusCode;

use crate::{Call, Failure, form::Form};

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

fn statement<'r>(
    call: &'r Call<'_>,
    tenant: &'r cs_authority::TenantName,
    form: &'r Form,
) -> Result<Statement<'r>, Failure> {
    let text = form.field("statement").ok_or_else(|| Failure::missing("statement"))?;
    Ok(Statement { tenant, text, address: &call.context.address, correlation: call.correlation })
}
