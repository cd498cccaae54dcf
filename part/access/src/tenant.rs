//! One tenant's snapshot, and how it follows the store.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use cs_ids::{ObjectId, Scope, TenantId};
use cs_rbac::{Allowed, Ask, Denied, Snapshot, Subject};
use cs_store::{Assignment, Assignments, Directory, Principal, Revision, StoreError};
use cs_time::{Clock, Timestamp};
use tokio::sync::Mutex;

#[derive(Default)]
pub(crate) struct TenantAccess {
    state: RwLock<State>,
    /// Up to which revision the snapshot is complete. Held while following, so that deltas are applied in order.
    followed: Mutex<Followed>,
    confirmed_at: AtomicI64,
}

#[derive(Default)]
struct State {
    snapshot: Snapshot,
    /// Whether each principal may act; absent: never heard of.
    good: HashMap<ObjectId, bool>,
}

#[derive(Default)]
struct Followed {
    assignments: Revision,
    principals: Revision,
}

impl TenantAccess {
    pub(crate) async fn refresh(
        &self,
        tenant: TenantId,
        assignments: &dyn Assignments,
        directory: &dyn Directory,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        let mut followed = self.followed.lock().await;
        // Before the question: what is read is at least this fresh.
        let asked = clock.now();
        let (changed, upto) = directory.principals_since(tenant, followed.principals).await?;
        self.apply_principals(&changed);
        followed.principals = upto;
        let (changed, upto) = assignments.assignments_since(tenant, followed.assignments).await?;
        self.apply_assignments(changed);
        followed.assignments = upto;
        self.confirmed_at.store(asked.micros(), Ordering::Release);
        Ok(())
    }

    fn apply_principals(&self, changed: &[Principal]) {
        if changed.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for principal in changed {
            state.good.insert(principal.object, principal.enabled && !principal.deleted);
        }
    }

    fn apply_assignments(&self, changed: Vec<Assignment>) {
        if changed.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for assignment in changed {
            // Names are GUIDs, checked when the assignment was made; one that is none grants nothing.
            let Ok(id) = assignment.name.parse() else { continue };
            state.snapshot.remove_assignment(id);
            let Ok(role) = assignment.role.parse() else { continue };
            if !assignment.deleted {
                state.snapshot.insert_assignment(cs_rbac::Assignment {
                    id,
                    principal: assignment.principal,
                    role,
                    scope: assignment.scope,
                    condition: assignment.condition,
                });
            }
        }
    }

    pub(crate) fn confirmed_at(&self) -> Timestamp {
        Timestamp::from_micros(self.confirmed_at.load(Ordering::Acquire))
    }

    pub(crate) fn decide(&self, who: ObjectId, ask: &Ask<'_>) -> Result<Allowed, Denied> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        cs_rbac::decide(&state.snapshot, &Subject::alone(who), ask)
    }

    pub(crate) fn is_visible(&self, who: ObjectId, scope: &Scope) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.snapshot.is_visible(&Subject::alone(who), scope)
    }

    pub(crate) fn is_good(&self, who: ObjectId) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.good.get(&who).copied().unwrap_or(false)
    }
}
