//! Accounts and containers.

use cs_serve::{Response, empty, full};
use cs_wire_blob::{ContainerItem, ContainerListing};
use http::{HeaderValue, StatusCode, header};

use crate::{
    Call,
    failure::{Code, Failure},
    headers, leases,
};

/// Largest page, and the page where none is asked for (blob.md 5, List).
pub(crate) const PAGE: u32 = 5000;

pub(crate) fn plain(status: StatusCode) -> Response {
    let mut response = http::Response::new(empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

pub(crate) fn xml(text: String) -> Response {
    let length = text.len();
    let mut response = http::Response::new(full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

pub(crate) fn info() -> Response {
    let mut response = plain(StatusCode::OK);
    for (name, value) in [
        ("x-ms-sku-name", "Standard_LRS"),
        ("x-ms-account-kind", "StorageV2"),
        ("x-ms-is-hns-enabled", "false"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What cannot be changed here, as the original says it of a new account: no logs, no metrics, no rules for browsers, and
/// what is deleted is gone.
pub(crate) fn service_properties() -> Response {
    xml(cs_wire_blob::SERVICE_PROPERTIES.to_owned())
}

/// No container is open to everybody, and none has stored policies.
pub(crate) async fn acl(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    let row = call.blobs.readable(call.account, &call.container, &conditions).await?;
    let mut response = xml(cs_wire_blob::NO_SIGNED_IDENTIFIERS.to_owned());
    headers::stamp(response.headers_mut(), &row.etag, row.modified);
    Ok(response)
}

/// `maxresults`: larger than a page is clamped, 0 and less is refused.
pub(crate) fn page_size(call: &Call<'_>) -> Result<(u32, Option<u32>), Failure> {
    let Some(text) = call.query.get("maxresults") else { return Ok((PAGE, None)) };
    match text.parse::<i64>() {
        Ok(n) if n >= 1 => {
            let size = u32::try_from(n).unwrap_or(PAGE).min(PAGE);
            Ok((size, Some(size)))
        }
        Ok(_) => Err(Failure::query(Code::OUT_OF_RANGE_QUERY, "maxresults", text)),
        Err(_) => Err(Failure::query(Code::INVALID_QUERY, "maxresults", text)),
    }
}

/// A marker is a name, hidden so that nobody builds one.
pub(crate) fn marker(call: &Call<'_>) -> Result<String, Failure> {
    let Some(text) = call.query.get("marker").filter(|m| !m.is_empty()) else { return Ok(String::new()) };
    let bytes = text
        .strip_prefix("1!")
        .filter(|t| t.is_ascii() && t.len() % 2 == 0 && t.len() <= 16 * 1024)
        .map(|hex| {
            hex.as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16).ok())
                .collect::<Option<Vec<u8>>>()
        });
    let name = bytes.flatten().and_then(|b| String::from_utf8(b).ok()).filter(|name| !name.contains('\0'));
    name.ok_or_else(|| Failure::query(Code::INVALID_QUERY, "marker", text))
}

pub(crate) fn to_marker(name: &str) -> String {
    name.bytes().fold("1!".to_owned(), |text, b| text + &format!("{b:02x}"))
}

/// A text that names are compared with; no name holds a NUL, and databases refuse one.
pub(crate) fn part_of_name<'c>(call: &'c Call<'_>, name: &'static str) -> Result<Option<&'c str>, Failure> {
    match call.query.get(name) {
        Some(text) if text.contains('\0') => Err(Failure::query(Code::INVALID_QUERY, name, text)),
        other => Ok(other),
    }
}

/// Whether a listing was asked for more than it always says.
pub(crate) fn wants(call: &Call<'_>, what: &str) -> bool {
    call.query.get("include").is_some_and(|i| i.split(',').any(|w| w.trim().eq_ignore_ascii_case(what)))
}

pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Failure> {
    let (size, max_results) = page_size(call)?;
    let prefix = part_of_name(call, "prefix")?;
    let from = marker(call)?;
    let mut rows = call
        .blobs
        .containers(&call.allowed, call.account, prefix.unwrap_or_default(), &from, size + 1)
        .await?;
    let next_marker =
        (rows.len() > size as usize).then(|| rows.pop()).flatten().map(|row| to_marker(&row.name));
    let metadata = wants(call, "metadata");
    let items = rows.into_iter().map(|row| ContainerItem {
        modified: row.modified.rfc1123(),
        name: row.name,
        etag: row.etag,
        lease: leases::words(row.lease.as_ref(), call.op.started),
        metadata: metadata.then_some(row.metadata),
    });
    let listing = ContainerListing {
        endpoint: &call.endpoint,
        prefix,
        marker: call.query.get("marker"),
        max_results,
        items: items.collect(),
        next_marker,
    };
    Ok(xml(listing.to_xml()))
}

pub(crate) async fn create(call: &Call<'_>) -> Result<Response, Failure> {
    if headers::one(call.headers, "x-ms-blob-public-access")?.is_some() {
        return Err(Code::PUBLIC_ACCESS.into());
    }
    let metadata = headers::metadata(call.headers, &call.written)?;
    let row =
        call.blobs.create_container(call.op, &call.allowed, call.account, &call.container, metadata).await?;
    let mut response = plain(StatusCode::CREATED);
    headers::stamp(response.headers_mut(), &row.etag, row.modified);
    Ok(response)
}

pub(crate) async fn get(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    let row = call.blobs.readable(call.account, &call.container, &conditions).await?;
    let mut response = plain(StatusCode::OK);
    headers::put_metadata(&mut response, &row.metadata);
    let out = response.headers_mut();
    headers::stamp(out, &row.etag, row.modified);
    leases::describe(out, row.lease.as_ref(), call.op.started);
    for (name, value) in [
        ("x-ms-has-immutability-policy", "false"),
        ("x-ms-has-legal-hold", "false"),
        ("x-ms-default-encryption-scope", "$account-encryption-key"),
        ("x-ms-deny-encryption-scope-override", "false"),
    ] {
        out.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

pub(crate) async fn set_metadata(call: &Call<'_>) -> Result<Response, Failure> {
    let (metadata, conditions) =
        (headers::metadata(call.headers, &call.written)?, headers::conditions(call.headers)?);
    let row = call
        .blobs
        .set_container_metadata(call.op, &call.allowed, call.account, &call.container, metadata, &conditions)
        .await?;
    let mut response = plain(StatusCode::OK);
    headers::stamp(response.headers_mut(), &row.etag, row.modified);
    Ok(response)
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, Failure> {
    let conditions = headers::conditions(call.headers)?;
    call.blobs.remove_container(call.op, &call.allowed, call.account, &call.container, &conditions).await?;
    Ok(plain(StatusCode::ACCEPTED))
}
