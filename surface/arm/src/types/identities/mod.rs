//! User-assigned identities and their federated credentials (arm.md 4.7).

use cs_jose::Federation;
use cs_resources::{FederatedCredential, IDENTITIES, MACHINES, ResourceError};
use cs_serve::{Door, json};
use cs_wire_arm::List;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json as value};

use super::resources;
use crate::{
    answer::{bare, head, whole},
    call::{Answer, Call},
    doors::{Op, door, open_door},
    failure::Failure,
};

const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/delete";
const TRUST: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials";
const ONE: &str = g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
const TRUSTED: &str =
    g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials");
const TRUSTED_ONE: &str = g!(
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}/federatedIdentityCredentials/{credential}"
);
const LISTED: &str = "shows those the caller may read";

pub(crate) const DOORS: &[Door<Op>] = &[
    open_door("GET", s!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities"), LISTED, |c| {
        Box::pin(list(c))
    }),
    open_door("GET", g!("/providers/Microsoft.ManagedIdentity/userAssignedIdentities"), LISTED, |c| {
        Box::pin(list(c))
    }),
    door("GET", ONE, READ, |c| Box::pin(show(c))),
    door("HEAD", ONE, READ, |c| Box::pin(exists(c))),
    door("PUT", ONE, WRITE, |c| Box::pin(put(c))),
    door("PATCH", ONE, WRITE, |c| Box::pin(patch(c))),
    door("DELETE", ONE, DELETE, |c| Box::pin(delete(c))),
    door(
        "GET",
        TRUSTED,
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        |c| Box::pin(trusted(c)),
    ),
    door(
        "GET",
        TRUSTED_ONE,
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        |c| Box::pin(show_trust(c)),
    ),
    door(
        "PUT",
        TRUSTED_ONE,
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        |c| Box::pin(trust(c)),
    ),
    door(
        "DELETE",
        TRUSTED_ONE,
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
        |c| Box::pin(distrust(c)),
    ),
    door(
        "GET",
        "/{scope*}/providers/Microsoft.ManagedIdentity/identities/default",
        "Microsoft.ManagedIdentity/identities/read",
        |c| Box::pin(of_resource(c)),
    ),
];

async fn list(call: &Call) -> Answer {
    resources::answer_list(call, resources::Which { kind: Some(IDENTITIES), read: READ, whole: true }).await
}

async fn show(call: &Call) -> Answer {
    let identity = call.manager().existing(&call.op, &call.id()?).await?;
    Ok(json(StatusCode::OK, &whole(&identity, &call.address)))
}

async fn exists(call: &Call) -> Answer {
    Ok(head(call.manager().is_there(&call.op, &call.id()?).await?))
}

async fn put(call: &Call) -> Answer {
    let (identity, new) =
        call.manager().put_identity(&call.op, call.allowed()?, &call.id()?, call.input()?).await?;
    if !new {
        return Ok(json(StatusCode::OK, &whole(&identity, &call.address)));
    }
    call.refresh().await?;
    let mut response = json(StatusCode::CREATED, &whole(&identity, &call.address));
    if let Ok(location) = HeaderValue::from_str(identity.id.as_str()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn patch(call: &Call) -> Answer {
    let identity =
        call.manager().patch_identity(&call.op, call.allowed()?, &call.id()?, call.patch()?).await?;
    Ok(json(StatusCode::OK, &whole(&identity, &call.address)))
}

async fn delete(call: &Call) -> Answer {
    let there = call.manager().delete(&call.op, call.allowed()?, &call.id()?).await?;
    if there {
        call.refresh().await?;
    }
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

fn shown(call: &Call, f: &FederatedCredential) -> Value {
    value!({
        "id": format!("{}/federatedIdentityCredentials/{}", call.scope, f.name),
        "name": f.name,
        "type": TRUST,
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
    Ok(bare(if there { StatusCode::OK } else { StatusCode::NO_CONTENT }))
}

/// The identity a machine came with.
async fn of_resource(call: &Call) -> Answer {
    let id = call.id()?;
    let machine = call.manager().existing(&call.op, &id).await?;
    let of = |name: &str| machine.extra.get("identity").and_then(|i| i.get(name)).cloned();
    let (Some(principal), true) = (of("principalId"), machine.kind.eq_ignore_ascii_case(MACHINES)) else {
        return Err(ResourceError::NoResource(Box::new(id)).into());
    };
    let reply = value!({
        "id": format!("{}/providers/Microsoft.ManagedIdentity/identities/default", machine.id),
        "name": "default",
        "type": "Microsoft.ManagedIdentity/identities",
        "location": machine.location,
        "tags": {},
        "properties": {"tenantId": of("tenantId"), "principalId": principal, "clientId": of("clientId")},
    });
    Ok(json(StatusCode::OK, &reply))
}
