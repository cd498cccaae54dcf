//! Management groups (arm.md 4.14): one, named like the tenant, above all its subscriptions.

use cs_ids::Scope;
use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;
use serde_json::{Value, json as value};

use crate::{
    call::{Answer, Call},
    doors::{Body, Type, open_door},
    failure::{Failure, shown},
};

const KIND: &str = "Microsoft.Management/managementGroups";
const SHOWN: &str = "the root group has no secrets; its subscriptions are those the caller may see";

pub(crate) static TYPE: Type = Type {
    name: "Microsoft.Management/managementGroups",
    about: "The root management group, named like the tenant.",
    versions: &["2023-04-01", "2021-04-01", "2020-05-01"],
    rows: &[
        open_door("GET", "/providers/Microsoft.Management/managementGroups", Body::Nothing, SHOWN, |c| {
            Box::pin(list(c))
        }),
        open_door(
            "GET",
            "/providers/Microsoft.Management/managementGroups/{managed}",
            Body::Nothing,
            SHOWN,
            |c| Box::pin(show(c)),
        ),
    ],
};

async fn list(call: &Call) -> Answer {
    let (id, name) = (Scope::management_root(call.op.caller.tenant), call.op.caller.tenant.to_string());
    let properties = value!({"tenantId": name, "displayName": "Tenant Root Group"});
    let root = value!({"id": id.as_str(), "type": KIND, "name": name, "properties": properties});
    Ok(json(StatusCode::OK, &List::from(vec![root])))
}

async fn show(call: &Call) -> Answer {
    let (tenant, name) = (call.op.caller.tenant.to_string(), call.params.get("managed"));
    if !name.eq_ignore_ascii_case(&tenant) {
        let message = format!("Management group '{}' could not be found.", shown(name));
        return Err(Failure::new(StatusCode::NOT_FOUND, "NotFound", message));
    }
    let mut properties = value!({
        "tenantId": tenant,
        "displayName": "Tenant Root Group",
        "details": {"version": 1, "parent": Value::Null},
    });
    if call.query.get("$expand").is_some_and(|e| e.eq_ignore_ascii_case("children")) {
        let mut children = Vec::new();
        for s in call.manager().subscriptions(&call.op).await? {
            if call.is_visible(cs_ids::ResourceId::of_subscription(s.id).scope())? {
                let id = format!("/subscriptions/{}", s.id);
                let kind = "/subscriptions";
                children.push(
                    value!({"id": id, "type": kind, "name": s.id.to_string(), "displayName": s.display_name}),
                );
            }
        }
        properties["children"] = Value::Array(children);
    }
    let id = Scope::management_root(call.op.caller.tenant);
    let reply = value!({"id": id.as_str(), "type": KIND, "name": tenant, "properties": properties});
    Ok(json(StatusCode::OK, &reply))
}
