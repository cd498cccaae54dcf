//! The token service as clients and attackers meet it: whole requests, a real store, a clock that stands still.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

mod assertions;
mod attested;
mod checks;
mod counting;
mod discovery;
mod doors;
mod exchange;
mod federated;
mod forms;
mod issuers;
mod keys;
mod machine;
mod secrets;
mod seeds;
mod signed;
mod world;
