//! The gateway from outside: raw bytes at its door, and a small PostgreSQL of our own behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

mod attacks;
mod backend;
mod client;
mod endings;
mod opening;
mod sessions;
mod world;
