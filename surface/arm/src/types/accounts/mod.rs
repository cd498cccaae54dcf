//! Storage accounts (arm.md 4.9).

pub(crate) mod containers;
mod signatures;

use cs_resources::ACCOUNTS;
use cs_serve::{Response, json};
use cs_wire_arm::{AccountKeyReply, AccountKeys, KeyQuestion, NameQuestion};
use http::StatusCode;

use super::{
    shared::{answered, delete},
    vaults::deleted::availability,
};
use crate::{
    answer::bare,
    call::{Answer, Call},
    doors::Type,
};

const KEYS: &str = "Microsoft.Storage/storageAccounts/listkeys/action";
const NEW_KEY: &str = "Microsoft.Storage/storageAccounts/regeneratekey/action";
const ACCOUNT_SAS: &str = "Microsoft.Storage/storageAccounts/listAccountSas/action";
const SERVICE_SAS: &str = "Microsoft.Storage/storageAccounts/listServiceSas/action";
const REVOKE: &str = "Microsoft.Storage/storageAccounts/revokeUserDelegationKeys/action";
const NAMES: &str = "Microsoft.Storage/checknameavailability/read";
const KEYS_OF: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/listKeys");
const NEW_KEY_OF: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/regenerateKey");
const ACCOUNT_SAS_OF: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/listAccountSas");
const SERVICE_SAS_OF: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/listServiceSas");
const REVOKE_OF: &str = g!("/providers/Microsoft.Storage/storageAccounts/{name}/revokeUserDelegationKeys");
const CHECK_NAME: &str = s!("/providers/Microsoft.Storage/checkNameAvailability");
const VERSIONS: &[&str] =
    &["2026-09-01", "2025-08-01", "2024-01-01", "2023-05-01", "2022-09-01", "2021-09-01"];

pub(crate) static TYPE: Type = Type {
    name: ACCOUNTS,
    about: "Storage accounts, their keys and signatures made with them.",
    versions: VERSIONS,
    rows: tracked!(
        "Microsoft.Storage/storageAccounts",
        Also::Nothing,
        [
            door("POST", KEYS_OF, Body::Nothing, KEYS, |c| Box::pin(keys(c))),
            door("POST", NEW_KEY_OF, Body::Json("keyName"), NEW_KEY, |c| Box::pin(new_key(c))),
            door("POST", ACCOUNT_SAS_OF, Body::Json("what to sign"), ACCOUNT_SAS, |c| {
                Box::pin(signatures::of_account(c))
            }),
            door("POST", SERVICE_SAS_OF, Body::Json("what to sign"), SERVICE_SAS, |c| {
                Box::pin(signatures::of_service(c))
            }),
            door("POST", REVOKE_OF, Body::Nothing, REVOKE, |c| Box::pin(revoke(c))),
            door("POST", CHECK_NAME, Body::Json("name, type"), NAMES, |c| Box::pin(check_name(c))),
        ]
    ),
};

/// 200 also for a new one: 201 breaks every client.
async fn put(call: &Call) -> Answer {
    let (account, _) =
        call.manager().put_account(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(answered(call, &account))
}

async fn patch(call: &Call) -> Answer {
    let account = call.manager().patch_account(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &account))
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

/// Keys by which users signed for others are good for nothing from here on; new ones are handed out.
async fn revoke(call: &Call) -> Answer {
    call.manager().revoke_delegation_keys(&call.op, call.allowed()?, &call.id()?).await?;
    Ok(bare(StatusCode::OK))
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
