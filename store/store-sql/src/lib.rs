//! The repositories of `cs-store` on SQLite and PostgreSQL, from one source of SQL.
//!
//! A repository method hands [`SqlStore::write`] or [`SqlStore::read`] a closure over a [`Conn`]. The closure is
//! written once; only `engine/` knows which database runs it:
//!
//! * SQLite: writes go to one thread, which runs whatever waits inside one transaction (each in a savepoint of its
//!   own), syncs once and then answers all of them: **group commit**. Reads run at once on one of a few readers.
//! * PostgreSQL: each write is a `SERIALIZABLE` transaction, repeated a bounded number of times when the server
//!   says that two collided. That is why a write's closure may run more than once.
//!
//! SQL uses `$1`, `$2` … for parameters, `BIGINT`, `TEXT` and `{bytes}` for columns, and `{binary}` where text must
//! sort by its bytes; `engine/dialect.rs` spells these for each engine.

mod engine;
mod migrations;
mod repo;
mod value;

pub(crate) use engine::Changed;
pub use engine::{Conn, SqlStore, check_sqlite, copy_sqlite};
pub use value::{Row, Value};
