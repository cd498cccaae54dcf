//! Whole requests to the directory, over a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

mod applications;
mod batch;
mod docs;
mod doors;
mod inputs;
mod keys;
mod people;
mod world;
