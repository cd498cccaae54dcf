//! Several requests in one: `$batch` with JSON.
//!
//! They are answered one after the other in an order that `dependsOn` allows, each as if it had come by itself with the
//! same token. One that failed leaves the others alone, but for those that wait for it: these are 424. A batch within a
//! batch is refused, so that twenty stay twenty.

use cs_serve::{Door, Response, json, read_body};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    call::{Answer, Call},
    doors::{Op, read},
    failure::Failure,
};

pub(crate) const DOORS: &[Door<Op>] = &[read("POST", "/v1.0/$batch", |c| Box::pin(batch(c)))];

/// Requests of one batch, as Graph has it.
const STEPS_MAX: usize = 20;
/// A page of a list is far below; what is larger is told so instead of being kept.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    body: Value,
    #[serde(default, rename = "dependsOn")]
    after: Vec<String>,
}

#[derive(Serialize)]
struct Answered {
    id: String,
    status: u16,
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    body: Value,
}

async fn batch(call: &Call) -> Answer {
    let steps = read_steps(&call.body)?;
    let mut answers: Vec<Answered> = Vec::with_capacity(steps.len());
    for at in order(&steps)? {
        let step = &steps[at];
        let failed = |id: &String| answers.iter().any(|a| a.id == *id && a.status >= 400);
        let outcome = match step.after.iter().find(|id| failed(id)) {
            Some(first) => Err(Failure::Dependency(first.clone())),
            None => answer(call, step).await,
        };
        let response = outcome.unwrap_or_else(|failure| call.refusal(failure));
        // What the steps before did is done: one answer that cannot be shown does not take the others along.
        let answered = match shown(step.id.clone(), response).await {
            Ok(answered) => answered,
            Err(failure) => shown(step.id.clone(), call.refusal(failure)).await?,
        };
        answers.push(answered);
    }
    Ok(json(StatusCode::OK, &serde_json::json!({ "responses": answers })))
}

fn read_steps(body: &[u8]) -> Result<Vec<Step>, Failure> {
    let bad = |why: String| Failure::Batch(format!("Invalid batch payload format: {why}."));
    let Batch { requests } = serde_json::from_slice(body).map_err(|_| {
        bad("'requests' must be a list of objects with the texts 'id', 'method' and 'url'".to_owned())
    })?;
    if requests.is_empty() || requests.len() > STEPS_MAX {
        return Err(bad(format!("there must be 1 to {STEPS_MAX} requests, not {}", requests.len())));
    }
    for (at, step) in requests.iter().enumerate() {
        if step.id.is_empty() || requests[..at].iter().any(|other| other.id == step.id) {
            return Err(bad("each request needs an 'id' of its own".to_owned()));
        }
        if step.after.iter().any(|id| *id == step.id || !requests.iter().any(|other| other.id == *id)) {
            return Err(bad("'dependsOn' must name other requests of the batch".to_owned()));
        }
    }
    Ok(requests)
}

/// Places of the steps in an order in which each comes after those it waits for.
fn order(steps: &[Step]) -> Result<Vec<usize>, Failure> {
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    while order.len() < steps.len() {
        let done = |id: &String| order.iter().any(|at| steps[*at].id == *id);
        let next = (0..steps.len()).find(|at| !order.contains(at) && steps[*at].after.iter().all(done));
        let circle =
            || Failure::Batch("Invalid batch payload format: 'dependsOn' leads in a circle.".to_owned());
        order.push(next.ok_or_else(circle)?);
    }
    Ok(order)
}

async fn answer(call: &Call, step: &Step) -> Answer {
    let below = step.url.trim_start_matches('/');
    if below.to_ascii_lowercase().starts_with("$batch") || below.to_ascii_lowercase().starts_with("%24batch")
    {
        return Err(Failure::Batch("A batch cannot hold another batch.".to_owned()));
    }
    let target: http::Uri = format!("/v1.0/{below}")
        .parse()
        .map_err(|_| Failure::Batch("'url' must be relative to the version, such as '/users'.".to_owned()))?;
    let body = match &step.body {
        Value::Null => Vec::new(),
        given => serde_json::to_vec(given).unwrap_or_default(),
    };
    let (run, inner) = call.within(&step.method.to_ascii_uppercase(), &target, body.into()).await?;
    inner.attend(run).await
}

/// A header's name as Graph writes it. Microsoft's own client looks for `Content-Type`, letter by letter.
fn spelled(name: &str) -> String {
    let mut begins = true;
    let letter = |c: char| {
        let first = std::mem::replace(&mut begins, c == '-');
        if first { c.to_ascii_uppercase() } else { c }
    };
    name.chars().map(letter).collect()
}

async fn shown(id: String, response: Response) -> Result<Answered, Failure> {
    let (head, body) = response.into_parts();
    let bytes = read_body(body, ANSWER_MAX_BYTES).await?;
    let text = |value: &http::HeaderValue| Value::String(value.to_str().unwrap_or_default().to_owned());
    let headers = head.headers.iter().map(|(name, value)| (spelled(name.as_str()), text(value))).collect();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(Answered { id, status: head.status.as_u16(), headers, body })
}
