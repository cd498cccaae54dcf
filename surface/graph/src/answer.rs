//! Answers: single objects, lists with their pages, `$select`.

use cs_directory::{Find, Page};
use cs_ids::ObjectId;
use cs_serve::{Response, empty, json, percent_encode};
use cs_wire_arm::graph::GraphList;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    call::{Answer, Call},
    failure::Failure,
    filter::RowFilter,
};

/// Objects of a page: unless told otherwise, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 999;

/// An answer without a body.
pub(crate) fn nothing() -> Response {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// One object of a collection.
pub(crate) fn one(call: &Call, status: StatusCode, of: &str, object: &impl Serialize) -> Answer {
    let mut all = Map::new();
    all.insert("@odata.context".to_owned(), Value::String(call.context(&format!("{of}/$entity"))));
    let shown = Selection::of(call)?.apply(serde_json::to_value(object).unwrap_or_default());
    all.extend(shown.as_object().cloned().unwrap_or_default());
    Ok(json(status, &all))
}

/// A list without pages.
pub(crate) fn whole_list(call: &Call, of: &str, rows: Vec<Value>) -> Answer {
    let selection = Selection::of(call)?;
    let value: Vec<Value> = rows.into_iter().map(|row| selection.apply(row)).collect();
    Ok(json(StatusCode::OK, &GraphList { context: call.context(of), next_link: None, value }))
}

/// What a list asks for.
pub(crate) struct Wanted {
    pub filter: RowFilter,
    pub what: Option<Find>,
    pub page: Page,
}

impl Wanted {
    pub fn of(call: &Call) -> Result<Self, Failure> {
        for unknown in ["$orderby", "$search", "$apply"] {
            if call.query.get(unknown).is_some() {
                return Err(Failure::BadFilter(unknown.to_owned()));
            }
        }
        let filter = RowFilter::parse(call.query.get("$filter"))?;
        let bad = || Failure::bad("Invalid page size or page token specified.");
        let top = match call.query.get("$top") {
            None => PAGE,
            Some(top) => top.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n)).ok_or_else(bad)?,
        };
        let after = match call.query.get("$skiptoken") {
            None => None,
            Some(token) => Some(token.parse::<ObjectId>().map_err(|_| bad())?),
        };
        // One more than asked tells whether there is another page.
        Ok(Self { what: filter.lookup(), filter, page: Page { after, limit: top + 1 } })
    }

    /// The page that these rows are, in the order of their ids.
    pub fn answer(&self, call: &Call, of: &str, mut rows: Vec<(ObjectId, Value)>) -> Answer {
        let size = self.page.limit as usize - 1;
        let more = rows.len() > size;
        rows.truncate(size);
        let next_link = rows.last().filter(|_| more).map(|(last, _)| next_link(call, *last));
        let selection = Selection::of(call)?;
        let fitting = rows.into_iter().map(|(_, row)| row).filter(|row| self.filter.fits(row));
        let value: Vec<Value> = fitting.map(|row| selection.apply(row)).collect();
        Ok(json(StatusCode::OK, &GraphList { context: call.context(of), next_link, value }))
    }
}

fn next_link(call: &Call, last: ObjectId) -> String {
    let mut url = format!("{}{}", call.context.address.graph(), call.path);
    let token = last.to_string();
    let others = call.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"));
    for (at, (name, value)) in others.chain([("$skiptoken", token.as_str())]).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(&format!("{}={}", percent_encode(name), percent_encode(value)));
    }
    url
}

/// `$select`.
struct Selection(Option<Vec<String>>);

impl Selection {
    fn of(call: &Call) -> Result<Self, Failure> {
        let Some(text) = call.query.get("$select").filter(|t| !t.is_empty()) else { return Ok(Self(None)) };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let plain = |n: &String| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'@');
        if names.iter().all(plain) {
            Ok(Self(Some(names)))
        } else {
            Err(Failure::BadFilter("$select".to_owned()))
        }
    }

    fn apply(&self, row: Value) -> Value {
        let Some(names) = &self.0 else { return row };
        let Value::Object(mut row) = row else { return row };
        row.retain(|name, _| name.contains('@') || names.iter().any(|n| n.eq_ignore_ascii_case(name)));
        Value::Object(row)
    }
}
