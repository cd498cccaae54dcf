//! One tenant's snapshot, and how it follows the store.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use cs_ids::{ObjectId, ResourceId, Scope, TenantId};
use cs_rbac::{Allowed, Ask, Denied, PermissionText, Snapshot, Subject};
use cs_store::{
    AccessRules, Assignment, Assignments, Directory, DirectoryObjects, Principal, PrincipalKind, Resources,
    Revision, StoreError,
};
use cs_time::{Clock, Timestamp};
use tokio::sync::Mutex;

use crate::{groups::Groups, rules};

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
    /// What each principal is, and whether it may act; absent: never heard of. Who is deleted stays known.
    principals: HashMap<ObjectId, (PrincipalKind, bool)>,
    groups: Groups,
}

impl State {
    fn subject(&self, who: ObjectId) -> Subject {
        Subject::new(who, self.groups.of(who))
    }
}

/// Where a tenant's snapshot comes from.
pub(crate) struct Sources {
    pub assignments: Arc<dyn Assignments>,
    pub directory: Arc<dyn Directory>,
    pub memberships: Option<Arc<dyn DirectoryObjects>>,
    pub rules: Option<Arc<dyn AccessRules>>,
    pub subscriptions: Option<Arc<dyn Resources>>,
}

#[derive(Default)]
struct Followed {
    assignments: Revision,
    principals: Revision,
    memberships: Revision,
    rules: Revision,
    /// Subscriptions come with the site, before anything is decided.
    under_the_root: bool,
}

impl TenantAccess {
    pub(crate) async fn refresh(
        &self,
        tenant: TenantId,
        from: &Sources,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        let mut followed = self.followed.lock().await;
        // Before the question: what is read is at least this fresh.
        let asked = clock.now();
        let (changed, upto) = from.directory.principals_since(tenant, followed.principals).await?;
        self.apply_principals(&changed);
        followed.principals = upto;
        if let Some(memberships) = &from.memberships {
            let (changed, upto) = memberships.memberships_since(tenant, followed.memberships).await?;
            self.change(changed.is_empty(), |state| state.groups.apply(&changed));
            followed.memberships = upto;
        }
        if let Some(subscriptions) = from.subscriptions.as_ref().filter(|_| !followed.under_the_root) {
            let all = subscriptions.subscriptions(tenant).await?;
            self.change(all.is_empty(), |state| {
                let root = Scope::management_root(tenant);
                for subscription in &all {
                    let scope = ResourceId::of_subscription(subscription.id).scope().clone();
                    state.snapshot.set_parent(&scope, Some(&root));
                }
            });
            followed.under_the_root = !all.is_empty();
        }
        if let Some(source) = &from.rules {
            let (changed, upto) = source.rules_since(tenant, followed.rules).await?;
            let nothing = changed.roles.is_empty() && changed.denies.is_empty();
            self.change(nothing, |state| rules::apply(&mut state.snapshot, changed));
            followed.rules = upto;
        }
        let (changed, upto) = from.assignments.assignments_since(tenant, followed.assignments).await?;
        self.apply_assignments(changed);
        followed.assignments = upto;
        self.confirmed_at.store(asked.micros(), Ordering::Release);
        Ok(())
    }

    fn change(&self, nothing: bool, change: impl FnOnce(&mut State)) {
        if !nothing {
            change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn apply_principals(&self, changed: &[Principal]) {
        if changed.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for principal in changed {
            let good = principal.enabled && !principal.deleted;
            state.principals.insert(principal.object, (principal.kind, good));
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
        cs_rbac::decide(&state.snapshot, &state.subject(who), ask)
    }

    pub(crate) fn is_visible(&self, who: ObjectId, scope: &Scope) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.snapshot.is_visible(&state.subject(who), scope)
    }

    pub(crate) fn kind_of(&self, who: ObjectId) -> Option<PrincipalKind> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.principals.get(&who).map(|(kind, _)| *kind)
    }

    pub(crate) fn is_good(&self, who: ObjectId) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.principals.get(&who).is_some_and(|(_, good)| *good)
    }

    pub(crate) fn groups_of(&self, who: ObjectId) -> Vec<ObjectId> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).groups.of(who)
    }

    pub(crate) fn permissions(&self, who: ObjectId, scope: &Scope) -> Vec<(PermissionText, Option<String>)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let held = state.snapshot.roles_over(&state.subject(who), scope);
        let blocks = held.iter().flat_map(|h| {
            h.role.permissions.iter().map(|p| (p.text().clone(), h.condition.map(str::to_owned)))
        });
        blocks.collect()
    }
}
