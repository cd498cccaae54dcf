//! Who may change the directory. Roles have no say here: the directory has its own administrators, and objects have
//! owners (arm.md 5.3).

use cs_ids::Scope;

use crate::{Allowed, Caller, Denied, Reason, proof::WhyDenied};

/// What the directory says of a caller, read from its rows and never from the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirectoryRights {
    pub administrator: bool,
    /// Of the very object that shall change.
    pub owner: bool,
}

/// Allows a change of a directory object to administrators and to the object's owners.
///
/// # Errors
/// [`Denied`] when the caller is neither.
pub fn decide_directory(
    caller: &Caller,
    rights: DirectoryRights,
    action: &'static str,
    object: &Scope,
) -> Result<Allowed, Denied> {
    let because = if rights.administrator {
        Reason::DirectoryAdministrator(caller.object)
    } else if rights.owner {
        Reason::DirectoryOwner(caller.object)
    } else {
        return Err(Denied {
            action: action.to_owned(),
            scope: object.clone(),
            why: WhyDenied::NotOfTheDirectory,
        });
    };
    Ok(Allowed::new(object.clone(), action, because))
}
