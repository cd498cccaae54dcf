//! Who may do what, now: the live access snapshot of every tenant, and the one place that says yes.
//!
//! Role assignments, principals, memberships, custom roles and deny assignments are held in memory per tenant and changed by deltas: a write of this replica is
//! seen at once ([`Access::refresh`]), one of another replica within the polling interval ([`Access::watch`]).
//! A replica that cannot confirm its snapshot for [`CONFIRM_WITHIN_SECONDS`] refuses rather than to answer from
//! what may no longer be true.
//!
//! A yes is a [`cs_rbac::Allowed`]; the store asks for it wherever a secret or a blob is read.

mod groups;
mod rules;
mod tenant;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use cs_ids::{ObjectId, Scope, TenantId};
use cs_rbac::{
    Allowed, Ask, Attributes, Denied, NO_ATTRIBUTES, ObjectKind, Operation, PermissionText, PolicyAsk,
    PolicyEntry,
};
use cs_store::{AccessRules, Assignments, Directory, DirectoryObjects, Resources, StoreError};
use cs_time::Clock;

pub use cs_store::PrincipalKind;

use self::tenant::{Sources, TenantAccess};

/// How long a snapshot may go unconfirmed before everything is refused, in seconds (design.md, State).
pub const CONFIRM_WITHIN_SECONDS: i64 = 10;
/// How often other replicas' changes are asked for: the contract is a second (design.md, State).
const POLL_EVERY: Duration = Duration::from_millis(250);

/// Why there is no yes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The snapshot could not be confirmed in time: try again later (503).
    #[error("access cannot be decided: the store has not answered lately")]
    Unconfirmed,
}

/// What the directory says of a principal right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// Disabled, deleted or never there.
    Gone,
    /// Not known, since the snapshot is too old.
    Unconfirmed,
}

/// The live snapshots of all tenants.
pub struct Access {
    sources: Sources,
    clock: Arc<dyn Clock>,
    tenants: RwLock<HashMap<TenantId, Arc<TenantAccess>>>,
}

impl Access {
    pub fn new(
        assignments: Arc<dyn Assignments>,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let sources = Sources { assignments, directory, memberships: None, rules: None, subscriptions: None };
        Self { sources, clock, tenants: RwLock::default() }
    }

    /// Groups count too: whoever is in one, also through groups, holds what the group holds.
    #[must_use]
    pub fn with_groups(mut self, memberships: Arc<dyn DirectoryObjects>) -> Self {
        self.sources.memberships = Some(memberships);
        self
    }

    /// The root management group counts too: it is above every subscription of the tenant.
    #[must_use]
    pub fn with_subscriptions(mut self, subscriptions: Arc<dyn Resources>) -> Self {
        self.sources.subscriptions = Some(subscriptions);
        self
    }

    /// Custom roles and deny assignments count too.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<dyn AccessRules>) -> Self {
        self.sources.rules = Some(rules);
        self
    }

    /// Loads a tenant, or brings its snapshot up to date: to be called after every write that changes assignments or
    /// principals, before the write is answered.
    ///
    /// # Errors
    /// The store's; the snapshot stays as it was.
    pub async fn refresh(&self, tenant: TenantId) -> Result<(), StoreError> {
        let held = self.held(tenant).unwrap_or_else(|| {
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tenants.entry(tenant).or_default())
        });
        held.refresh(tenant, &self.sources, &*self.clock).await
    }

    /// Polls for other replicas' changes, for ever.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let all: Vec<TenantId> =
                self.tenants.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
            for tenant in all {
                if let Err(error) = self.refresh(tenant).await {
                    tracing::warn!(%error, %tenant, "the access snapshot could not be confirmed");
                }
            }
        }
    }

    /// A management action over a scope.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn require_action(&self, op: &Operation, action: &str, scope: &Scope) -> Result<Allowed, Refusal> {
        self.require(op, &Ask::action(action, scope), &NO_ATTRIBUTES)
    }

    /// A data action over a scope; `attributes` are what conditions may ask about.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn require_data(
        &self,
        op: &Operation,
        action: &str,
        scope: &Scope,
        attributes: &Attributes,
    ) -> Result<Allowed, Refusal> {
        self.require(op, &Ask::data_action(action, scope), attributes)
    }

    /// A management action with attributes for conditions (role assignments, containers).
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn require_action_with(
        &self,
        op: &Operation,
        action: &str,
        scope: &Scope,
        attributes: &Attributes,
    ) -> Result<Allowed, Refusal> {
        self.require(op, &Ask::action(action, scope), attributes)
    }

    fn require(&self, op: &Operation, ask: &Ask<'_>, attributes: &Attributes) -> Result<Allowed, Refusal> {
        let held = self.confirmed(op.caller.tenant)?;
        held.decide(op.caller.object, &ask.with(attributes)).map_err(Refusal::Denied)
    }

    /// A permission by a vault's access policies.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn require_policy(
        &self,
        op: &Operation,
        entries: &[PolicyEntry],
        kind: ObjectKind,
        permission: &str,
        vault: &Scope,
    ) -> Result<Allowed, Refusal> {
        let groups = self.confirmed(op.caller.tenant)?.groups_of(op.caller.object);
        let ask = PolicyAsk { caller: &op.caller, groups: &groups, kind, permission, vault };
        cs_rbac::decide_policy(entries, &ask).map_err(Refusal::Denied)
    }

    /// Whether the caller holds any role at, above or below a scope: what listings show.
    ///
    /// # Errors
    /// [`Refusal::Unconfirmed`].
    pub fn is_visible(&self, op: &Operation, scope: &Scope) -> Result<bool, Refusal> {
        Ok(self.confirmed(op.caller.tenant)?.is_visible(op.caller.object, scope))
    }

    /// The groups somebody is in, also through groups.
    ///
    /// # Errors
    /// [`Refusal::Unconfirmed`].
    pub fn groups_of(&self, tenant: TenantId, who: ObjectId) -> Result<Vec<ObjectId>, Refusal> {
        Ok(self.confirmed(tenant)?.groups_of(who))
    }

    /// The permission blocks that hold at a scope for the caller, each with the condition of its assignment.
    ///
    /// # Errors
    /// [`Refusal::Unconfirmed`].
    pub fn permissions(
        &self,
        op: &Operation,
        scope: &Scope,
    ) -> Result<Vec<(PermissionText, Option<String>)>, Refusal> {
        Ok(self.confirmed(op.caller.tenant)?.permissions(op.caller.object, scope))
    }

    /// What the directory says of a principal right now.
    pub fn standing(&self, tenant: TenantId, object: ObjectId) -> Standing {
        match self.confirmed(tenant) {
            Err(_) => Standing::Unconfirmed,
            Ok(held) if held.is_good(object) => Standing::Good,
            Ok(_) => Standing::Gone,
        }
    }

    /// What a principal is or was; `None` for whom the directory never knew. Nothing is decided by it.
    pub fn kind_of(&self, tenant: TenantId, object: ObjectId) -> Option<PrincipalKind> {
        self.held(tenant)?.kind_of(object)
    }

    fn held(&self, tenant: TenantId) -> Option<Arc<TenantAccess>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn confirmed(&self, tenant: TenantId) -> Result<Arc<TenantAccess>, Refusal> {
        let oldest = self.clock.now().plus_seconds(-CONFIRM_WITHIN_SECONDS);
        self.held(tenant).filter(|held| held.confirmed_at() >= oldest).ok_or(Refusal::Unconfirmed)
    }
}
