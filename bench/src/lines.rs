//! The registry of lines.

mod agent;
mod askers;
mod az;
mod blobs;
mod databases;
mod decide;
mod fleet;
mod idle_sessions;
mod metadata;
mod resources;
mod rest;
mod secrets;
mod token;

use crate::line::Line;

/// Every line, in the order in which all of them run. One file a subject beside this one.
pub static ALL: &[&dyn Line] = &[
    &token::Token,
    &metadata::CHALLENGES[0],
    &metadata::CHALLENGES[1],
    &metadata::CHALLENGES[2],
    &metadata::CHALLENGES[3],
    &metadata::CHALLENGES[4],
    &metadata::Slowest,
    &metadata::Instance,
    &secrets::Get,
    &secrets::Set,
    &blobs::ALL[0],
    &blobs::ALL[1],
    &blobs::ALL[2],
    &blobs::ALL[3],
    &blobs::ALL[4],
    &blobs::ALL[5],
    &blobs::ALL[6],
    &blobs::ALL[7],
    &resources::Get,
    &resources::Page,
    &resources::Tag,
    &resources::Enrol,
    &az::GroupShow,
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
    &agent::Ready,
    &agent::WakeUps,
    &agent::Size,
    &askers::Askers,
    &fleet::Fleet,
];
