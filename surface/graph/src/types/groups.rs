//! Groups, their members, and what anybody is a member of.

use cs_directory::{DirectoryError, LinkKind, NewGroup, PersonChange, Principal, PrincipalKind, Target};
use cs_ids::ObjectId;
use cs_rbac::Allowed;
use cs_serve::{Door, json};
use cs_wire_arm::graph::CheckMembers;
use http::StatusCode;
use serde_json::Value;

use super::applications::referenced;
use crate::{
    answer::{Wanted, nothing, one, whole_list},
    call::{Answer, Call},
    doors::{Op, read, write},
    failure::Failure,
    objects,
};

const OF: &str = "groups";
const MEMBERS: &str = "microsoft.directory/groups/members/update";
const OWNERS: &str = "microsoft.directory/groups/owners/update";
/// Members that one answer follows through groups in groups.
const TRANSITIVE_MAX: usize = 5000;
/// Groups one question may name (arm.md 5.1).
const CHECKED_MAX: usize = 20;

pub(crate) const DOORS: &[Door<Op>] = &[
    read("GET", "/v1.0/groups", |c| Box::pin(list_of(c, OF, PrincipalKind::Group))),
    write("POST", "/v1.0/groups", |c| Box::pin(create(c))),
    read("GET", "/v1.0/groups/{id}", |c| Box::pin(show(c))),
    write("PATCH", "/v1.0/groups/{id}", |c| Box::pin(change(c))),
    write("DELETE", "/v1.0/groups/{id}", |c| Box::pin(delete(c))),
    read("GET", "/v1.0/groups/{id}/members", |c| Box::pin(listed(c, LinkKind::Member))),
    read("GET", "/v1.0/groups/{id}/transitiveMembers", |c| Box::pin(transitive(c))),
    write("POST", "/v1.0/groups/{id}/members/$ref", |c| Box::pin(add(c, MEMBERS, LinkKind::Member))),
    write("DELETE", "/v1.0/groups/{id}/members/{who}/$ref", |c| {
        Box::pin(remove(c, MEMBERS, LinkKind::Member))
    }),
    read("GET", "/v1.0/groups/{id}/owners", |c| Box::pin(listed(c, LinkKind::Owner))),
    write("POST", "/v1.0/groups/{id}/owners/$ref", |c| Box::pin(add(c, OWNERS, LinkKind::Owner))),
    write("DELETE", "/v1.0/groups/{id}/owners/{who}/$ref", |c| Box::pin(remove(c, OWNERS, LinkKind::Owner))),
    read("GET", "/v1.0/groups/{id}/memberOf", |c| Box::pin(member_of(c))),
    read("GET", "/v1.0/groups/{id}/transitiveMemberOf", |c| Box::pin(transitive_member_of(c))),
    read("POST", "/v1.0/groups/{id}/getMemberGroups", |c| Box::pin(member_groups(c))),
    read("POST", "/v1.0/groups/{id}/checkMemberGroups", |c| Box::pin(check_groups(c))),
];

/// A page of principals of one kind.
pub(crate) async fn list_of(call: &Call, of: &str, kind: PrincipalKind) -> Answer {
    let wanted = Wanted::of(call)?;
    let mut rows = Vec::new();
    if let Some(what) = &wanted.what {
        for principal in call.directory().find(&call.op, &[kind], what, wanted.page).await? {
            rows.push((principal.object, objects::principal(call, &principal, false).await?));
        }
    }
    wanted.answer(call, of, rows)
}

async fn group(call: &Call) -> Result<Principal, Failure> {
    let object = call.object("id")?;
    let found = call.directory().by_object(call.op.caller.tenant, object).await?;
    let missing = || DirectoryError::NoObject(object.to_string());
    Ok(found.filter(|p| p.kind == PrincipalKind::Group).ok_or_else(missing)?)
}

async fn permitted(call: &Call, action: &'static str) -> Result<(Principal, Allowed), Failure> {
    let known = group(call).await?;
    let target = Target { collection: OF, objects: &[known.object] };
    let allowed = call.directory().permit(&call.op, action, target).await?;
    Ok((known, allowed))
}

async fn show(call: &Call) -> Answer {
    let found = group(call).await?;
    one(call, StatusCode::OK, OF, &objects::principal(call, &found, false).await?)
}

async fn create(call: &Call) -> Answer {
    let allowed = call.permit_new("microsoft.directory/groups/create", OF).await?;
    let mut body = call.body()?;
    if body.flag("mailEnabled")? == Some(true) || body.flag("securityEnabled")? == Some(false) {
        return Err(Failure::bad(
            "Groups are security groups here: 'securityEnabled' true and 'mailEnabled' false.",
        ));
    }
    let (display_name, nickname) = (body.needed("displayName")?, body.needed("mailNickname")?);
    let new = NewGroup { display_name, nickname, details: body.rest()? };
    let made = call.directory().create_group(&call.op, &allowed, new).await?;
    call.refresh().await?;
    one(call, StatusCode::CREATED, OF, &objects::principal(call, &made, false).await?)
}

