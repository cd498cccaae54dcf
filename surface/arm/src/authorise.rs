//! The one place where a request is allowed or refused.

use cs_access::Refusal;
use cs_ids::ObjectId;
use cs_rbac::{Allowed, Attributes, Source, condition::names, decide_own_machine};
use cs_resources::{Deed, principal_of, role_guid};
use cs_serve::{Door, Needs};
use cs_wire_arm::RoleAssignmentBody;

use crate::{
    call::Call,
    doors::{Also, Op},
    failure::Failure,
    place,
    types::locks,
};

/// Asks for what the door needs at the call's scope and leaves the proof in the call.
pub(crate) async fn authorise(call: &mut Call, door: &Door<Op>) -> Result<(), Failure> {
    let action = match door.needs {
        Needs::Action(action) => action,
        // The token has been checked; the handler shows only what the caller may see.
        Needs::Token(_) => return Ok(()),
        Needs::Nothing(_) | Needs::MetadataHeader | Needs::Data { .. } | Needs::Credentials => {
            return Err(Failure::internal("a door of the resource manager needs a token or an action"));
        }
    };
    let attributes = attributes(call, door.op.also).await?;
    let asked = call.parts.access.require_action_with(&call.op, action, &call.scope, &attributes);
    let allowed = match asked {
        Ok(allowed) => allowed,
        Err(Refusal::Unconfirmed) => return Err(Failure::busy()),
        Err(Refusal::Denied(denied)) => match own_machine(call, action, door.op.also).await? {
            Some(allowed) => allowed,
            None => return Err(call.refuse(&denied, action, &call.scope).await?),
        },
    };
    call.allowed = Some(allowed);
    Ok(())
}

/// What a door does to its scope, for locks: nothing when it only reads, or when it is a lock's own.
pub(crate) fn deed(door: &Door<Op>) -> Option<Deed> {
    let Needs::Action(action) = door.needs else { return None };
    if action.ends_with("/read") || locks::FREE.contains(&action) {
        return None;
    }
    match door.method {
        "DELETE" => Some(Deed::Delete { whole: place::is_whole(door.path) }),
        _ => Some(Deed::Write),
    }
}

/// A machine reads its own resource without a role.
async fn own_machine(call: &Call, action: &'static str, also: Also) -> Result<Option<Allowed>, Failure> {
    if also != Also::OwnMachine {
        return Ok(None);
    }
    let Ok(machine) = call.manager().existing(&call.op, &call.id()?).await else { return Ok(None) };
    let Some(principal) = principal_of(&machine) else { return Ok(None) };
    Ok(decide_own_machine(&call.op.caller, principal, action, &call.scope).ok())
}

/// What conditions on assignments may look at (rbac.md 7.3), so that who may hand out some roles only cannot hand
/// out others.
async fn attributes(call: &Call, also: Also) -> Result<Attributes, Failure> {
    let none = Attributes::new().at(call.op.started);
    let (source, role, principal) = match also {
        Also::Nothing | Also::OwnMachine => return Ok(none),
        Also::AssignsRole => match serde_json::from_slice::<RoleAssignmentBody>(&call.body) {
            Ok(body) => (Source::Request, body.properties.role_definition_id, body.properties.principal_id),
            Err(_) => return Ok(none),
        },
        Also::UnassignsRole => {
            let name = call.params.get("assignment");
            match call.manager().assignment(&call.op, &call.scope, name).await {
                Ok(Some(found)) => (Source::Resource, found.role, found.principal.to_string()),
                _ => return Ok(none),
            }
        }
    };
    let (Some(role), Ok(principal)) = (role_guid(&role), principal.parse::<ObjectId>()) else {
        return Ok(none);
    };
    let kind = call.manager().principal_type(&call.op, principal).await?.0;
    Ok(none
        .with(source, names::ROLE_DEFINITION_ID, role.to_string().as_str())
        .with(source, names::PRINCIPAL_ID, principal.to_string().as_str())
        .with_some(source, names::PRINCIPAL_TYPE, kind))
}
