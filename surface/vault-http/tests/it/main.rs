//! Whole requests to a vault, over a real store, with a clock that moves when told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod attacks;
mod secrets;
mod world;
