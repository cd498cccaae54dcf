//! What the agent reads: documents that people write for it, what vaults hand it, what it kept of itself, and what it must
//! not repeat. Pure functions over text; files, sockets and users are the program's (`bin/csagent`).

pub mod bundle;
pub mod certificates;
pub mod flags;
pub mod redact;
pub mod registration;
pub mod settings;
pub mod sources;
pub mod words;
