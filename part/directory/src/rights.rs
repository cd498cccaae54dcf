//! Who may write.

use cs_ids::{ObjectId, Scope};
use cs_rbac::{Allowed, DirectoryRights, Operation, decide_directory};
use cs_store::LinkKind;

use crate::{DirectoryError, Principals};

/// Owners of one object at most, read when rights are asked for.
const OWNERS_MAX: u32 = 1000;

/// What shall change.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// `applications`, `groups`, …
    pub collection: &'static str,
    /// The objects whose owners may: none for a new one; an application and its service principal share theirs.
    pub objects: &'t [ObjectId],
}

impl Target<'_> {
    /// Where it is, for the record.
    pub(crate) fn scope(&self) -> Scope {
        let collection = Scope::root().child("directory", self.collection);
        match self.objects.first() {
            Some(object) => collection.child("objects", &object.to_string()),
            None => collection,
        }
    }
}

impl Principals {
    /// Whether the caller may change the target.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`].
    pub async fn permit(
        &self,
        op: &Operation,
        action: &'static str,
        target: Target<'_>,
    ) -> Result<Allowed, DirectoryError> {
        let (tenant, caller) = (op.caller.tenant, op.caller.object);
        let administrator = self.rows.principal(tenant, caller).await?.is_some_and(|p| p.directory_admin);
        let mut owner = false;
        for object in target.objects {
            let owners = self.objects.linked(tenant, *object, LinkKind::Owner, None, OWNERS_MAX).await?;
            owner = owner || owners.contains(&caller);
        }
        Ok(decide_directory(&op.caller, DirectoryRights { administrator, owner }, action, &target.scope())?)
    }
}
