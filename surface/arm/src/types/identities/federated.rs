//! Federated credentials of a user-assigned identity: whose tokens stand for it.

use cs_jose::Federation;
use cs_resources::{FederatedCredential, ResourceError};
use cs_serve::json;
use cs_wire_arm::List;
use http::StatusCode;
use serde_json::{Value, json as value};

use super::super::shared::gone;
use crate::{
    call::{Answer, Call},
    doors::{Body, Type, door},
    failure::Failure,
};

const KIND: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete";
const ALL: &str =
    g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials");
const ONE: &str = g!(
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials/{credential}"
);

pub(crate) static TYPE: Type = Type {
    name: KIND,
    about: "Whose tokens stand for a user-assigned identity.",
    versions: super::VERSIONS,
    rows: &[
        door("GET", ALL, Body::Nothing, READ, |c| Box::pin(trusted(c))),
        door("GET", ONE, Body::Nothing, READ, |c| Box::pin(show_trust(c))),
        door("PUT", ONE, Body::Resource, WRITE, |c| Box::pin(trust(c))),
        door("DELETE", ONE, Body::Nothing, DELETE, |c| Box::pin(distrust(c))),
    ],
};

fn shown(call: &Call, f: &FederatedCredential) -> Value {
    value!({
        "id": format!("{}/federatedIdentityCredentials/{}", call.scope, f.name),
        "name": f.name,
        "type": KIND,
        "properties": {"issuer": f.issuer, "subject": f.subject, "audiences": f.audiences},
    })
}

async fn trusted(call: &Call) -> Answer {
    let all = call.manager().federated(&call.op, &call.id()?).await?;
    let rows: Vec<Value> = all.iter().map(|f| shown(call, f)).collect();
    Ok(json(StatusCode::OK, &List::from(rows)))
}

async fn show_trust(call: &Call) -> Answer {
    let name = call.params.get("credential");
    let all = call.manager().federated(&call.op, &call.id()?).await?;
    let found = all.iter().find(|f| f.name.eq_ignore_ascii_case(name));
    let found = found.ok_or_else(|| ResourceError::NoFederated(name.to_owned()))?;
    Ok(json(StatusCode::OK, &shown(call, found)))
}

async fn trust(call: &Call) -> Answer {
    let properties = call.input()?.properties;
    if properties.get("claimsMatchingExpression").is_some_and(|e| !e.is_null()) {
        let message = "'claimsMatchingExpression' is not served by this site: name the subject exactly.";
        return Err(Failure::bad_body(message.to_owned()));
    }
    let text = |name: &str| {
        let missing =
            || Failure::bad_body(format!("The request content was invalid: '{name}' must be a string."));
        properties.get(name).and_then(Value::as_str).ok_or_else(missing)
    };
    let audiences = properties.get("audiences").and_then(Value::as_array).cloned().unwrap_or_default();
    let audiences = audiences.iter().map(|a| a.as_str().unwrap_or_default().to_owned()).collect();
    let trust = Federation::new(text("issuer")?, text("subject")?, audiences)
        .map_err(|e| ResourceError::Invalid { what: e.member, why: e.why.to_owned() })?;
    let named = (call.params.get("credential"), trust);
    let (stored, new) = call.manager().put_federated(&call.op, call.allowed()?, &call.id()?, named).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, &shown(call, &stored)))
}

async fn distrust(call: &Call) -> Answer {
    let name = call.params.get("credential");
    let there = call.manager().remove_federated(&call.op, call.allowed()?, &call.id()?, name).await?;
    Ok(gone(there))
}
