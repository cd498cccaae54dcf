//! What is noted beside a blob and is no part of it: tier and tags. Neither changes its ETag (blob.md 3).

use cs_blob::BlobNote;
use cs_serve::{Body, BodyError, Response, read_body};
use cs_wire_blob::{parse_tags, write_tags};
use http::{HeaderMap, StatusCode};

use crate::{
    Call,
    account::{plain, xml},
    failure::{Code, Failure},
    headers, leases,
};

const TAGS_BODY_MAX_BYTES: usize = 64 * 1024;
const TAGS_MAX: usize = 10;
const KEY_MAX_CHARS: usize = 128;
const VALUE_MAX_CHARS: usize = 256;

/// Tiers that say how a blob is billed elsewhere. Archive would make it unreadable, and is refused.
const TIERS: [&str; 3] = ["Hot", "Cool", "Cold"];

/// `x-ms-access-tier`.
pub(crate) fn tier(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(text) = headers::one(headers, "x-ms-access-tier")?.filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    let known = TIERS.iter().find(|tier| tier.eq_ignore_ascii_case(text));
    known.map(|tier| Some((*tier).to_owned())).ok_or_else(|| Failure::header("x-ms-access-tier", text))
}

/// `x-ms-tags`: pairs as in a query.
pub(crate) fn tags(headers: &HeaderMap) -> Result<Vec<(String, String)>, Failure> {
    let text = headers::one(headers, "x-ms-tags")?.unwrap_or_default();
    let mut all = Vec::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| cs_serve::percent_decode(&text.replace('+', " "));
        all.push(decoded(key).zip(decoded(value)).ok_or_else(|| Failure::header("x-ms-tags", text))?);
    }
    checked(all)
}

fn checked(tags: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    let fits = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " +-./:=_".contains(c));
    let wrong = |(key, value): &(String, String)| {
        key.is_empty()
            || key.chars().count() > KEY_MAX_CHARS
            || value.chars().count() > VALUE_MAX_CHARS
            || !fits(key)
            || !fits(value)
    };
    let twice = tags.iter().enumerate().any(|(n, (key, _))| tags[..n].iter().any(|(k, _)| k == key));
    if tags.len() > TAGS_MAX || twice || tags.iter().any(wrong) {
        return Err(Code::INVALID_TAG.into());
    }
    Ok(tags)
}

pub(crate) async fn set_tier(call: &Call<'_>) -> Result<Response, Failure> {
    let tier = tier(call.headers)?.ok_or_else(|| Failure::missing_header("x-ms-access-tier"))?;
    note(call, BlobNote { tier: Some(tier), tags: None }).await?;
    Ok(plain(StatusCode::OK))
}

pub(crate) async fn set_tags(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    let bytes = read_body(body, TAGS_BODY_MAX_BYTES).await.map_err(|error| match error {
        BodyError::TooLarge(_) => Failure::from(Code::BODY_TOO_LARGE),
        BodyError::Broken(_) => Code::INCOMPLETE_BODY.into(),
    })?;
    let tags = checked(parse_tags(&bytes).ok_or(Code::INVALID_XML)?)?;
    note(call, BlobNote { tier: None, tags: Some(tags) }).await?;
    let mut response = plain(StatusCode::NO_CONTENT);
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    Ok(response)
}

pub(crate) async fn get_tags(call: &Call<'_>) -> Result<Response, Failure> {
    let blob = call.blobs.head(&call.allowed, call.account, &call.container, &call.blob).await?;
    Ok(xml(write_tags(&blob.properties.tags)))
}

async fn note(call: &Call<'_>, note: BlobNote) -> Result<(), Failure> {
    let place = (call.container.as_str(), call.blob.as_str());
    let lease = leases::id(call.headers, "x-ms-lease-id")?;
    Ok(call.blobs.note(call.op, &call.allowed, call.account, place, lease.as_ref(), note).await?)
}
