//! Which scopes exist.

use cs_ids::{ResourceId, Scope};
use cs_rbac::Operation;

use crate::{Manager, ResourceError};

impl Manager {
    /// Whether an assignment can be made here: the root, a subscription of ours, a group or resource that is there,
    /// or something inside a resource that is there (a container, a secret: those are unchecked, as in Azure).
    ///
    /// # Errors
    /// [`ResourceError::NoSubscription`], [`ResourceError::NoGroup`], [`ResourceError::NoResource`],
    /// [`ResourceError::NoScope`].
    pub async fn scope_exists(&self, op: &Operation, scope: &Scope) -> Result<(), ResourceError> {
        if scope.key() == "/" || *scope == Scope::management_root(op.caller.tenant) {
            return Ok(());
        }
        let id =
            ResourceId::parse(scope.as_str()).map_err(|_| ResourceError::NoScope(Box::new(scope.clone())))?;
        self.subscription(op, id.subscription()).await?;
        if id.group().is_none() {
            return if id.kind().is_none() {
                Ok(())
            } else {
                Err(ResourceError::NoScope(Box::new(scope.clone())))
            };
        }
        self.existing(op, &top_of(&id)).await.map(drop)
    }
}

/// The resource itself, without children: `…/storageAccounts/a` of `…/storageAccounts/a/blobServices/default/…`.
fn top_of(id: &ResourceId) -> ResourceId {
    // "", subscriptions, S, resourceGroups, G, providers, namespace, type, name
    let top: Vec<&str> = id.as_str().split('/').take(9).collect();
    ResourceId::parse(&top.join("/")).unwrap_or_else(|_| id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_lie_in_their_resource() {
        let s = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/g";
        let account = format!("{s}/providers/Microsoft.Storage/storageAccounts/a");
        let container = ResourceId::parse(&format!("{account}/blobServices/default/containers/c")).unwrap();
        assert_eq!(top_of(&container).as_str(), account);
        assert_eq!(top_of(&ResourceId::parse(s).unwrap()).as_str(), s);
    }
}
