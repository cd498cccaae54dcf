//! The operations on secrets, from wire to part and back.

use cs_serve::{BodyError, Request, Response, empty, json, read_body};
use cs_vault::{Deleted, NewSecret, Secret, SecretChange, SecretRow};
use cs_wire_vault::{Attributes, Page, SecretBundle, SecretParameters};
use http::StatusCode;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    Call, Failure,
    page::{Asked, link},
};

/// A value of 25,600 bytes in which JSON escapes every one (`\u0000`: six for one), and 15 tags likewise, stays below this.
const BODY_MAX_BYTES: usize = 256 * 1024;

pub(crate) async fn set(call: &Call<'_>, request: Request) -> Result<Response, Failure> {
    let body = parameters(request).await?;
    let attributes = body.attributes.unwrap_or_default();
    let new = NewSecret {
        name: call.params.get("name").to_owned(),
        value: Zeroizing::new(body.value.ok_or_else(|| Failure::bad("Parameter 'value' is required"))?),
        content_type: body.content_type,
        tags: tags(body.tags)?.unwrap_or_default(),
        enabled: attributes.enabled.unwrap_or(true),
        not_before: attributes.nbf,
        expires: attributes.exp,
    };
    let secret = call.vaults.set(call.op, &call.allowed, call.vault, new).await?;
    Ok(json(StatusCode::OK, &bundle(call, secret)))
}

pub(crate) async fn get(call: &Call<'_>) -> Result<Response, Failure> {
    let secret =
        call.vaults.get(call.op, &call.allowed, call.vault, call.params.get("name"), version(call)).await?;
    Ok(json(StatusCode::OK, &bundle(call, secret)))
}

pub(crate) async fn update(call: &Call<'_>, request: Request) -> Result<Response, Failure> {
    let body = parameters(request).await?;
    let attributes = body.attributes.unwrap_or_default();
    let change = SecretChange {
        content_type: body.content_type,
        tags: tags(body.tags)?,
        enabled: attributes.enabled,
        not_before: attributes.nbf,
        expires: attributes.exp,
    };
    let name = call.params.get("name");
    let secret = call.vaults.update(call.op, &call.allowed, call.vault, name, version(call), change).await?;
    Ok(json(StatusCode::OK, &bundle(call, secret)))
}

pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Failure> {
    let asked = Asked::read(call.query)?;
    let rows = call.vaults.list(&call.allowed, call.vault, &asked.after, asked.size + 1).await?;
    let (rows, next) = asked.cut(rows, |row| row.name.to_ascii_lowercase());
    let value = rows.into_iter().map(|row| item(call, row, false)).collect();
    Ok(json(StatusCode::OK, &Page { value, next_link: link(call, "/secrets", asked.size, next) }))
}

