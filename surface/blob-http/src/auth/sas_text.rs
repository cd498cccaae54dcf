//! The texts that shared access signatures sign (blob.md 4.3): which fields, by the version the signature names.

use cs_serve::Query;

use super::Asked;

/// Fields of a query, empty where they are absent.
pub(super) fn field<'q>(query: &'q Query, name: &str) -> &'q str {
    query.get(name).unwrap_or_default()
}

fn joined(query: &Query, names: &[&str], fields: &mut Vec<String>) {
    fields.extend(names.iter().map(|name| field(query, name).to_owned()));
}

const OVERRIDES: [&str; 5] = ["rscc", "rscd", "rsce", "rscl", "rsct"];

pub(super) fn of_account(asked: &Asked<'_>) -> String {
    let (query, version) = (asked.query, field(asked.query, "sv"));
    let mut fields = vec![asked.account.id.name().to_owned()];
    joined(query, &["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"], &mut fields);
    if version >= "2020-12-06" {
        joined(query, &["ses"], &mut fields);
    }
    fields.push(String::new());
    fields.join("\n")
}

/// `/blob/account/container[/blob]`.
fn resource(asked: &Asked<'_>) -> String {
    let container = format!("/blob/{}/{}", asked.account.id.name(), asked.container);
    if field(asked.query, "sr") == "c" { container } else { format!("{container}/{}", asked.blob) }
}

/// The snapshot or version the signature is of.
fn time(query: &Query) -> String {
    let name = match field(query, "sr") {
        "bs" => "snapshot",
        "bv" => "versionid",
        _ => return String::new(),
    };
    field(query, name).to_owned()
}

pub(super) fn of_service(asked: &Asked<'_>) -> String {
    let (query, version) = (asked.query, field(asked.query, "sv"));
    let mut fields = Vec::new();
    joined(query, &["sp", "st", "se"], &mut fields);
    fields.push(resource(asked));
    joined(query, &["si", "sip", "spr", "sv"], &mut fields);
    if version >= "2018-11-09" {
        fields.extend([field(query, "sr").to_owned(), time(query)]);
    }
    if version >= "2020-12-06" {
        joined(query, &["ses"], &mut fields);
    }
    joined(query, &OVERRIDES, &mut fields);
    fields.join("\n")
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
    fields.push(time(query));
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
