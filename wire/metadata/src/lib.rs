//! Documents of the machine's metadata services (metadata.md): header names, replies, errors.

mod attested;
mod reply;

pub use attested::{attested_document, is_nonce};
pub use reply::{
    AppServiceError, AppServiceReply, AttestedReply, CloudShellError, CodedError, ErrorReply, PlainError,
    TokenReply, VersionError,
};

/// `Metadata: true`: proof that no browser or proxy asks.
pub const METADATA: &str = "metadata";

/// `X-IDENTITY-HEADER`: the secret of the App Service source.
pub const IDENTITY_HEADER: &str = "x-identity-header";

/// `secret`: the same in the protocol of 2017 (`MSI_ENDPOINT`, `MSI_SECRET`), which older clients and Azure ML's speak.
pub const OLDER_IDENTITY_HEADER: &str = "secret";
