//! What a decision leaves behind: a proof that it was taken, or why it was refused.

use std::{borrow::Cow, fmt, sync::Arc};

use cs_ids::{ClientId, ObjectId, Scope};

use crate::{AssignmentId, ObjectKind};

/// Proof that somebody was allowed one action at one scope.
///
/// Calls that touch rows ask for it, so a forgotten check does not compile. It comes from `decide`,
/// `decide_policy`, `decide_own_machine`, `decide_directory`, or, for the product's own work, from [`Allowed::by_the_site`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Allowed {
    scope: Scope,
    action: Cow<'static, str>,
    because: Reason,
}

impl Allowed {
    pub(crate) fn new(scope: Scope, action: impl Into<Cow<'static, str>>, because: Reason) -> Self {
        Self { scope, action: action.into(), because }
    }

    /// The site's own work, with no caller to check: clearing expired rows, seeding, a machine's enrolment by a
    /// valid code. The one way past a decision; the reason is recorded.
    pub fn by_the_site(reason: &'static str, scope: Scope) -> Self {
        Self::new(scope, "*", Reason::Site(reason))
    }

    /// A request that was signed with a storage account's key (`by` says how): the key may do everything with the
    /// account's data, and what a signature grants less than that was checked by whoever read it.
    pub fn by_account_key(
        scope: Scope,
        action: &'static str,
        (key, by): (&'static str, &'static str),
    ) -> Self {
        Self::new(scope, action, Reason::AccountKey { key, by })
    }

    /// Where it holds: the scope that was asked about, not that of the assignment.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The operation that was asked for; `secrets get` for access policies, `*` for the site itself.
    pub fn action(&self) -> &str {
        &self.action
    }

    pub fn because(&self) -> &Reason {
        &self.because
    }

    /// Whether the proof speaks for `scope` or something above it; rows are checked against it.
    pub fn covers(&self, scope: &Scope) -> bool {
        self.scope.contains(scope)
    }
}

/// Why something is allowed, for the audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A role assignment, of the caller or of one of its groups.
    Assignment { id: AssignmentId, holder: ObjectId, role: Arc<str>, condition: Option<Arc<str>> },
    /// An entry of the vault's access policies.
    AccessPolicy { holder: ObjectId, application: Option<ClientId>, kind: ObjectKind, permission: String },
    /// A machine at its own resource.
    OwnMachine(ObjectId),
    /// Whoever holds a storage account's key, by itself or by what was signed with it.
    AccountKey { key: &'static str, by: &'static str },
    /// An administrator of the directory.
    DirectoryAdministrator(ObjectId),
    /// An owner of the directory object.
    DirectoryOwner(ObjectId),
    /// The product itself.
    Site(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assignment { id, holder, role, condition } => {
                let under = if condition.is_some() { " under its condition" } else { "" };
                write!(f, "assignment {id} of '{role}' to {holder}{under}")
            }
            Self::AccessPolicy { holder, kind, permission, .. } => {
                write!(f, "access policy of {holder}: {kind} {permission}")
            }
            Self::OwnMachine(object) => write!(f, "own resource of machine {object}"),
            Self::AccountKey { key, by } => write!(f, "{key} of the account, by {by}"),
            Self::DirectoryAdministrator(object) => write!(f, "administrator of the directory {object}"),
            Self::DirectoryOwner(object) => write!(f, "owner of the object {object}"),
            Self::Site(reason) => write!(f, "the site: {reason}"),
        }
    }
}

/// Somebody was refused one action at one scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{action}' at '{scope}' is not allowed: {why}")]
pub struct Denied {
    pub action: String,
    pub scope: Scope,
    pub why: WhyDenied,
}

/// Why something is refused, for the audit record and the console; callers are told less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyDenied {
    #[error("no assignment grants it")]
    NoAssignment,
    /// At least this assignment would have granted it, had its condition held.
    #[error("the condition of assignment {0} does not hold")]
    ConditionFalse(AssignmentId),
    #[error("deny assignment {0} forbids it")]
    DenyAssignment(AssignmentId),
    #[error("no access policy grants it")]
    NoAccessPolicy,
    #[error("the resource belongs to another machine")]
    NotOwnMachine,
    #[error("neither an administrator of the directory nor an owner of the object")]
    NotOfTheDirectory,
}
