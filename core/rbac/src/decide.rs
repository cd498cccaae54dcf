//! The decision over roles (rbac.md 6).

use std::sync::Arc;

use cs_ids::{ObjectId, Scope};
use uuid::Uuid;

use crate::{
    Allowed, Denied, Reason, Snapshot, WhyDenied,
    ancestry::Ancestry,
    condition::{Attributes, Guard, NO_ATTRIBUTES},
    grants::Grant,
    roles::Permission,
    snapshot::Deny,
};

/// The two separate name spaces of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Control plane, and a few data-plane calls on containers.
    Action,
    /// Data plane.
    DataAction,
}

/// Who asks, with the groups that count for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub object: ObjectId,
    /// Transitive, as the directory knows them now; nesting and its cycles are the directory's business.
    pub groups: Vec<ObjectId>,
}

impl Subject {
    pub fn new(object: ObjectId, groups: Vec<ObjectId>) -> Self {
        Self { object, groups }
    }

    /// A principal in no group.
    pub fn alone(object: ObjectId) -> Self {
        Self { object, groups: Vec::new() }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ObjectId> {
        std::iter::once(self.object).chain(self.groups.iter().copied())
    }

    pub(crate) fn is_or_is_in(&self, id: ObjectId) -> bool {
        self.object == id || self.groups.contains(&id)
    }
}

/// What is asked for, and where.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `Microsoft.KeyVault/vaults/read`; compared without regard to case.
    pub action: &'a str,
    pub kind: Kind,
    pub scope: &'a Scope,
    /// What conditions may look at.
    pub attributes: &'a Attributes,
}

impl<'a> Ask<'a> {
    pub fn action(action: &'a str, scope: &'a Scope) -> Self {
        Self { action, kind: Kind::Action, scope, attributes: &NO_ATTRIBUTES }
    }

    pub fn data_action(action: &'a str, scope: &'a Scope) -> Self {
        Self { kind: Kind::DataAction, ..Self::action(action, scope) }
    }

    #[must_use]
    pub fn with(self, attributes: &'a Attributes) -> Self {
        Self { attributes, ..self }
    }
}

/// Decides: deny assignments forbid first, then any assignment of the caller or its groups at the scope or above
/// allows whose role permits the operation and whose conditions hold; everything else is denied.
///
/// # Errors
/// [`Denied`] with the reason.
pub fn decide(all: &Snapshot, who: &Subject, ask: &Ask<'_>) -> Result<Allowed, Denied> {
    let line = all.line(ask.scope);
    let denied = |why| Denied { action: ask.action.to_owned(), scope: ask.scope.clone(), why };
    if let Some(deny) = all.denies_over(&line).find(|d| forbids(d, who, ask)) {
        return Err(denied(WhyDenied::DenyAssignment(deny.what.id)));
    }
    granted(all, who, ask, &line)
        .map(|because| Allowed::new(ask.scope.clone(), ask.action.to_owned(), because))
        .map_err(denied)
}

fn granted(all: &Snapshot, who: &Subject, ask: &Ask<'_>, line: &Ancestry<'_>) -> Result<Reason, WhyDenied> {
    let mut why = WhyDenied::NoAssignment;
    let reason = all.grants_of(who).find_map(|(holder, grants)| {
        grants.find_over(line, |grant| {
            let role = all.role_at(grant.role)?;
            match judge(grant, &role.permissions, ask) {
                Verdict::Grants => {
                    let condition = grant.condition.as_ref().map(|c| Arc::clone(c.shared_text()));
                    Some(Reason::Assignment { id: grant.id, holder, role: Arc::clone(&role.name), condition })
                }
                Verdict::ConditionFalse => {
                    why = WhyDenied::ConditionFalse(grant.id);
                    None
                }
                Verdict::Silent => None,
            }
        })
    });
    reason.ok_or(why)
}

enum Verdict {
    Grants,
    /// The role permits the operation, but its own or the assignment's condition does not hold.
    ConditionFalse,
    Silent,
}

fn judge(grant: &Grant, blocks: &[Permission], ask: &Ask<'_>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for block in blocks.iter().filter(|b| b.permits(ask.kind, ask.action)) {
        if holds(block.condition(), ask) && holds(grant.condition.as_deref(), ask) {
            return Verdict::Grants;
        }
        verdict = Verdict::ConditionFalse;
    }
    verdict
}

fn holds(condition: Option<&Guard>, ask: &Ask<'_>) -> bool {
    condition.is_none_or(|c| c.holds(ask.action, ask.attributes))
}

/// Everybody, in the principals of a deny assignment.
const EVERYBODY: ObjectId = ObjectId::new(Uuid::nil());

fn forbids(deny: &Deny, who: &Subject, ask: &Ask<'_>) -> bool {
    let what = &deny.what;
    // A condition that cannot be read forbids: in a deny assignment that is the closed side.
    let may_hold = |condition: Option<&Guard>| {
        condition.is_none_or(|c| !c.is_readable() || c.holds(ask.action, ask.attributes))
    };
    (!what.only_here || what.scope == *ask.scope)
        && what.principals.iter().any(|p| *p == EVERYBODY || who.is_or_is_in(*p))
        && !what.excluded.iter().any(|p| who.is_or_is_in(*p))
        && what.permissions.iter().any(|b| b.permits(ask.kind, ask.action) && may_hold(b.condition()))
        && may_hold(deny.condition.as_ref())
}
