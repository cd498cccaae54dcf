//! The activity log: the audit log as far as it is about resources of a subscription (arm.md 4.11).

use cs_ids::{CorrelationId, Scope, SubscriptionId};
use cs_rbac::Operation;
use cs_store::{AuditQuery, AuditRecord};
use cs_time::Timestamp;

use crate::{Manager, ResourceError};

/// Events of a page at most.
const EVENTS_MAX: usize = 1000;
/// Records that one call looks through at most: most of a busy site's are of what happens inside vaults and accounts, and a
/// page that ends early says where the next begins.
const LOOKED_AT_MAX: usize = 20_000;
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
    /// Behind the event that ended the page before.
    pub after: Option<i64>,
}

impl Manager {
    /// What was done or refused, newest first, as far as `keeps` wants it: at most a page, and where the next begins.
    pub async fn activity(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
        wanted: Activity,
        keeps: impl Fn(&AuditRecord) -> bool + Send,
    ) -> Result<(Vec<AuditRecord>, Option<i64>), ResourceError> {
        self.subscription(op, subscription).await?;
        let whole = cs_ids::ResourceId::of_subscription(subscription).scope().clone();
        let at = wanted.at.unwrap_or(whole);
        let oldest = self.at.clock.now().plus_seconds(-KEPT_SECONDS);
        let mut query = AuditQuery {
            correlation: wanted.correlation,
            from: Some(wanted.from.map_or(oldest, |from| from.max(oldest))),
            until: wanted.until,
            below: Some(at.key().to_owned()),
            changes: true,
            before: wanted.after,
            limit: u32::try_from(EVENTS_MAX).unwrap_or(u32::MAX),
            ..AuditQuery::default()
        };
        let (mut events, mut looked_at) = (Vec::new(), 0);
        loop {
            let found = self.at.log.numbered(op.caller.tenant, query.clone()).await?;
            let last = found.len() < EVENTS_MAX;
            for (number, record) in found {
                (query.before, looked_at) = (Some(number), looked_at + 1);
                // The store looks by the beginning of the text; a group is not one whose name only begins so.
                if Scope::parse(&record.scope).is_ok_and(|scope| at.contains(&scope)) && keeps(&record) {
                    events.push(record);
                    if events.len() == EVENTS_MAX {
                        return Ok((events, query.before));
                    }
                }
            }
            match last {
                true => return Ok((events, None)),
                false if looked_at >= LOOKED_AT_MAX => return Ok((events, query.before)),
                false => {}
            }
        }
    }
}
