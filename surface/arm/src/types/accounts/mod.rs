//! Storage accounts (arm.md 4.9).

pub(crate) mod containers;

use cs_resources::ACCOUNTS;
use cs_serve::{Door, Response, json};
use cs_wire_arm::{AccountKeyReply, AccountKeys, KeyQuestion, NameQuestion};
use http::StatusCode;

use super::{resources, vaults::availability};
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Op, door, open_door},
};

const READ: &str = "Microsoft.Storage/storageAccounts/read";
const WRITE: &str = "Microsoft.Storage/storageAccounts/write";
const ONE: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}");
const LISTED: &str = "shows those the caller may read";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", s!("/providers/Microsoft.Storage/storageAccounts"), LISTED, |c| Box::pin(list(c))),
    open_door("GET", g!("/providers/Microsoft.Storage/storageAccounts"), LISTED, |c| Box::pin(list(c))),
    door("GET", ONE, READ, |c| Box::pin(show(c))),
    door("HEAD", ONE, READ, |c| Box::pin(exists(c))),
    door("PUT", ONE, WRITE, |c| Box::pin(put(c))),
    door("PATCH", ONE, WRITE, |c| Box::pin(patch(c))),
    door("DELETE", ONE, "Microsoft.Storage/storageAccounts/delete", |c| Box::pin(delete(c))),
    door(
        "POST",
        g!("/providers/Microsoft.Storage/storageAccounts/{name}/listKeys"),
        "Microsoft.Storage/storageAccounts/listkeys/action",
        |c| Box::pin(keys(c)),
    ),
    door(
        "POST",
        g!("/providers/Microsoft.Storage/storageAccounts/{name}/regenerateKey"),
        "Microsoft.Storage/storageAccounts/regeneratekey/action",
        |c| Box::pin(new_key(c)),
    ),
    door(
        "POST",
        s!("/providers/Microsoft.Storage/checkNameAvailability"),
        "Microsoft.Storage/checknameavailability/read",
        |c| Box::pin(check_name(c)),
    ),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(ACCOUNTS), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let account = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&account, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

/// 200 also for a new one: 201 breaks every client.
async fn put(call: &Call) -> Answer {
    let (account, _) =
        call.manager().put_account(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(json(StatusCode::OK, &whole(&account, &call.address)))
}

async fn patch(call: &Call) -> Answer {
    let account = call.manager().patch_account(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(json(StatusCode::OK, &whole(&account, &call.address)))
}

async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete(&call.op, call.allowed()?, &call.id()?).await?;
    if there {
        call.refresh().await?;
    }
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

async fn keys(call: &Call) -> Answer {
    let keys = call.manager().account_keys(&call.op, call.allowed()?, &call.id()?).await?;
    call.record().await?;
    Ok(key_list(keys))
}

async fn new_key(call: &Call) -> Answer {
    let wanted: KeyQuestion = call.json()?;
    let (id, name) = (call.id()?, &wanted.key_name);
    let keys = call.manager().regenerate_account_key(&call.op, call.allowed()?, &id, name).await?;
    Ok(key_list(keys))
}

fn key_list(keys: Vec<cs_resources::AccountKey>) -> Response {
    let reply = |key: cs_resources::AccountKey| AccountKeyReply {
        creation_time: key.made,
        key_name: key.name,
        value: key.value,
        permissions: "FULL",
    };
    json(StatusCode::OK, &AccountKeys { keys: keys.into_iter().map(reply).collect() })
}

async fn check_name(call: &Call) -> Answer {
    let question: NameQuestion = call.json()?;
    let taken =
        format!("The storage account named {} is already taken.", crate::failure::shown(&question.name));
    Ok(availability(call.manager().account_name(&question.name).await?, &taken))
}
