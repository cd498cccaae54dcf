//! Scheduled events (metadata.md 3.5). A machine of ours is not moved about under its programs: there is never an event, and so
//! none that could be started.

use cs_serve::{Body, Response, json, read_body, text};
use http::StatusCode;
use serde_json::{Value, json};

use crate::failure;

/// A list of ids.
const BODY_MAX_BYTES: usize = 16 * 1024;

pub(crate) fn list() -> Response {
    json(StatusCode::OK, &json!({"DocumentIncarnation": 1, "Events": []}))
}

/// `{"StartRequests":[{"EventId":"…"}]}`: nothing to start is done at once, and anything else is no event.
pub(crate) async fn start(body: Body) -> Result<Response, Response> {
    let bad = |text| failure::plain(StatusCode::BAD_REQUEST, text);
    let read = read_body(body, BODY_MAX_BYTES).await.ok();
    let read = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match read.as_ref().and_then(|read| read.get("StartRequests")?.as_array()) {
        None => Err(bad("Bad request. StartRequests, a list of events, is expected")),
        Some(events) if events.is_empty() => Ok(text(StatusCode::OK, "")),
        Some(_) => Err(bad("Bad request. There is no such event")),
    }
}
