//! Whole requests to both services, with a clock that moves when told to. Attacks bear their ids.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod attacks;
mod callers;
mod crowd;
mod documents;
mod siblings;
mod world;
