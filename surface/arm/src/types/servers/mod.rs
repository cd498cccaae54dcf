//! Database servers and their administrators: who may log in through the gateway as which role.

pub(crate) mod certificates;

use cs_resources::SERVERS;
use cs_serve::{Door, json};
use cs_wire_arm::List;
use http::StatusCode;

use super::resources;
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Op, door, open_door},
};

const READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/read";
const WRITE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/write";
const ONE: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
const RULES: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/administrators");
const RULE: &str = g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}/administrators/{object}");
const RULE_READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/read";
const RULE_WRITE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/write";
const RULE_DELETE: &str = "Microsoft.DBforPostgreSQL/flexibleServers/administrators/delete";
const LISTED: &str = "shows those the caller may read";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", s!("/providers/Microsoft.DBforPostgreSQL/flexibleServers"), LISTED, |c| {
        Box::pin(list(c))
    }),
    open_door("GET", g!("/providers/Microsoft.DBforPostgreSQL/flexibleServers"), LISTED, |c| {
        Box::pin(list(c))
    }),
    door("GET", ONE, READ, |c| Box::pin(show(c))),
    door("HEAD", ONE, READ, |c| Box::pin(exists(c))),
    door("PUT", ONE, WRITE, |c| Box::pin(put(c))),
    door("PATCH", ONE, WRITE, |c| Box::pin(patch(c))),
    door("DELETE", ONE, "Microsoft.DBforPostgreSQL/flexibleServers/delete", |c| Box::pin(delete(c))),
    door("GET", RULES, RULE_READ, |c| Box::pin(rules(c))),
    door("GET", RULE, RULE_READ, |c| Box::pin(rule(c))),
    door("PUT", RULE, RULE_WRITE, |c| Box::pin(put_rule(c))),
    door("DELETE", RULE, RULE_DELETE, |c| Box::pin(delete_rule(c))),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(SERVERS), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let server = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&server, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

async fn put(call: &Call) -> Answer {
    let written = call.manager().put_server(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    Ok(created(&written.0, written.1, call))
}

async fn patch(call: &Call) -> Answer {
    let server = call.manager().patch_server(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(json(StatusCode::OK, &whole(&server, &call.address)))
}

async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete(&call.op, call.allowed()?, &call.id()?).await?;
    if there {
        call.refresh().await?;
    }
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

async fn rules(call: &Call) -> Answer {
    let all = call.manager().administrators(&call.op, &call.id()?).await?;
    let all: Vec<_> = all.iter().map(|r| whole(r, &call.address)).collect();
    Ok(json(StatusCode::OK, &List::from(all)))
}

async fn rule(call: &Call) -> Answer {
    let id = call.manager().administrator_id(&call.op, &call.id()?, call.params.get("object")).await?;
    let rule = call.manager().existing(&call.op, &id).await?;
    Ok(json(StatusCode::OK, &whole(&rule, &call.address)))
}

async fn put_rule(call: &Call) -> Answer {
    let object = call.params.get("object");
    let input = call.input()?;
    let written =
        call.manager().put_administrator(&call.op, call.allowed()?, &call.id()?, object, input).await?;
    Ok(created(&written.0, written.1, call))
}

async fn delete_rule(call: &Call) -> Answer {
    let id = call.manager().administrator_id(&call.op, &call.id()?, call.params.get("object")).await?;
    let there = call.manager().delete(&call.op, call.allowed()?, &id).await?;
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn created(resource: &cs_resources::Resource, new: bool, call: &Call) -> cs_serve::Response {
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    json(status, &whole(resource, &call.address))
}
