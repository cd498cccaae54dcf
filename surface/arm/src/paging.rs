//! Pages of lists (arm.md 1.5): `$top` caps one, `$skiptoken` in `nextLink` goes on behind its last row.

use cs_resources::{Page, Part, Place};
use cs_serve::{Response, json};
use cs_wire_arm::List;
use http::StatusCode;
use serde::Serialize;

use crate::{call::Call, failure::Failure};

const TOP: &str = "$top";
const TOKEN: &str = "$skiptoken";

/// Rows of a page that is cut from a list at hand.
const ROWS_MAX: usize = 1000;

/// How many rows are asked for; 0 where the request does not say.
pub(crate) fn top(call: &Call) -> Result<u32, Failure> {
    let Some(text) = call.query.get(TOP) else { return Ok(0) };
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| Failure::bad_top(text))
}

/// What the last page ended with.
pub(crate) fn after(call: &Call) -> Result<Option<String>, Failure> {
    let Some(token) = call.query.get(TOKEN) else { return Ok(None) };
    let text = cs_jose::decode_url(token).and_then(|bytes| String::from_utf8(bytes).ok());
    text.filter(|text| !text.contains('\0')).map(Some).ok_or_else(Failure::bad_uri)
}

/// The part of a list over scopes that is asked for.
pub(crate) fn part(call: &Call) -> Result<Part, Failure> {
    let place = |text: String| {
        let (scope, name) = text.split_once('\n')?;
        Some(Place { scope: scope.to_owned(), name: name.to_owned() })
    };
    let after = after(call)?.map(|text| place(text).ok_or_else(Failure::bad_uri)).transpose()?;
    Ok(Part { after, limit: top(call)? })
}

/// Answers a page of a list over scopes; a row is left out where `shown` makes nothing of it.
pub(crate) fn answer<T, S: Serialize>(
    call: &Call,
    page: &Page<T, Place>,
    shown: impl Fn(&T) -> Option<S>,
) -> Response {
    let value: Vec<S> = page.rows.iter().filter_map(shown).collect();
    // Neither part of a place holds a line break.
    let next = page.next.as_ref().map(|at| format!("{}\n{}", at.scope, at.name));
    let next_link = next.map(|after| link(call, &after));
    json(StatusCode::OK, &List { value, next_link, count: None })
}

/// Answers a page of a list that is at hand as a whole; `key` is each row's own and orders them.
pub(crate) fn cut<T, S: Serialize>(
    call: &Call,
    mut all: Vec<T>,
    key: impl Fn(&T) -> String,
    shown: impl Fn(&T) -> S,
) -> Result<Response, Failure> {
    all.sort_by_cached_key(&key);
    if let Some(after) = after(call)? {
        all.drain(..all.partition_point(|row| key(row) <= after));
    }
    let size = match top(call)? as usize {
        0 => ROWS_MAX,
        asked => asked.min(ROWS_MAX),
    };
    let more = all.len() > size;
    all.truncate(size);
    let next_link = all.last().filter(|_| more).map(|row| link(call, &key(row)));
    let value: Vec<S> = all.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &List { value, next_link, count: None }))
}

/// The same request from `after` on. Clients may decode and encode it again: the token is plain base64url.
pub(crate) fn link(call: &Call, after: &str) -> String {
    let mut url = format!("{}{}", call.address.management(), call.list_path());
    let token = cs_jose::encode_url(after);
    let others = call.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(TOKEN));
    for (at, (name, value)) in others.chain([(TOKEN, token.as_str())]).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(&cs_serve::percent_encode(name));
        url.push('=');
        url.push_str(&cs_serve::percent_encode(value));
    }
    url
}
