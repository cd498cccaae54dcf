//! Administrators of a database server: who may log in through the gateway as which role.

use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;

use super::super::shared::{gone, written};
use crate::{
    answer::whole,
    call::{Answer, Call},
    doors::{Body, Type, door},
};

const READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/read";
const WRITE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/write";
const DELETE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/delete";
const ALL: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/administrators");
const ONE: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/administrators/{object}");

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.DBforPostgreSQL/flexibleServers/administrators",
    about: "Who may log in at a database server as which role.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(rules(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(rule(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(put_rule(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(delete_rule(c))),
    ],
};

async fn rules(call: &Call) -> Answer {
    let all = call.manager().administrators(&call.op, &call.id()?).await?;
    let all: Vec<_> = all.iter().map(|r| whole(r, call)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

async fn rule(call: &Call) -> Answer {
    let id = call.manager().administrator_id(&call.op, &call.id()?, call.params.get("object")).await?;
    let rule = call.manager().existing(&call.op, &id).await?;
    Ok(json(StatusCode::OK, &whole(&rule, call)))
}

async fn put_rule(call: &Call) -> Answer {
    let object = call.params.get("object");
    let input = call.input()?;
    let done =
        call.manager().put_administrator(&call.op, call.allowed()?, &call.id()?, object, input).await?;
    Ok(written(call, &done))
}

async fn delete_rule(call: &Call) -> Answer {
    let id = call.manager().administrator_id(&call.op, &call.id()?, call.params.get("object")).await?;
    let there = call.manager().delete(&call.op, call.allowed()?, &id).await?;
    Ok(gone(there))
}
