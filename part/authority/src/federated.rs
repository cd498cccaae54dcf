//! Federated assertions: tokens of other issuers that stand for an application or identity (sts.md 3.4).

use cs_ids::{ClientId, ObjectId, TenantId};
use cs_jose::Jws;
use cs_store::{AuditOutcome, FederatedCredential, Principal};
use cs_time::Timestamp;
use serde_json::Value;

use crate::{
    Authority, AuthorityError, Standing, TokenRequest,
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
        let verifies = match self.own_tenant(issuer) {
            Some(tenant) => self.is_own(tenant, jws, (issuer, subject), now)?,
            None => self.is_of(&trusted.issuer, jws, now).await?,
        };
        if verifies {
            return Ok(principal);
        }
        let because = format!("token of {issuer} not signed by a key of it");
        self.record(&principal, request.correlation, AuditOutcome::Denied, because);
        Err(AuthorityError::AssertionSignature(thumbprint_shown(jws)))
    }

    /// Whether a token is signed by a key of another issuer.
    async fn is_of(&self, issuer: &str, jws: &Jws<'_>, now: Timestamp) -> Result<bool, AuthorityError> {
        let kid = jws.header.kid.as_deref();
        match self.foreign.key(issuer, kid, &*self.parts.documents, now).await {
            Ok(key) => Ok(jws.verifies(&key)),
            Err(NoKey::Unknown) => Ok(false),
            Err(NoKey::Unavailable) => Err(AuthorityError::IssuerUnavailable(shown(issuer))),
        }
    }

    /// The tenant of this site that an issuer is of.
    fn own_tenant(&self, issuer: &str) -> Option<TenantId> {
        self.tenants.iter().map(|t| t.id).find(|tenant| self.issuers.accept(issuer, *tenant))
    }

    /// Whether a token is this site's own: its keys are known without asking over the network, and unlike another
    /// issuer's tokens it ends when whoever it was issued to is disabled or gone.
    fn is_own(
        &self,
        tenant: TenantId,
        jws: &Jws<'_>,
        (issuer, subject): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, AuthorityError> {
        let key = jws.header.kid.as_deref().and_then(|kid| self.keyring.public(kid, now));
        let signed = key.is_some_and(|(of, key)| of == tenant && jws.verifies(&key));
        if jws.header.alg != "RS256" || !signed {
            return Ok(false);
        }
        let object: ObjectId =
            subject.parse().map_err(|_| AuthorityError::MalformedAssertion("its subject is nobody here"))?;
        match self.parts.live.standing(tenant, object) {
            Standing::Good => Ok(true),
            Standing::Gone => Err(AuthorityError::Disabled(shown(subject))),
            Standing::Unconfirmed => Err(AuthorityError::IssuerUnavailable(shown(issuer))),
        }
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
