//! Subscriptions.

use cs_ids::SubscriptionId;
use cs_rbac::Operation;
use cs_store::{Subscription, Tenant};

use crate::{Manager, ResourceError};

impl Manager {
    /// The caller's tenant; `None` for one that the site does not know.
    pub async fn tenant(&self, op: &Operation) -> Result<Option<Tenant>, ResourceError> {
        Ok(self.at.site.tenants().await?.into_iter().find(|t| t.id == op.caller.tenant))
    }

    /// All of the caller's tenant; which of them the caller may see is decided elsewhere.
    pub async fn subscriptions(&self, op: &Operation) -> Result<Vec<Subscription>, ResourceError> {
        Ok(self.at.resources.subscriptions(op.caller.tenant).await?)
    }

    /// One of the caller's tenant.
    ///
    /// # Errors
    /// [`ResourceError::NoSubscription`], also for one of another tenant.
    pub async fn subscription(
        &self,
        op: &Operation,
        id: SubscriptionId,
    ) -> Result<Subscription, ResourceError> {
        let found = self.at.resources.subscription(id).await?;
        found.filter(|s| s.tenant == op.caller.tenant).ok_or(ResourceError::NoSubscription(id))
    }
}
