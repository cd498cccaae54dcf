//! The audit log, as those who must write to it see it.
//!
//! Writes of a store commit their own record ([`AuditRecord`] is an argument of each). What is left comes here:
//!
//! * [`Audit::record`] returns when the record is durable: refusals, and reads whose answer may only leave after its
//!   record (secrets, keys).
//! * [`Audit::soon`] returns at once: sign-ins and plain reads, written in groups by [`Audit::run`] at most
//!   [`GROUP_AT_MOST`] later. That much a crash may lose, and no more.
//!
//! [`Audit::flush`] writes what waits; call it last when shutting down.

mod queue;

pub use cs_store::{AuditOutcome, AuditRecord};
pub use queue::{Audit, AuditError, GROUP_AT_MOST};
