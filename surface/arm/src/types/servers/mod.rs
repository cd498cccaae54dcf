//! Database servers (postgres.md).

pub(crate) mod administrators;
mod certificates;
mod gateways;

use cs_resources::SERVERS;

use super::shared::{answered, delete, written};
use crate::{
    call::{Answer, Call},
    doors::Type,
};

const VERSIONS: &[&str] = &["2025-08-01", "2024-08-01", "2022-12-01"];

pub(crate) static TYPE: Type = Type {
    name: SERVERS,
    about: "Database servers behind the gateway.",
    versions: VERSIONS,
    rows: tracked!(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        Also::Nothing,
        [
            open_door("POST", certificates::SIGN, certificates::BODY, certificates::WHY, |c| {
                Box::pin(certificates::sign(c))
            }),
            open_door("POST", gateways::STATE, gateways::STATE_BODY, gateways::WHY, |c| {
                Box::pin(gateways::state(c))
            }),
            open_door("POST", gateways::RECORDS, gateways::RECORDS_BODY, gateways::WHY, |c| {
                Box::pin(gateways::records(c))
            }),
        ]
    ),
};

async fn put(call: &Call) -> Answer {
    let done = call.manager().put_server(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(written(call, &done))
}

async fn patch(call: &Call) -> Answer {
    let server = call.manager().patch_server(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &server))
}