pub(crate) async fn versions(call: &Call<'_>) -> Result<Response, Failure> {
    let asked = Asked::read(call.query)?;
    let name = call.params.get("name");
    let rows = call.vaults.versions(&call.allowed, call.vault, name, &asked.after, asked.size + 1).await?;
    let (rows, next) = asked.cut(rows, |row| row.version.clone());
    let value = rows.into_iter().map(|row| item(call, row, true)).collect();
    let path = format!("/secrets/{name}/versions");
    Ok(json(StatusCode::OK, &Page { value, next_link: link(call, &path, asked.size, next) }))
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, Failure> {
    let deleted = call.vaults.delete(call.op, &call.allowed, call.vault, call.params.get("name")).await?;
    Ok(json(StatusCode::OK, &deleted_bundle(call, deleted, true)))
}

pub(crate) async fn get_deleted(call: &Call<'_>) -> Result<Response, Failure> {
    let deleted = call.vaults.deleted(&call.allowed, call.vault, call.params.get("name")).await?;
    Ok(json(StatusCode::OK, &deleted_bundle(call, deleted, true)))
}

pub(crate) async fn list_deleted(call: &Call<'_>) -> Result<Response, Failure> {
    let asked = Asked::read(call.query)?;
    let rows = call.vaults.list_deleted(&call.allowed, call.vault, &asked.after, asked.size + 1).await?;
    let (rows, next) = asked.cut(rows, |d| d.newest.name.to_ascii_lowercase());
    let value = rows.into_iter().map(|d| deleted_bundle(call, d, false)).collect();
    Ok(json(StatusCode::OK, &Page { value, next_link: link(call, "/deletedsecrets", asked.size, next) }))
}

pub(crate) async fn recover(call: &Call<'_>) -> Result<Response, Failure> {
    let secret = call.vaults.recover(call.op, &call.allowed, call.vault, call.params.get("name")).await?;
    Ok(json(StatusCode::OK, &bundle(call, secret)))
}

pub(crate) async fn purge(call: &Call<'_>) -> Result<Response, Failure> {
    call.vaults.purge(call.op, &call.allowed, call.vault, call.params.get("name")).await?;
    let mut response = http::Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// An absent or empty segment means the newest version.
fn version<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    Some(call.params.get("version")).filter(|v| !v.is_empty())
}

async fn parameters(request: Request) -> Result<SecretParameters, Failure> {
    document(request, BODY_MAX_BYTES).await
}

/// A JSON object of at most so many bytes.
pub(crate) async fn document<T: serde::de::DeserializeOwned>(
    request: Request,
    max: usize,
) -> Result<T, Failure> {
    let bytes = read_body(request.into_body(), max).await.map_err(|error| match error {
        BodyError::TooLarge(_) => Failure::TooLarge,
        BodyError::Broken(_) => Failure::bad("The request body broke off."),
    })?;
    // Serde would also take the members from a list, in their order.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Failure::bad("The request body is not a JSON object."));
    }
    // serde_json's own limit of 128 levels bounds how deep a document may go.
    serde_json::from_slice(&bytes).map_err(|error| {
        let kind = if error.is_data() { "has a member of a wrong type" } else { "is not JSON" };
        Failure::bad(format!("The request body {kind} (line {}, column {}).", error.line(), error.column()))
    })
}

fn tags(sent: Option<Map<String, Value>>) -> Result<Option<Vec<(String, String)>>, Failure> {
    let Some(sent) = sent else { return Ok(None) };
    let text = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, value)),
        _ => Err(Failure::bad("The values of tags must be strings.")),
    };
    sent.into_iter().map(text).collect::<Result<_, _>>().map(Some)
}

fn attributes(call: &Call<'_>, row: &SecretRow) -> Attributes {
    // recoverableDays came with 7.1.
    let days = (call.query.get("api-version") != Some("7.0")).then_some(call.vault.retention_days);
    Attributes {
        enabled: Some(row.enabled),
        nbf: row.not_before,
        exp: row.expires,
        created: Some(row.created.seconds()),
        updated: Some(row.updated.seconds()),
        recovery_level: Some(call.vault.recovery_level()),
        recoverable_days: days,
    }
}

fn describe(call: &Call<'_>, row: SecretRow, id: String, value: Option<String>) -> SecretBundle {
    SecretBundle {
        recovery_id: None,
        deleted_date: None,
        scheduled_purge_date: None,
        value,
        id,
        attributes: attributes(call, &row),
        content_type: row.content_type,
        tags: row.tags.into_iter().map(|(n, v)| (n, Value::from(v))).collect(),
    }
}

pub(crate) fn bundle(call: &Call<'_>, secret: Secret) -> SecretBundle {
    let id = format!("{}/secrets/{}/{}", call.base, secret.row.name, secret.row.version);
    describe(call, secret.row, id, secret.value.map(|v| v.as_str().to_owned()))
}

fn item(call: &Call<'_>, row: SecretRow, with_version: bool) -> SecretBundle {
    let id = match with_version {
        true => format!("{}/secrets/{}/{}", call.base, row.name, row.version),
        false => format!("{}/secrets/{}", call.base, row.name),
    };
    describe(call, row, id, None)
}

fn deleted_bundle(call: &Call<'_>, deleted: Deleted, with_version: bool) -> SecretBundle {
    let recovery = format!("{}/deletedsecrets/{}", call.base, deleted.newest.name);
    let mut bundle = item(call, deleted.newest, with_version);
    bundle.recovery_id = Some(recovery);
    bundle.deleted_date = Some(deleted.deleted.seconds());
    bundle.scheduled_purge_date = Some(deleted.purge.seconds());
    bundle
}
