//! Locks (arm.md 4.10).

use cs_resources::{Lock, LockLevel};
use cs_serve::json;
use cs_wire_arm::Filter;
use http::StatusCode;
use serde_json::{Value, json as value};

use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::{Failure, shown},
    paging,
};

const READ: &str = "Microsoft.Authorization/locks/read";
const KIND: &str = "Microsoft.Authorization/locks";
const LIST: &str = at!("/providers/Microsoft.Authorization/locks");
const ONE: &str = at!("/providers/Microsoft.Authorization/locks/{lock}");
/// Locks bind everything but the doors that open them.
pub(crate) const FREE: &[&str] =
    &["Microsoft.Authorization/locks/write", "Microsoft.Authorization/locks/delete"];

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Authorization/locks",
    about: "Locks: they bind owners too.",
    versions: &["2020-05-01", "2016-09-01"],
    rows: &[
        door("GET", LIST, Body::Nothing, READ, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("PUT", ONE, Body::Resource, FREE[0], |c| Box::pin(put(c))),
        door("DELETE", ONE, Body::Nothing, FREE[1], |c| Box::pin(delete(c))),
    ],
};

async fn list(call: &Call) -> Answer {
    let below = match call.query.get("$filter").filter(|t| !t.trim().is_empty()) {
        None => true,
        Some(text) => match Filter::parse(text) {
            Ok(Filter::Call { name, .. }) if name == "atscope" => false,
            _ => return Err(Failure::bad_filter(text)),
        },
    };
    let page = call.manager().locks(&call.op, &call.scope, below, paging::part(call)?).await?;
    Ok(paging::answer(call, &page, |lock| Some(reply(lock))))
}

async fn show(call: &Call) -> Answer {
    let name = call.params.get("lock");
    match call.manager().lock(&call.op, &call.scope, name).await? {
        Some(found) => Ok(json(StatusCode::OK, &reply(&found))),
        None => {
            let message = format!("The lock '{}' could not be found.", shown(name));
            Err(Failure::new(StatusCode::NOT_FOUND, "LockNotFound", message))
        }
    }
}

async fn put(call: &Call) -> Answer {
    let mut given = call.input()?.properties;
    let level = given.get("level").and_then(Value::as_str).and_then(LockLevel::parse);
    let level = level.ok_or_else(|| {
        Failure::bad_body("The property 'level' must be CanNotDelete or ReadOnly.".to_owned())
    })?;
    let notes = match given.get("notes") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(Failure::bad_body("The property 'notes' must be a string.".to_owned())),
    };
    let lock = Lock {
        tenant: call.op.caller.tenant,
        scope: call.scope.clone(),
        name: call.params.get("lock").to_owned(),
        level,
        notes,
        owners: given.shift_remove("owners").filter(Value::is_array).unwrap_or(value!([])),
    };
    let reply = reply(&lock);
    let new = call.manager().put_lock(&call.op, call.allowed()?, lock).await?;
    Ok(json(if new { StatusCode::CREATED } else { StatusCode::OK }, &reply))
}

async fn delete(call: &Call) -> Answer {
    let name = call.params.get("lock");
    let there = call.manager().delete_lock(&call.op, call.allowed()?, &call.scope, name).await?;
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn reply(lock: &Lock) -> Value {
    let mut properties = value!({"level": lock.level.as_str()});
    if let Some(all) = properties.as_object_mut() {
        all.extend(lock.notes.as_ref().map(|n| ("notes".to_owned(), value!(n))));
        if lock.owners.as_array().is_some_and(|o| !o.is_empty()) {
            all.insert("owners".to_owned(), lock.owners.clone());
        }
    }
    value!({
        "properties": properties,
        "id": format!("{}/providers/{KIND}/{}", lock.scope, lock.name),
        "type": KIND,
        "name": lock.name,
    })
}
