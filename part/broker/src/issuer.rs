//! The seam to whoever signs tokens: the site over HTTP, the site in this process, or the public cloud.

use async_trait::async_trait;
use cs_ids::{ClientId, CorrelationId, ObjectId};

/// An identity of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub client: ClientId,
    pub object: ObjectId,
    /// Resource id of the machine (system-assigned) or of the user-assigned identity.
    pub resource: String,
    pub system_assigned: bool,
}

impl Identity {
    /// Whether this is its client id, object id or resource id; one without a resource is called by none.
    pub fn is_called(&self, id: &str) -> bool {
        id.eq_ignore_ascii_case(&self.client.to_string())
            || id.eq_ignore_ascii_case(&self.object.to_string())
            || !self.resource.is_empty() && id.eq_ignore_ascii_case(&self.resource)
    }
}

/// A token as the broker keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub access_token: String,
    /// Seconds since 1970.
    pub expires_on: i64,
    pub not_before: i64,
    pub client: ClientId,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(of {}, until {})", self.client, self.expires_on)
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The site refuses this request, e.g. an unknown resource; asking again will not help.
    #[error("{text}")]
    Refused { code: String, text: String },
    /// The site no longer knows this machine: whatever is cached must go (C06).
    #[error("{0}")]
    Revoked(String),
    /// The site or the way to it is down; a cached token may still serve.
    #[error("the site cannot be reached: {0}")]
    Unreachable(String),
}

#[async_trait]
pub trait TokenIssuer: Send + Sync {
    /// A fresh token for a resource, `resource` byte for byte as the program named it. `correlation` is of the request
    /// that it is for, and goes on to the site's audit log.
    async fn issue(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Token, IssueError>;
}
