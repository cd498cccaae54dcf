//! Applications, with what they prove themselves with.

use cs_directory::{ApplicationChange, KeyRing, LinkKind, NewApplication, NewFederated, Target};
use cs_jose::Federation;
use cs_rbac::Allowed;
use cs_serve::Door;
use cs_wire_arm::graph::FederatedIdentity;
use http::StatusCode;
use serde_json::Value;

use super::{credentials, groups};
use crate::{
    answer::{Wanted, nothing, one, whole_list},
    call::{Answer, Call},
    doors::{Op, read, write},
    failure::Failure,
    objects,
};

const OF: &str = "applications";
const UPDATE: &str = "microsoft.directory/applications/credentials/update";

pub(crate) const DOORS: &[Door<Op>] = &[
    read("GET", "/v1.0/applications", |c| Box::pin(list(c))),
    write("POST", "/v1.0/applications", |c| Box::pin(create(c))),
    read("GET", "/v1.0/applications/{id}", |c| Box::pin(show(c))),
    write("PATCH", "/v1.0/applications/{id}", |c| Box::pin(change(c))),
    write("DELETE", "/v1.0/applications/{id}", |c| Box::pin(delete(c))),
    write("POST", "/v1.0/applications/{id}/addPassword", |c| Box::pin(add_password(c))),
    write("POST", "/v1.0/applications/{id}/removePassword", |c| Box::pin(remove_password(c))),
    write("POST", "/v1.0/applications/{id}/addKey", |c| Box::pin(add_key(c))),
    write("POST", "/v1.0/applications/{id}/removeKey", |c| Box::pin(remove_key(c))),
    read("GET", "/v1.0/applications/{id}/owners", |c| Box::pin(owners(c))),
    write("POST", "/v1.0/applications/{id}/owners/$ref", |c| Box::pin(add_owner(c))),
    write("DELETE", "/v1.0/applications/{id}/owners/{who}/$ref", |c| Box::pin(remove_owner(c))),
    read("GET", "/v1.0/applications/{id}/federatedIdentityCredentials", |c| Box::pin(trusted(c))),
    write("POST", "/v1.0/applications/{id}/federatedIdentityCredentials", |c| Box::pin(trust(c))),
    read("GET", "/v1.0/applications/{id}/federatedIdentityCredentials/{which}", |c| Box::pin(show_trust(c))),
    write("PATCH", "/v1.0/applications/{id}/federatedIdentityCredentials/{which}", |c| {
        Box::pin(change_trust(c))
    }),
    write("DELETE", "/v1.0/applications/{id}/federatedIdentityCredentials/{which}", |c| {
        Box::pin(distrust(c))
    }),
];

async fn list(call: &Call) -> Answer {
    let wanted = Wanted::of(call)?;
    let mut rows = Vec::new();
    if let Some(what) = &wanted.what {
        for application in call.directory().find_applications(&call.op, what, wanted.page).await? {
            rows.push((application.object, objects::application(call, &application).await?));
        }
    }
    wanted.answer(call, OF, rows)
}

async fn show(call: &Call) -> Answer {
    let found = call.directory().application(&call.op, call.object("id")?).await?;
    one(call, StatusCode::OK, OF, &objects::application(call, &found).await?)
}

async fn create(call: &Call) -> Answer {
    let allowed = call.permit_new("microsoft.directory/applications/create", OF).await?;
    let mut body = call.body()?;
    let (display_name, uris) = (body.needed("displayName")?, body.texts("identifierUris")?);
    let keys = credentials::certificates(&mut body)?.unwrap_or_default();
    let new = NewApplication { display_name, uris: uris.unwrap_or_default(), details: body.rest()? };
    let made = call.directory().create_application(&call.op, &allowed, new).await?;
    if let Err(refused) = credentials::set(call, &allowed, KeyRing::of_application(made.client), keys).await {
        // A half-made application would be found by the next attempt of the same name.
        call.directory().remove_application(&call.op, &allowed, made.object).await?;
        return Err(refused);
    }
    one(call, StatusCode::CREATED, OF, &objects::application(call, &made).await?)
}

async fn change(call: &Call) -> Answer {
    let action = "microsoft.directory/applications/basic/update";
    let (known, allowed) = call.directory().permit_application(&call.op, action, call.object("id")?).await?;
    let mut body = call.body()?;
    let keys = credentials::certificates(&mut body)?;
    let change = ApplicationChange {
        display_name: body.text("displayName")?,
        uris: body.texts("identifierUris")?,
        details: body.rest()?,
    };
    call.directory().change_application(&call.op, &allowed, known.object, change).await?;
    if let Some(keys) = keys {
        credentials::set(call, &allowed, KeyRing::of_application(known.client), keys).await?;
    }
    Ok(nothing())
}

async fn delete(call: &Call) -> Answer {
    let action = "microsoft.directory/applications/delete";
    let (known, allowed) = call.directory().permit_application(&call.op, action, call.object("id")?).await?;
    call.directory().remove_application(&call.op, &allowed, known.object).await?;
    call.refresh().await?;
    Ok(nothing())
}

async fn add_password(call: &Call) -> Answer {
    let (known, allowed) = call.directory().permit_application(&call.op, UPDATE, call.object("id")?).await?;
    credentials::add_password(call, &allowed, KeyRing::of_application(known.client)).await
}

