//! Federated assertions: tokens of other issuers that stand for an application or identity (sts.md 3.4).

use cs_ids::ClientId;
use cs_jose::Jws;
use cs_store::{AuditOutcome, FederatedCredential, Principal};
use serde_json::Value;

use crate::{
    Authority, AuthorityError, TokenRequest,
    assertion::{Dates, thumbprint_shown},
    foreign::NoKey,
};

/// No token is taken that ends later than this from now, in seconds (B08).
const LIFE_MAX_SECONDS: i64 = 24 * 3600;
/// What messages repeat of a claim, in characters.
const SHOWN_CHARS: usize = 128;

impl Authority {
    /// Whoever the request names, if one of its federated credentials is about this token. Everything is compared byte
    /// for byte; which part differs is told, since nobody can guess a subject into being trusted.
    pub(crate) async fn by_federation(
        &self,
        request: &TokenRequest<'_>,
        jws: &Jws<'_>,
        (issuer, subject): (&str, &str),
    ) -> Result<Principal, AuthorityError> {
        let client = request.client.ok_or(AuthorityError::MissingClient)?;
        let client: ClientId = client.parse().map_err(|_| AuthorityError::MalformedClient)?;
        let principal = self.principal(request.tenant.id, client).await?;
        let all = self.parts.federated.federated(request.tenant.id, client).await?;
        let trusted = matching(&all, jws, issuer, subject)?;
        let now = self.parts.clock.now();
        Dates::read(jws, now)?.end_within(LIFE_MAX_SECONDS, now)?;
        let kid = jws.header.kid.as_deref();
        let key = self.foreign.key(&trusted.issuer, kid, &*self.parts.documents, now).await;
        let key = match key {
            Ok(key) => Some(key),
            Err(NoKey::Unknown) => None,
            Err(NoKey::Unavailable) => {
                return Err(AuthorityError::IssuerUnavailable(shown(issuer)));
            }
        };
        if key.is_some_and(|key| jws.verifies(&key)) {
            return Ok(principal);
        }
        let because = format!("token of {issuer} not signed by a key of it");
        self.record(&principal, request.correlation, AuditOutcome::Denied, because);
        Err(AuthorityError::AssertionSignature(thumbprint_shown(jws)))
    }
}

/// The credential a token fits, or what it differs in.
fn matching<'f>(
    all: &'f [FederatedCredential],
    jws: &Jws<'_>,
    issuer: &str,
    subject: &str,
) -> Result<&'f FederatedCredential, AuthorityError> {
    let of_issuer: Vec<_> = all.iter().filter(|f| f.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return Err(AuthorityError::NoFederatedCredential { issuer: shown(issuer) });
    }
    let Some(found) = of_issuer.iter().find(|f| f.subject == subject) else {
        let close = of_issuer.iter().any(|f| f.subject.eq_ignore_ascii_case(subject));
        let (issuer, subject) = (shown(issuer), shown(subject));
        return Err(match close {
            true => AuthorityError::FederatedCase { issuer, subject },
            false => AuthorityError::FederatedSubject { issuer, subject },
        });
    };
    // Kubernetes writes a list; more than one audience could be meant for somebody else as well.
    let audience = match jws.claims.get("aud") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(all)) if all.len() == 1 => all[0].as_str(),
        _ => None,
    };
    match audience.filter(|a| found.audiences.iter().any(|f| f == a)) {
        Some(_) => Ok(found),
        None => Err(AuthorityError::FederatedAudience(shown(audience.unwrap_or("none or several")))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
