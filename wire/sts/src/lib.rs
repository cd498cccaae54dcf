//! Documents of the token service, field for field (sts.md 2 and 4).
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>

mod discovery;
mod reply;

pub use discovery::{Configuration, Instance, InstanceMetadata, Key, Keys};
pub use reply::{ErrorReply, TokenReplyV1, TokenReplyV2};
