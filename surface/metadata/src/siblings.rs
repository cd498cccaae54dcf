//! The other sources that clients know (metadata.md 5): App Service with its secret header, Cloud Shell with its form.
//! Their errors have shapes of their own, and clients print what stands in them.

use cs_ids::CorrelationId;
use cs_serve::{Body, Query, Response, json, read_body, single};
use cs_wire_metadata::{
    AppServiceError, AppServiceReply, CloudShellError, CodedError, IDENTITY_HEADER, OLDER_IDENTITY_HEADER,
};
use http::{StatusCode, request::Parts};

use crate::{
    failure::{later, private},
    service::Ask,
    token::{Refusal, Which, issued, not_connected, reply, resource, selector},
    versions,
};

/// A resource and an identity are a few hundred bytes.
const FORM_MAX_BYTES: usize = 4096;

/// `IDENTITY_ENDPOINT` with `IDENTITY_HEADER`: whoever can read the header's value gets tokens.
pub(crate) async fn app_service(ask: &Ask<'_>, request: &Parts, query: &Query) -> Response {
    let answer = app_service_answer(ask, request, query).await;
    answer.unwrap_or_else(|refusal| app_service_error(&refusal, ask.correlation()))
}

pub(crate) fn app_service_error(refusal: &Refusal, correlation: CorrelationId) -> Response {
    let error = AppServiceError {
        status_code: refusal.status.as_u16(),
        message: &refusal.text,
        correlation_id: correlation.to_string(),
    };
    let said = private(json(refusal.status, &error));
    refusal.retry_after.into_iter().fold(said, later)
}

async fn app_service_answer(ask: &Ask<'_>, request: &Parts, query: &Query) -> Result<Response, Refusal> {
    let sent = |name| single(&request.headers, name).ok().flatten();
    let sent = sent(IDENTITY_HEADER).or_else(|| sent(OLDER_IDENTITY_HEADER)).unwrap_or_default();
    if !ask.is_identity_header(sent) {
        let text = "The header X-IDENTITY-HEADER is missing or wrong";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
    }
    if !query.get("api-version").is_some_and(versions::is_date) {
        let text = "The api-version is missing or cannot be read: 2019-08-01 is one";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_request", text));
    }
    let (resource, selector) = (resource(query)?, selector(query)?);
    let identities = ask.facts.identities().await;
    // What newer clients send once a resource has refused their token (metadata.md 2).
    let refused = query.get("token_sha256_to_refresh").filter(|hash| !hash.is_empty());
    let which = refused.map_or(Which::Any, Which::OtherThan);
    let (chosen, token) = issued(ask, &identities, selector, (resource, which)).await?;
    let reply = AppServiceReply {
        access_token: &token.access_token,
        client_id: chosen.client.to_string(),
        expires_on: token.expires_on.to_string(),
        resource,
        token_type: "Bearer",
    };
    Ok(private(json(StatusCode::OK, &reply)))
}

/// `MSI_ENDPOINT` alone: a form, posted. Nothing but the header `Metadata` keeps others out.
pub(crate) async fn cloud_shell(ask: &Ask<'_>, request: &Parts, body: Body) -> Response {
    cloud_shell_answer(ask, request, body).await.unwrap_or_else(|refusal| cloud_shell_error(&refusal))
}

pub(crate) fn cloud_shell_error(refusal: &Refusal) -> Response {
    let error = CodedError { code: refusal.error, message: &refusal.text };
    let said = private(json(refusal.status, &CloudShellError { error }));
    refusal.retry_after.into_iter().fold(said, later)
}

async fn cloud_shell_answer(ask: &Ask<'_>, request: &Parts, body: Body) -> Result<Response, Refusal> {
    let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", text);
    let form = if request.method == http::Method::GET {
        Query::parse(request.uri.query()).map_err(|_| bad("The query cannot be read"))?
    } else {
        if request.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(bad("The parameters are expected in the body"));
        }
        let form = read_body(body, FORM_MAX_BYTES).await.map_err(|_| bad("The form cannot be read"))?;
        let form = std::str::from_utf8(&form).map_err(|_| bad("The form cannot be read"))?;
        Query::parse(Some(form)).map_err(|_| bad("The form cannot be read"))?
    };
    if form.has_duplicates() {
        return Err(bad("A parameter is given more than once"));
    }
    let (resource, selector) = (resource(&form)?, selector(&form)?);
    let identities = ask.facts.identities().await;
    if identities.is_empty() {
        return Err(not_connected(ask.service));
    }
    let (chosen, token) = issued(ask, &identities, selector, (resource, Which::Any)).await?;
    Ok(private(json(StatusCode::OK, &reply(ask, chosen, &token, selector, resource))))
}
