//! The registry of lines.

mod blobs;
mod databases;
mod decide;
mod idle_sessions;
mod metadata;
mod rest;
mod secrets;
mod token;

use crate::line::Line;

/// Every line, in the order in which all of them run. One file a subject beside this one.
pub const ALL: &[&dyn Line] = &[
    &token::Token,
    &metadata::Challenge,
    &metadata::Instance,
    &secrets::Get,
    &secrets::Set,
    &blobs::PUT_SMALL,
    &blobs::GET_SMALL,
    &blobs::PUT_LARGE,
    &blobs::GET_LARGE,
    &decide::Decide,
    &databases::Select,
    &databases::Pooler,
    &databases::Latency,
    &databases::Logins,
    &databases::Copy,
    &idle_sessions::IdleSessions,
    &rest::Ready,
    &rest::SiteMemory,
    &rest::AgentMemory,
];
