//! Shared access signatures that the resource manager hands out (arm.md 4.9), made with the account's own keys: the blob
//! service takes them as if their holder had signed.

use std::net::IpAddr;

use cs_ids::ContainerName;
use cs_resources::ResourceError;
use cs_serve::json;
use cs_time::Timestamp;
use cs_wire_arm::{AccountSas, AccountSasQuestion, SasBounds, ServiceSas, ServiceSasQuestion};
use cs_wire_blob::sas::{account_text, service_text};
use http::StatusCode;

use super::containers::account;
use crate::{
    call::{Answer, Call},
    failure::Failure,
};

/// What the signatures name: all clients of the last years know it, and its text names what the signature is of.
const VERSION: &str = "2021-12-02";
const PERMISSIONS: &str = "racwdxyltfmeopiu";

/// The fields of a signature in the order they are written.
type Fields = Vec<(&'static str, String)>;

pub(super) async fn of_account(call: &Call) -> Answer {
    let asked: AccountSasQuestion = call.json()?;
    let letters = |what, given: &str, known| letters(what, given, known).map(str::to_owned);
    let mut fields = vec![
        ("sv", VERSION.to_owned()),
        ("ss", letters("signedServices", &asked.signed_services, "bqtf")?),
        ("srt", letters("signedResourceTypes", &asked.signed_resource_types, "sco")?),
        ("sp", letters("signedPermission", &asked.signed_permission, PERMISSIONS)?),
    ];
    bounds(&mut fields, &asked.bounds, &asked.signed_expiry)?;
    let token = sign(call, &asked.bounds, fields, |name, f| account_text(name, |n| field(f, n))).await?;
    Ok(json(StatusCode::OK, &AccountSas { account_sas_token: token }))
}

pub(super) async fn of_service(call: &Call) -> Answer {
    let asked: ServiceSasQuestion = call.json()?;
    nothing_beyond_blobs(&asked)?;
    let name = call.params.get("name").to_ascii_lowercase();
    let (kind, place) = resource(&asked, &name)?;
    let given = |what, value: &Option<String>| {
        value
            .clone()
            .ok_or_else(|| invalid(what, "must be given: there are no stored policies to take it from"))
    };
    let permission = given("signedPermission", &asked.signed_permission)?;
    let permission = letters("signedPermission", &permission, PERMISSIONS)?.to_owned();
    let mut fields = vec![("sv", VERSION.to_owned()), ("sr", kind.to_owned()), ("sp", permission)];
    bounds(&mut fields, &asked.bounds, &given("signedExpiry", &asked.signed_expiry)?)?;
    overrides(&mut fields, asked.clone())?;
    let token = sign(call, &asked.bounds, fields, |_, f| service_text(&place, |n| field(f, n))).await?;
    Ok(json(StatusCode::OK, &ServiceSas { service_sas_token: token }))
}

fn invalid(what: &'static str, why: &'static str) -> Failure {
    ResourceError::invalid(what, why).into()
}

fn field<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

/// Letters that each stand for something, once.
fn letters<'g>(what: &'static str, given: &'g str, known: &str) -> Result<&'g str, Failure> {
    let fits = |(at, c): (usize, char)| known.contains(c) && !given[..at].contains(c);
    match !given.is_empty() && given.char_indices().all(fits) {
        true => Ok(given),
        false => Err(invalid(what, "must be known letters, each once")),
    }
}

/// When, from where and how the signature may be used.
fn bounds(fields: &mut Fields, asked: &SasBounds, expiry: &str) -> Result<(), Failure> {
    let time = |what, text: &str| {
        Timestamp::parse_rfc3339(text).ok_or_else(|| invalid(what, "must be a time as RFC 3339 writes it"))
    };
    let expiry = time("signedExpiry", expiry)?;
    if let Some(start) = &asked.signed_start {
        let start = time("signedStart", start)?;
        if start >= expiry {
            return Err(invalid("signedExpiry", "must be later than 'signedStart'"));
        }
        fields.push(("st", start.iso7()));
    }
    fields.push(("se", expiry.iso7()));
    if let Some(range) = &asked.signed_ip {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let both = first.parse::<IpAddr>().ok().zip(last.parse::<IpAddr>().ok());
        if !both.is_some_and(|(first, last)| first.is_ipv4() == last.is_ipv4() && first <= last) {
            return Err(invalid("signedIp", "must be an address, or two with a dash between them"));
        }
        fields.push(("sip", range.clone()));
    }
    match asked.signed_protocol.as_deref() {
        None => {}
        Some(protocol @ ("https" | "https,http")) => fields.push(("spr", protocol.to_owned())),
        Some(_) => return Err(invalid("signedProtocol", "must be 'https' or 'https,http'")),
    }
    Ok(())
}

/// Rows of tables and stored policies: there are none here that a signature could be of.
fn nothing_beyond_blobs(asked: &ServiceSasQuestion) -> Result<(), Failure> {
    if asked.signed_identifier.is_some() {
        return Err(invalid("signedIdentifier", "names a stored policy, and containers have none here"));
    }
    for (what, given) in [
        ("startPk", &asked.start_pk),
        ("endPk", &asked.end_pk),
        ("startRk", &asked.start_rk),
        ("endRk", &asked.end_rk),
    ] {
        if given.is_some() {
            return Err(invalid(what, "is of tables, which are not served here"));
        }
    }
    Ok(())
}

/// What the signature is of, `c` or `b`, and its `/blob/account/container[/blob]`.
fn resource(asked: &ServiceSasQuestion, account: &str) -> Result<(&'static str, String), Failure> {
    const WHAT: &str = "canonicalizedResource";
    let wrong = || invalid(WHAT, "must be '/blob/{account}/{container}[/{blob}]' with this account's name");
    let mut parts = asked.canonicalized_resource.splitn(5, '/');
    let is_ours = parts.next() == Some("")
        && parts.next() == Some("blob")
        && parts.next().is_some_and(|a| a.eq_ignore_ascii_case(account));
    let container = parts.next().filter(|c| is_ours && c.parse::<ContainerName>().is_ok());
    let container = container.ok_or_else(wrong)?;
    let place = format!("/blob/{account}/{container}");
    // What holds a line's end would be signed as more lines than one.
    match (asked.signed_resource.as_deref(), parts.next()) {
        (Some("c"), None | Some("")) => Ok(("c", place)),
        (Some("b"), Some(blob)) if !blob.is_empty() && !blob.chars().any(char::is_control) => {
            Ok(("b", format!("{place}/{blob}")))
        }
        (Some("c" | "b"), _) => Err(invalid(WHAT, "must name a container for 'c', and a blob for 'b'")),
        _ => Err(invalid("signedResource", "must be 'c' or 'b': only blobs are served here")),
    }
}

fn overrides(fields: &mut Fields, asked: ServiceSasQuestion) -> Result<(), Failure> {
    for (name, value) in [
        ("rscc", asked.rscc),
        ("rscd", asked.rscd),
        ("rsce", asked.rsce),
        ("rscl", asked.rscl),
        ("rsct", asked.rsct),
    ] {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if value.chars().any(char::is_control) {
            return Err(invalid(name, "must not hold line ends or other control characters"));
        }
        fields.push((name, value));
    }
    Ok(())
}

/// The finished signature. It is on record before it is told, as keys are.
async fn sign(
    call: &Call,
    asked: &SasBounds,
    fields: Fields,
    text: impl Fn(&str, &Fields) -> String,
) -> Result<String, Failure> {
    let wanted = asked.key_to_sign.as_deref().unwrap_or("key1");
    if !["key1", "key2"].iter().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return Err(invalid("keyToSign", "must be key1 or key2"));
    }
    let (resource, account) = account(call).await?;
    if resource.properties.get("allowSharedKeyAccess").and_then(serde_json::Value::as_bool) == Some(false) {
        let message = "Key based authentication is not permitted on this storage account.";
        return Err(Failure::new(StatusCode::FORBIDDEN, "KeyBasedAuthenticationNotPermitted", message));
    }
    let key = account.keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let (_, key) = key.ok_or_else(|| Failure::internal("the keys of an account cannot be opened"))?;
    let signature = cs_jose::encode_std(key.sign(text(account.id.name(), &fields).as_bytes()));
    call.record().await?;
    let all = fields.iter().map(|(name, value)| (*name, value)).chain([("sig", &signature)]);
    Ok(all
        .map(|(name, value)| format!("{name}={}", cs_serve::percent_encode(value)))
        .collect::<Vec<_>>()
        .join("&"))
}
