//! What a resource asks of the authority: is this token good, and who is it?

use cs_rbac::Caller;

/// The audiences a resource goes by (sts.md 8): compared with trailing slashes removed and the host without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences(pub Vec<String>);

impl Audiences {
    /// Whether a token's `aud` names this resource.
    pub fn contain(&self, aud: &str) -> bool {
        fn bare(s: &str) -> &str {
            s.strip_suffix('/').unwrap_or(s)
        }
        self.0.iter().any(|a| bare(a).eq_ignore_ascii_case(bare(aud)))
    }
}

/// Why a token is refused. Each surface has its own words and challenge for these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    #[error("not a token of this site")]
    Malformed,
    #[error("the signature does not verify")]
    Signature,
    #[error("the token ran out at {0}")]
    Expired(cs_time::Timestamp),
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is for {found}")]
    Audience { found: String },
    #[error("the token was issued by {found}")]
    Issuer { found: String },
    /// The principal is disabled or deleted, or its session was revoked.
    #[error("the principal is disabled or gone")]
    Principal,
    /// The site cannot confirm that the principal is still good (503).
    #[error("the directory cannot be asked")]
    Unconfirmed,
}

/// Verifies tokens offline, against the keys and the live directory of this site. Cheap to call on every request.
pub trait TokenCheck: Send + Sync {
    /// # Errors
    /// [`TokenRefusal`], decided in this order: form, signature, issuer, lifetime, audience, principal.
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal>;
}
