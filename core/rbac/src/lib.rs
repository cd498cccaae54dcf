//! Who may do what where, decided by pure functions over plain data.
//!
//! An [`Operation`] says who asks. [`decide`] answers for roles, deny assignments and conditions over a
//! [`Snapshot`] of one tenant; [`decide_policy`] answers for a vault's access policies; [`decide_own_machine`]
//! lets a machine touch its own resource. Each answers with [`Allowed`], a proof that the row-reading calls ask
//! for, or [`Denied`] with the reason. Nothing here does I/O or reads a clock, and whatever cannot be understood
//! (a condition that no longer parses, an unknown role, a missing attribute) grants nothing.

mod ancestry;
mod builtin;
mod catalogue;
pub mod condition;
mod context;
mod decide;
mod directory;
mod grants;
mod hash;
mod ids;
mod own;
mod pattern;
mod policy;
mod proof;
mod roles;
mod snapshot;

pub use builtin::{builtin_role, builtin_role_named, builtin_roles};
pub use catalogue::SERVED_OPERATIONS;
pub use condition::{Attributes, BadCondition, Condition, NO_ATTRIBUTES, Source, Value};
pub use context::{Caller, Operation};
pub use decide::{Ask, Kind, Subject, decide};
pub use directory::{DirectoryRights, decide_directory};
pub use ids::{AssignmentId, RoleId};
pub use own::decide_own_machine;
pub use pattern::{BadPattern, Pattern};
pub use policy::{ObjectKind, PolicyAsk, PolicyEntry, decide_policy, known_permissions};
pub use proof::{Allowed, Denied, Reason, WhyDenied};
pub use roles::{BadRole, Permission, PermissionText, RoleDefinition, RoleKind};
pub use snapshot::{Assignment, DenyAssignment, HeldRole, Snapshot};