async fn remove_password(call: &Call) -> Answer {
    let (known, allowed) = call.directory().permit_application(&call.op, UPDATE, call.object("id")?).await?;
    credentials::remove_password(call, &allowed, KeyRing::of_application(known.client)).await
}

/// Also for the application itself: it proves that it holds one of its keys.
async fn rolling(call: &Call) -> Result<(cs_directory::Application, Allowed, KeyRing), Failure> {
    let known = call.directory().application(&call.op, call.object("id")?).await?;
    let objects = call.directory().owned_through(&call.op, Some(known.client), known.object).await?;
    let ring = KeyRing::of_application(known.client);
    let target = Target { collection: OF, objects: &objects };
    let allowed = call.directory().permit_rolling(&call.op, UPDATE, target, ring).await?;
    Ok((known, allowed, ring))
}

async fn add_key(call: &Call) -> Answer {
    let (known, allowed, ring) = rolling(call).await?;
    credentials::add_key(call, &allowed, ring, known.object).await
}

async fn remove_key(call: &Call) -> Answer {
    let (known, allowed, ring) = rolling(call).await?;
    credentials::remove_key(call, &allowed, ring, known.object).await
}

async fn owners(call: &Call) -> Answer {
    let known = call.directory().application(&call.op, call.object("id")?).await?;
    groups::linked(call, known.object, LinkKind::Owner).await
}

async fn add_owner(call: &Call) -> Answer {
    let action = "microsoft.directory/applications/owners/update";
    let (known, allowed) = call.directory().permit_application(&call.op, action, call.object("id")?).await?;
    groups::link(call, &allowed, (known.object, LinkKind::Owner)).await
}

async fn remove_owner(call: &Call) -> Answer {
    let action = "microsoft.directory/applications/owners/update";
    let (known, allowed) = call.directory().permit_application(&call.op, action, call.object("id")?).await?;
    groups::unlink(call, &allowed, (known.object, LinkKind::Owner)).await
}

const TRUST: &str = "applications/federatedIdentityCredentials";

fn shown(f: cs_directory::FederatedCredential) -> FederatedIdentity {
    FederatedIdentity {
        id: f.id,
        name: f.name,
        issuer: f.issuer,
        subject: f.subject,
        description: f.description,
        audiences: f.audiences,
    }
}

async fn trusted(call: &Call) -> Answer {
    let known = call.directory().application(&call.op, call.object("id")?).await?;
    let all = call.directory().federated_of(&call.op, known.client).await?;
    let rows = all.into_iter().map(|f| serde_json::to_value(shown(f)).unwrap_or_default()).collect();
    whole_list(call, TRUST, rows)
}

async fn show_trust(call: &Call) -> Answer {
    let known = call.directory().application(&call.op, call.object("id")?).await?;
    let which = call.params.get("which");
    let found = call.directory().federated_named(&call.op, known.client, which).await?;
    one(call, StatusCode::OK, TRUST, &shown(found))
}

fn federation(issuer: &str, subject: &str, audiences: Vec<String>) -> Result<Federation, Failure> {
    Federation::new(issuer, subject, audiences).map_err(|e| Failure::bad(e.to_string()))
}

async fn trust(call: &Call) -> Answer {
    let (known, allowed) = call.directory().permit_application(&call.op, UPDATE, call.object("id")?).await?;
    let mut body = call.body()?;
    let name = body.needed("name")?;
    let taken = call.directory().federated_of(&call.op, known.client).await?;
    if taken.iter().any(|f| f.name.eq_ignore_ascii_case(&name)) {
        return Err(cs_directory::DirectoryError::Taken("name").into());
    }
    let audiences = body.texts("audiences")?.unwrap_or_default();
    let trust = federation(&body.needed("issuer")?, &body.needed("subject")?, audiences)?;
    let new = NewFederated { name, trust, description: body.text("description")? };
    let (made, _) = call.directory().put_federated(&call.op, &allowed, known.client, new).await?;
    one(call, StatusCode::CREATED, TRUST, &shown(made))
}

async fn change_trust(call: &Call) -> Answer {
    let (known, allowed) = call.directory().permit_application(&call.op, UPDATE, call.object("id")?).await?;
    let which = call.params.get("which");
    let old = call.directory().federated_named(&call.op, known.client, which).await?;
    let mut body = call.body()?;
    let issuer = body.text("issuer")?.unwrap_or(old.issuer);
    let subject = body.text("subject")?.unwrap_or(old.subject);
    let trust = federation(&issuer, &subject, body.texts("audiences")?.unwrap_or(old.audiences))?;
    let description = body.text("description")?.or(old.description);
    let new = NewFederated { name: old.name, trust, description };
    call.directory().put_federated(&call.op, &allowed, known.client, new).await?;
    Ok(nothing())
}

async fn distrust(call: &Call) -> Answer {
    let (known, allowed) = call.directory().permit_application(&call.op, UPDATE, call.object("id")?).await?;
    call.directory().remove_federated(&call.op, &allowed, known.client, call.params.get("which")).await?;
    Ok(nothing())
}

/// The id at the end of an `@odata.id`.
pub(crate) fn referenced(call: &Call) -> Result<cs_ids::ObjectId, Failure> {
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| Failure::bad("Unable to read JSON request payload."))?;
    let url = body.get("@odata.id").and_then(Value::as_str).unwrap_or_default();
    let id = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    id.parse().map_err(|_| Failure::bad("Invalid URL format specified in @odata.id."))
}
