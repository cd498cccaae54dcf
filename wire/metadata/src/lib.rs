//! Documents of the machine's metadata services (metadata.md): header names, replies, errors.

mod reply;

pub use reply::{AttestedReply, ErrorReply, PlainError, TokenReply, VersionError};

/// `Metadata: true`: proof that no browser or proxy asks.
pub const METADATA: &str = "metadata";
