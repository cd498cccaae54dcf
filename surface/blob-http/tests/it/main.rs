//! Whole requests to an account, over a real store and real files, with a clock that moves when told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod attacks;
mod blobs;
mod copies;
mod edges;
mod keys;
mod leases;
mod notes;
mod signatures;
mod spelling;
mod world;
