//! The texts that shared access signatures sign (blob.md 4.3), of a request that brings one.

use cs_serve::Query;
use cs_wire_blob::sas::{OVERRIDES, account_text, service_text, time};

use super::Asked;

/// Fields of a query, empty where they are absent.
pub(super) fn field<'q>(query: &'q Query, name: &str) -> &'q str {
    query.get(name).unwrap_or_default()
}

fn joined(query: &Query, names: &[&str], fields: &mut Vec<String>) {
    fields.extend(names.iter().map(|name| field(query, name).to_owned()));
}

pub(super) fn of_account(asked: &Asked<'_>) -> String {
    account_text(asked.account.id.name(), |name| field(asked.query, name))
}

/// `/blob/account/container[/blob]`.
fn resource(asked: &Asked<'_>) -> String {
    let container = format!("/blob/{}/{}", asked.account.id.name(), asked.container);
    if field(asked.query, "sr") == "c" { container } else { format!("{container}/{}", asked.blob) }
}

pub(super) fn of_service(asked: &Asked<'_>) -> String {
    service_text(&resource(asked), |name| field(asked.query, name))
}

pub(super) fn of_user(asked: &Asked<'_>) -> String {
    let (query, version) = (asked.query, field(asked.query, "sv"));
    let mut fields = Vec::new();
    joined(query, &["sp", "st", "se"], &mut fields);
    fields.push(resource(asked));
    joined(query, &["skoid", "sktid", "skt", "ske", "sks", "skv"], &mut fields);
    if version >= "2020-02-10" {
        joined(query, &["saoid", "suoid", "scid"], &mut fields);
    }
    if version >= "2025-07-05" {
        joined(query, &["skdutid", "sduoid"], &mut fields);
    }
    joined(query, &["sip", "spr", "sv", "sr"], &mut fields);
    fields.push(time(|name| field(query, name)).to_owned());
    if version >= "2020-12-06" {
        joined(query, &["ses"], &mut fields);
    }
    if version >= "2026-04-06" {
        fields.extend([signed_headers(asked), signed_parameters(asked)]);
    }
    joined(query, &OVERRIDES, &mut fields);
    fields.join("\n")
}

/// Headers the request must bring, each `name:value` on a line of its own.
fn signed_headers(asked: &Asked<'_>) -> String {
    let value = |name: &str| asked.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    names(field(asked.query, "srh")).map(|name| format!("{name}:{}\n", value(&name))).collect()
}

/// Parameters the request must bring, likewise, with the line's end before each.
fn signed_parameters(asked: &Asked<'_>) -> String {
    names(field(asked.query, "srq")).map(|name| format!("\n{name}:{}", field(asked.query, &name))).collect()
}

fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(|name| cs_serve::percent_decode(name).unwrap_or_default())
}
