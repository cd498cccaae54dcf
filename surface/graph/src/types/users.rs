//! Users. They hold roles and memberships; nobody signs in with a password here.

use cs_directory::{DirectoryError, NewUser, PersonChange, Principal, PrincipalKind, Target};
use cs_rbac::Allowed;
use cs_serve::Door;
use http::StatusCode;

use super::groups;
use crate::{
    answer::{nothing, one},
    call::{Answer, Call},
    doors::{Op, read, write},
    failure::Failure,
    objects,
};

const OF: &str = "users";

pub(crate) const DOORS: &[Door<Op>] = &[
    read("GET", "/v1.0/users", |c| Box::pin(list(c))),
    write("POST", "/v1.0/users", |c| Box::pin(create(c))),
    read("GET", "/v1.0/users/{id}", |c| Box::pin(show(c))),
    write("PATCH", "/v1.0/users/{id}", |c| Box::pin(change(c))),
    write("DELETE", "/v1.0/users/{id}", |c| Box::pin(delete(c))),
    read("GET", "/v1.0/users/{id}/memberOf", |c| Box::pin(groups::member_of(c))),
    read("GET", "/v1.0/users/{id}/transitiveMemberOf", |c| Box::pin(groups::transitive_member_of(c))),
    read("POST", "/v1.0/users/{id}/getMemberGroups", |c| Box::pin(groups::member_groups(c))),
];

async fn list(call: &Call) -> Answer {
    groups::list_of(call, OF, PrincipalKind::User).await
}

/// By object id or principal name.
async fn user(call: &Call) -> Result<Principal, Failure> {
    let text = call.params.get("id");
    let found = match text.parse() {
        Ok(object) => call.directory().by_object(call.op.caller.tenant, object).await?,
        Err(_) => call.directory().user_named(&call.op, text).await?,
    };
    let missing = || DirectoryError::NoObject(text.chars().take(128).collect());
    Ok(found.filter(|p| p.kind == PrincipalKind::User).ok_or_else(missing)?)
}

async fn show(call: &Call) -> Answer {
    let found = user(call).await?;
    one(call, StatusCode::OK, OF, &objects::principal(call, &found, false).await?)
}

async fn permitted(call: &Call, action: &'static str) -> Result<(Principal, Allowed), Failure> {
    let known = user(call).await?;
    let target = Target { collection: OF, objects: &[known.object] };
    let allowed = call.directory().permit(&call.op, action, target).await?;
    Ok((known, allowed))
}

async fn create(call: &Call) -> Answer {
    let allowed = call.permit_new("microsoft.directory/users/create", OF).await?;
    let mut body = call.body()?;
    let nickname = body.text("mailNickname")?;
    let (display_name, principal_name) = (body.needed("displayName")?, body.needed("userPrincipalName")?);
    let enabled = body.flag("accountEnabled")?.unwrap_or(true);
    let mut details = body.rest()?;
    details.extend(nickname.map(|n| ("mailNickname".to_owned(), n.into())));
    let new = NewUser { display_name, principal_name, enabled, details };
    let made = call.directory().create_user(&call.op, &allowed, new).await?;
    call.refresh().await?;
    one(call, StatusCode::CREATED, OF, &objects::principal(call, &made, false).await?)
}

async fn change(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, "microsoft.directory/users/basic/update").await?;
    let mut body = call.body()?;
    let change = PersonChange {
        display_name: body.text("displayName")?,
        principal_name: body.text("userPrincipalName")?,
        nickname: body.text("mailNickname")?,
        enabled: body.flag("accountEnabled")?,
        details: body.rest()?,
    };
    call.directory().change_person(&call.op, &allowed, known.object, change).await?;
    call.refresh().await?;
    Ok(nothing())
}

async fn delete(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, "microsoft.directory/users/delete").await?;
    call.directory().remove_person(&call.op, &allowed, known.object).await?;
    call.refresh().await?;
    Ok(nothing())
}
