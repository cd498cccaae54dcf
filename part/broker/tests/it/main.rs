//! The broker and the desk, with a clock that moves when told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod broker;
mod desk;
