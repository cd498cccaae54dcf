//! Service principals: of applications, machines and user-assigned identities.

use cs_directory::{KeyRing, LinkKind, NewServicePrincipal, Principal, PrincipalKind, Target};
use cs_rbac::Allowed;
use cs_serve::Door;
use http::StatusCode;

use super::{credentials, groups};
use crate::{
    answer::{Wanted, nothing, one},
    body::wrong,
    call::{Answer, Call},
    doors::{Op, read, write},
    failure::Failure,
    objects,
};

const OF: &str = "servicePrincipals";
const CREDENTIALS: &str = "microsoft.directory/servicePrincipals/credentials/update";
const OWNERS: &str = "microsoft.directory/servicePrincipals/owners/update";
const KINDS: [PrincipalKind; 3] =
    [PrincipalKind::Application, PrincipalKind::MachineIdentity, PrincipalKind::UserAssignedIdentity];

pub(crate) const DOORS: &[Door<Op>] = &[
    read("GET", "/v1.0/servicePrincipals", |c| Box::pin(list(c))),
    write("POST", "/v1.0/servicePrincipals", |c| Box::pin(create(c))),
    read("GET", "/v1.0/servicePrincipals/{id}", |c| Box::pin(show(c))),
    write("PATCH", "/v1.0/servicePrincipals/{id}", |c| Box::pin(change(c))),
    write("DELETE", "/v1.0/servicePrincipals/{id}", |c| Box::pin(delete(c))),
    write("POST", "/v1.0/servicePrincipals/{id}/addPassword", |c| Box::pin(add_password(c))),
    write("POST", "/v1.0/servicePrincipals/{id}/removePassword", |c| Box::pin(remove_password(c))),
    write("POST", "/v1.0/servicePrincipals/{id}/addKey", |c| Box::pin(add_key(c))),
    write("POST", "/v1.0/servicePrincipals/{id}/removeKey", |c| Box::pin(remove_key(c))),
    read("GET", "/v1.0/servicePrincipals/{id}/owners", |c| Box::pin(owners(c))),
    write("POST", "/v1.0/servicePrincipals/{id}/owners/$ref", |c| Box::pin(add_owner(c))),
    write("DELETE", "/v1.0/servicePrincipals/{id}/owners/{who}/$ref", |c| Box::pin(remove_owner(c))),
    read("GET", "/v1.0/servicePrincipals/{id}/memberOf", |c| Box::pin(groups::member_of(c))),
    read("GET", "/v1.0/servicePrincipals/{id}/transitiveMemberOf", |c| {
        Box::pin(groups::transitive_member_of(c))
    }),
];

async fn list(call: &Call) -> Answer {
    let wanted = Wanted::of(call)?;
    let mut rows = Vec::new();
    if let Some(what) = &wanted.what {
        for principal in call.directory().find(&call.op, &KINDS, what, wanted.page).await? {
            rows.push((principal.object, objects::principal(call, &principal, false).await?));
        }
    }
    wanted.answer(call, OF, rows)
}

async fn show(call: &Call) -> Answer {
    let found = call.directory().acting(&call.op, call.object("id")?).await?;
    one(call, StatusCode::OK, OF, &objects::principal(call, &found, false).await?)
}

async fn create(call: &Call) -> Answer {
    let mut body = call.body()?;
    let client = body.needed("appId")?.parse().map_err(|_| wrong("appId"))?;
    let application = call.directory().application_of_client(&call.op, client).await?;
    let action = "microsoft.directory/servicePrincipals/create";
    // Whoever owns the application may have it act.
    let allowed = match &application {
        Some(known) => call.directory().permit_application(&call.op, action, known.object).await?.1,
        None => call.permit_new(action, OF).await?,
    };
    let enabled = body.flag("accountEnabled")?.unwrap_or(true);
    let keys = credentials::certificates(&mut body)?.unwrap_or_default();
    let new = NewServicePrincipal { client, enabled, details: body.rest()? };
    let made = call.directory().create_service_principal(&call.op, &allowed, new).await?;
    if let Err(refused) = credentials::set(call, &allowed, KeyRing::of_principal(client), keys).await {
        // A half-made one would refuse the next attempt.
        call.directory().remove_service_principal(&call.op, &allowed, made.object).await?;
        return Err(refused);
    }
    call.refresh().await?;
    one(call, StatusCode::CREATED, OF, &objects::principal(call, &made, false).await?)
}

async fn change(call: &Call) -> Answer {
    let action = "microsoft.directory/servicePrincipals/basic/update";
    let (known, allowed) = call.directory().permit_acting(&call.op, action, call.object("id")?).await?;
    let mut body = call.body()?;
    let keys = credentials::certificates(&mut body)?;
    let enabled = body.flag("accountEnabled")?;
    let change = (enabled, body.rest()?);
    call.directory().change_service_principal(&call.op, &allowed, known.object, change).await?;
    if let Some(keys) = keys {
        credentials::set(call, &allowed, ring_of(&known)?, keys).await?;
    }
    call.refresh().await?;
    Ok(nothing())
}

async fn delete(call: &Call) -> Answer {
    let action = "microsoft.directory/servicePrincipals/delete";
    let (known, allowed) = call.directory().permit_acting(&call.op, action, call.object("id")?).await?;
    call.directory().remove_service_principal(&call.op, &allowed, known.object).await?;
    call.refresh().await?;
    Ok(nothing())
}

/// Where its passwords are: managed identities have none, that is their point.
fn ring_of(known: &Principal) -> Result<KeyRing, Failure> {
    let client = known.client.filter(|_| known.kind == PrincipalKind::Application);
    client.map(KeyRing::of_principal).ok_or_else(|| cs_directory::DirectoryError::NoSecrets.into())
}

async fn permitted(call: &Call, action: &'static str) -> Result<(Principal, Allowed), Failure> {
    Ok(call.directory().permit_acting(&call.op, action, call.object("id")?).await?)
}

async fn add_password(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, CREDENTIALS).await?;
    credentials::add_password(call, &allowed, ring_of(&known)?).await
}

async fn remove_password(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, CREDENTIALS).await?;
    credentials::remove_password(call, &allowed, ring_of(&known)?).await
}

/// Also for the service principal itself: it proves that it holds one of its keys.
async fn rolling(call: &Call) -> Result<(Principal, Allowed, KeyRing), Failure> {
    let known = call.directory().acting(&call.op, call.object("id")?).await?;
    let objects = call.directory().owned_through(&call.op, known.client, known.object).await?;
    let target = Target { collection: OF, objects: &objects };
    // Who may not is told so first, whatever the kind.
    let allowed = match ring_of(&known) {
        Ok(ring) => call.directory().permit_rolling(&call.op, CREDENTIALS, target, ring).await?,
        Err(_) => call.directory().permit(&call.op, CREDENTIALS, target).await?,
    };
    let ring = ring_of(&known)?;
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
    let known = call.directory().acting(&call.op, call.object("id")?).await?;
    groups::linked(call, known.object, LinkKind::Owner).await
}

async fn add_owner(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, OWNERS).await?;
    groups::link(call, &allowed, (known.object, LinkKind::Owner)).await
}

async fn remove_owner(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, OWNERS).await?;
    groups::unlink(call, &allowed, (known.object, LinkKind::Owner)).await
}