async fn change(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, "microsoft.directory/groups/basic/update").await?;
    let mut body = call.body()?;
    let change = PersonChange {
        display_name: body.text("displayName")?,
        nickname: body.text("mailNickname")?,
        details: body.rest()?,
        ..PersonChange::default()
    };
    call.directory().change_person(&call.op, &allowed, known.object, change).await?;
    Ok(nothing())
}

async fn delete(call: &Call) -> Answer {
    let (known, allowed) = permitted(call, "microsoft.directory/groups/delete").await?;
    call.directory().remove_person(&call.op, &allowed, known.object).await?;
    call.refresh().await?;
    Ok(nothing())
}

async fn listed(call: &Call, kind: LinkKind) -> Answer {
    linked(call, group(call).await?.object, kind).await
}

/// A page of members or owners of anything.
pub(crate) async fn linked(call: &Call, holder: ObjectId, kind: LinkKind) -> Answer {
    let wanted = Wanted::of(call)?;
    let (after, limit) = (wanted.page.after, wanted.page.limit);
    let mut rows = Vec::new();
    for principal in call.directory().linked(&call.op, (holder, kind), after, limit).await? {
        rows.push((principal.object, objects::principal(call, &principal, true).await?));
    }
    wanted.answer(call, "directoryObjects", rows)
}

async fn transitive(call: &Call) -> Answer {
    let group = group(call).await?;
    let all = call.directory().transitive_members(&call.op, group.object, TRANSITIVE_MAX).await?;
    shown(call, &all).await
}

async fn shown(call: &Call, all: &[Principal]) -> Answer {
    let wanted = Wanted::of(call)?;
    let mut rows = Vec::new();
    for principal in all {
        let row = objects::principal(call, principal, true).await?;
        if wanted.filter.fits(&row) {
            rows.push(row);
        }
    }
    whole_list(call, "directoryObjects", rows)
}

async fn add(call: &Call, action: &'static str, kind: LinkKind) -> Answer {
    let (known, allowed) = permitted(call, action).await?;
    link(call, &allowed, (known.object, kind)).await
}

async fn remove(call: &Call, action: &'static str, kind: LinkKind) -> Answer {
    let (known, allowed) = permitted(call, action).await?;
    unlink(call, &allowed, (known.object, kind)).await
}

pub(crate) async fn link(call: &Call, allowed: &Allowed, at: (ObjectId, LinkKind)) -> Answer {
    call.directory().link(&call.op, allowed, at, referenced(call)?).await?;
    call.refresh().await?;
    Ok(nothing())
}

pub(crate) async fn unlink(call: &Call, allowed: &Allowed, at: (ObjectId, LinkKind)) -> Answer {
    call.directory().unlink(&call.op, allowed, at, call.object("who")?).await?;
    call.refresh().await?;
    Ok(nothing())
}

/// Whoever is asked about, of any kind.
async fn anybody(call: &Call) -> Result<ObjectId, Failure> {
    let object = call.object("id")?;
    let found = call.directory().by_object(call.op.caller.tenant, object).await?;
    Ok(found.ok_or_else(|| DirectoryError::NoObject(object.to_string()))?.object)
}

pub(crate) async fn member_of(call: &Call) -> Answer {
    let who = anybody(call).await?;
    let direct = call.directory().direct_groups_of(&call.op, who).await?;
    let all = call.directory().by_objects(call.op.caller.tenant, &direct).await?;
    shown(call, &all).await
}

pub(crate) async fn transitive_member_of(call: &Call) -> Answer {
    let groups = call.directory().groups_of(&call.op, anybody(call).await?).await?;
    let all = call.directory().by_objects(call.op.caller.tenant, &groups).await?;
    shown(call, &all).await
}

fn ids(call: &Call, all: Vec<ObjectId>) -> Answer {
    let value: Vec<Value> = all.into_iter().map(|o| Value::String(o.to_string())).collect();
    let list = serde_json::json!({"@odata.context": call.context("Collection(Edm.String)"), "value": value});
    Ok(json(StatusCode::OK, &list))
}

pub(crate) async fn member_groups(call: &Call) -> Answer {
    let groups = call.directory().groups_of(&call.op, anybody(call).await?).await?;
    ids(call, groups)
}

/// Which of the groups named somebody is in, also through groups.
pub(crate) async fn check_groups(call: &Call) -> Answer {
    let asked: CheckMembers = serde_json::from_slice(&call.body)
        .map_err(|_| Failure::bad("Unable to read JSON request payload."))?;
    let named = if asked.group_ids.is_empty() { asked.ids } else { asked.group_ids };
    if named.is_empty() || named.len() > CHECKED_MAX {
        return Err(Failure::bad("Between 1 and 20 groups may be named."));
    }
    let groups = call.directory().groups_of(&call.op, anybody(call).await?).await?;
    let named: Vec<ObjectId> = named.iter().filter_map(|id| id.parse().ok()).collect();
    ids(call, groups.into_iter().filter(|g| named.contains(g)).collect())
}
