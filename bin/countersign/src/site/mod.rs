//! The embedded site: where it keeps things, how its parts are put together, what it listens on.

pub mod data;
pub mod keys;
pub mod ready;
pub mod seed;
