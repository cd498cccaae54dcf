//! A machine at its own resource.

use cs_ids::{ObjectId, Scope};

use crate::{Allowed, Caller, Denied, Reason, proof::WhyDenied};

/// Allows a machine what it needs at the resource that *is* the machine (heartbeat, its own key), whatever roles
/// exist. `machine` is the `principalId` of the resource at `scope`, read from the row, never from the request.
///
/// # Errors
/// [`Denied`] when the caller is anybody else.
pub fn decide_own_machine(
    caller: &Caller,
    machine: ObjectId,
    action: &'static str,
    scope: &Scope,
) -> Result<Allowed, Denied> {
    if caller.object == machine {
        return Ok(Allowed::new(scope.clone(), action, Reason::OwnMachine(machine)));
    }
    Err(Denied { action: action.to_owned(), scope: scope.clone(), why: WhyDenied::NotOwnMachine })
}
