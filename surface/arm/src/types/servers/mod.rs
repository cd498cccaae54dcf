//! Database servers (postgres.md).

pub(crate) mod administrators;
mod certificates;
mod gateways;

use cs_resources::SERVERS;

use super::shared::{LISTED, answered, delete, exists, list, show, written};
use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door, open_door},
};

const READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/read";
const WRITE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/write";
const DELETE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/delete";
const IN_SUBSCRIPTION: &str = s!("/providers/Microsoft.DBforPostgreSQL/flexibleServers");
const IN_GROUP: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers");
const ONE: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
const VERSIONS: &[&str] = &["2025-08-01", "2024-08-01", "2022-12-01"];

pub(crate) static TYPE: Type = Type {
    name: SERVERS,
    about: "Database servers behind the gateway.",
    versions: VERSIONS,
    rows: &[
        open_door("GET", IN_SUBSCRIPTION, Body::Nothing, LISTED, |c| Box::pin(list(c))),
        open_door("GET", IN_GROUP, Body::Nothing, LISTED, |c| Box::pin(list(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show(c))),
        door("HEAD", ONE, Body::Nothing, READ, |c| Box::pin(exists(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put(c))),
        door("PATCH", ONE, Body::Resource, WRITE, |c| Box::pin(patch(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete(c))),
        open_door("POST", certificates::SIGN, certificates::BODY, certificates::WHY, |c| {
            Box::pin(certificates::sign(c))
        }),
        open_door("POST", gateways::STATE, gateways::STATE_BODY, gateways::WHY, |c| {
            Box::pin(gateways::state(c))
        }),
        open_door("POST", gateways::RECORDS, gateways::RECORDS_BODY, gateways::WHY, |c| {
            Box::pin(gateways::records(c))
        }),
    ],
};

async fn put(call: &Call) -> Answer {
    let done = call.manager().put_server(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(written(call, &done))
}

async fn patch(call: &Call) -> Answer {
    let server = call.manager().patch_server(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(answered(call, &server))
}
