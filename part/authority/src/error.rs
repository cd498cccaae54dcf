//! Why there is no token.

use cs_store::StoreError;

/// Every way a token request fails; the surface gives each its AADSTS code (sts.md 4.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    #[error("tenant '{0}' is neither an id nor a domain name")]
    MalformedTenant(String),
    #[error("tenant '{0}' is not known here")]
    UnknownTenant(String),
    #[error("the client id is not a GUID")]
    MalformedClient,
    #[error("application '{0}' is not in the directory")]
    UnknownClient(String),
    #[error("application '{0}' is disabled")]
    Disabled(String),
    /// Two agents use one machine's key: a human must say which of them is the machine (C04).
    #[error("machine identity '{client}' is quarantined: {why}")]
    Quarantined { client: String, why: String },
    #[error("the secret of application '{0}' is wrong")]
    WrongSecret(String),
    #[error("the secret of application '{0}' has run out")]
    ExpiredSecret(String),
    #[error("the assertion cannot be read: {0}")]
    MalformedAssertion(&'static str),
    #[error("the assertion's issuer and subject differ")]
    SubjectIsNotIssuer,
    #[error("the assertion is not of application '{0}'")]
    AssertionOfAnother(String),
    #[error("no federated credential matches issuer '{issuer}'")]
    NoFederatedCredential { issuer: String },
    #[error("no federated credential of issuer '{issuer}' matches subject '{subject}'")]
    FederatedSubject { issuer: String, subject: String },
    #[error("the subject '{subject}' of issuer '{issuer}' differs in case")]
    FederatedCase { issuer: String, subject: String },
    #[error("the federated credential is for another audience than '{0}'")]
    FederatedAudience(String),
    #[error("the keys of issuer '{0}' cannot be read")]
    IssuerUnavailable(String),
    #[error("identity '{0}' is not attached to the machine")]
    NotAttached(String),
    #[error("the client id is missing")]
    MissingClient,
    #[error("the assertion is signed by no key of the application ({0})")]
    AssertionSignature(String),
    #[error("the assertion is for another audience")]
    AssertionAudience,
    #[error("the assertion is outside its validity: {0}")]
    AssertionTime(&'static str),
    #[error("the assertion was used before")]
    AssertionReplayed,
    #[error("the scope is missing")]
    ScopeMissing,
    #[error("scope '{0}' does not end in /.default")]
    ScopeNotDefault(String),
    #[error("more than one resource is asked for")]
    SeveralResources,
    #[error("resource '{0}' is not known in the tenant")]
    UnknownResource(String),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("signing failed")]
    Signing,
}
