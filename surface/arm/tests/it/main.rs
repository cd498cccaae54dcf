//! Whole requests to the resource manager, over a real store, with a clock that moves when told to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

mod activity;
mod attacks;
mod authority;
mod docs;
mod doors;
mod enrolment;
mod extensions;
mod gateways;
mod graph;
mod identities;
mod inputs;
mod lab;
mod paging;
mod roles;
mod rules;
mod secrets;
mod server_certificates;
mod servers;
mod shapes;
mod signatures;
mod texts;
mod world;
mod writers;
