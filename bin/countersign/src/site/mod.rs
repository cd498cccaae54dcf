//! The embedded site: where it keeps things, how its parts are put together, what it listens on.

pub mod compose;
pub mod data;
pub mod databases;
mod joints;
pub mod keys;
pub mod lent;
pub mod listen;
pub mod live;
pub mod machine;
mod notary;
pub mod open;
pub mod ready;
pub mod seed;
pub mod start;
pub mod trust;
