//! The activity log: the audit log as far as it is about resources of a subscription (arm.md 4.11).

use cs_ids::{CorrelationId, Scope, SubscriptionId};
use cs_rbac::Operation;
use cs_store::{AuditQuery, AuditRecord};
use cs_time::Timestamp;

use crate::{Manager, ResourceError};

/// Events one answer holds at most.
const EVENTS_MAX: u32 = 1000;
/// The log goes back so far, in seconds: 90 days.
const KEPT_SECONDS: i64 = 90 * 86_400;

/// Which events to read.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// At or below this, a group or resource of the subscription.
    pub at: Option<Scope>,
    pub correlation: Option<CorrelationId>,
}

impl Manager {
    /// What was done or refused, newest first.
    pub async fn activity(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
        wanted: Activity,
    ) -> Result<Vec<AuditRecord>, ResourceError> {
        self.subscription(op, subscription).await?;
        let whole = cs_ids::ResourceId::of_subscription(subscription).scope().clone();
        let at = wanted.at.unwrap_or(whole);
        let oldest = self.at.clock.now().plus_seconds(-KEPT_SECONDS);
        let query = AuditQuery {
            correlation: wanted.correlation,
            from: Some(wanted.from.map_or(oldest, |from| from.max(oldest))),
            until: wanted.until,
            below: Some(at.key().to_owned()),
            changes: true,
            limit: EVENTS_MAX,
            ..AuditQuery::default()
        };
        let found = self.at.log.records(op.caller.tenant, query).await?;
        // The store looks by the beginning of the text; a group is not one whose name only begins so.
        Ok(found.into_iter().filter(|r| Scope::parse(&r.scope).is_ok_and(|s| at.contains(&s))).collect())
    }
}
