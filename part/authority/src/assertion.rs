//! Signed assertions (private_key_jwt, sts.md 3.3), read as clients send them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest;
use cs_ids::ClientId;
use cs_jose::{Jwk, Jws, NumericDate, PublicKey, decode_any};
use cs_names::Address;
use cs_store::{Credential, CredentialKind, Principal};
use cs_time::Timestamp;
use serde_json::Value;

use crate::{Authority, AuthorityError, TenantName, TokenRequest};

/// The clocks of clients may be ahead by this much, in seconds.
const SKEW_SECONDS: i64 = 300;
/// No assertion is taken that ends later than this from now, in seconds (B08).
const APPLICATION_LIFE_MAX_SECONDS: i64 = 24 * 3600;
/// A machine's own assertions are one-time and live at most this long from their `iat`, in seconds (B11).
const MACHINE_LIFE_MAX_SECONDS: i64 = 300;
/// One-time assertions remembered at once: some thousand a second for five minutes.
const REMEMBERED_MAX: usize = 1_000_000;
/// Longer ids than any client's are refused, so that what is remembered stays small.
const JTI_MAX_BYTES: usize = 64;

/// Assertions come over HTTP, where no signed text is longer (sts.md 8).
const ASSERTION_MAX_BYTES: usize = 16 * 1024;

/// Splits an assertion.
pub(crate) fn split(text: &str) -> Result<Jws<'_>, AuthorityError> {
    if text.len() > ASSERTION_MAX_BYTES {
        return Err(AuthorityError::MalformedAssertion("too long"));
    }
    Jws::split(text).map_err(|bad| AuthorityError::MalformedAssertion(bad.0))
}

impl Authority {
    pub(crate) async fn by_assertion(
        &self,
        request: &TokenRequest<'_>,
        text: &str,
    ) -> Result<Principal, AuthorityError> {
        let jws = split(text)?;
        let claim = |name: &str| jws.claims.get(name).and_then(Value::as_str);
        let issuer = claim("iss").ok_or(AuthorityError::MalformedAssertion("no issuer"))?;
        let subject = claim("sub").ok_or(AuthorityError::MalformedAssertion("no subject"))?;
        let Ok(client) = issuer.parse::<ClientId>() else {
            return self.by_federation(request, &jws, (issuer, subject)).await;
        };
        if !issuer.eq_ignore_ascii_case(subject) {
            return Err(AuthorityError::SubjectIsNotIssuer);
        }
        if request.client.is_some_and(|sent| !sent.eq_ignore_ascii_case(issuer)) {
            return Err(AuthorityError::AssertionOfAnother(client.to_string()));
        }
        let principal = self.standing_principal(request.tenant, client).await?;
        let credentials = self.parts.directory.credentials(request.tenant.id, client).await?;
        let now = self.parts.clock.now();
        let fits = |c: &&Credential| c.not_before <= now && now < c.expires && names(&jws, c);
        let found = credentials.iter().find(fits).and_then(|c| Some((c, key_of(c)?)));
        let Some((credential, _)) = found.filter(|(_, key)| jws.verifies(key)) else {
            return Err(self
                .not_its_key(request.tenant, (&principal, client), &jws, request.correlation)
                .await);
        };
        let tenant = request.tenant.id.to_string();
        // The issuer's own name counts with the id only, not with a domain or a word.
        let is_ours = |rest: &str, name: &str| {
            matches!(rest, "/oauth2/v2.0/token" | "/oauth2/token") || rest == "/v2.0" && name == tenant
        };
        self.audience_is_ours((request.tenant, request.address), &jws, is_ours)?;
        self.in_time(&jws, credential, client)?;
        Ok(principal)
    }

    /// One of our own addresses in the documented spellings of its tenant, as one string (B09). `is_ours` sees what
    /// follows the tenant, and how that is written.
    pub(crate) fn audience_is_ours(
        &self,
        (tenant, address): (&TenantName, &Address),
        jws: &Jws<'_>,
        is_ours: impl Fn(&str, &str) -> bool,
    ) -> Result<(), AuthorityError> {
        let aud = jws.claims.get("aud").and_then(Value::as_str).ok_or(AuthorityError::AssertionAudience)?;
        let login = address.login();
        let (host, path) =
            aud.get(..login.len()).zip(aud.get(login.len()..)).ok_or(AuthorityError::AssertionAudience)?;
        let names =
            self.tenants.iter().find(|t| t.id == tenant.id).map(|t| [t.id.to_string(), t.domain.clone()]);
        let mut names: Vec<String> = names.map(Vec::from).unwrap_or_default();
        if tenant.by_word {
            names.push(tenant.written.clone());
        }
        let ours = names.iter().any(|t| {
            let rest = path
                .strip_prefix('/')
                .and_then(|p| p.get(..t.len()).filter(|n| n.eq_ignore_ascii_case(t)).map(|_| &p[t.len()..]));
            rest.is_some_and(|rest| is_ours(rest, t))
        });
        if host.eq_ignore_ascii_case(&login) && ours {
            Ok(())
        } else {
            Err(AuthorityError::AssertionAudience)
        }
    }

    pub(crate) fn in_time(
        &self,
        jws: &Jws<'_>,
        credential: &Credential,
        client: ClientId,
    ) -> Result<(), AuthorityError> {
        let dates = Dates::read(jws, self.parts.clock.now())?;
        let (now, exp, iat) = (self.parts.clock.now().seconds(), dates.exp, dates.iat);
        let one_time = credential.kind == CredentialKind::Key;
        // A machine's clock may be ahead, so its life is counted from its own `iat`, which was just bounded.
        let latest = match (one_time, iat) {
            (true, Some(iat)) => iat + MACHINE_LIFE_MAX_SECONDS,
            (true, None) => now + MACHINE_LIFE_MAX_SECONDS,
            (false, _) => now + APPLICATION_LIFE_MAX_SECONDS,
        };
        if exp > latest {
            return Err(AuthorityError::AssertionTime("it lives too long"));
        }
        if !one_time {
            // Clients reuse theirs: MSAL Python for nine minutes, Node until expiry.
            return Ok(());
        }
        let jti = jws
            .claims
            .get("jti")
            .and_then(Value::as_str)
            .filter(|j| !j.is_empty() && j.len() <= JTI_MAX_BYTES);
        let jti = jti.ok_or(AuthorityError::MalformedAssertion("no usable jti"))?;
        if self.used.first_time(client, jti, exp, now) {
            Ok(())
        } else {
            Err(AuthorityError::AssertionReplayed)
        }
    }
}

/// When a token is good, read and held against the clock.
pub(crate) struct Dates {
    exp: i64,
    iat: Option<i64>,
}

impl Dates {
    pub(crate) fn read(jws: &Jws<'_>, now: Timestamp) -> Result<Self, AuthorityError> {
        let now = now.seconds();
        let date = |name: &str| match jws.claims.get(name) {
            None => Ok(None),
            Some(value) => NumericDate::read(value)
                .map(|d| Some(d.0))
                .ok_or(AuthorityError::AssertionTime("a time is not a number")),
        };
        let exp = date("exp")?.ok_or(AuthorityError::AssertionTime("no expiry"))?;
        if exp <= now {
            return Err(AuthorityError::AssertionTime("it has expired"));
        }
        let (nbf, iat) = (date("nbf")?, date("iat")?);
        if [nbf, iat].into_iter().flatten().any(|t| t > now + SKEW_SECONDS) {
            return Err(AuthorityError::AssertionTime("it is not valid yet"));
        }
        Ok(Self { exp, iat })
    }

    pub(crate) fn end_within(&self, seconds: i64, now: Timestamp) -> Result<(), AuthorityError> {
        if self.exp > now.seconds() + seconds {
            return Err(AuthorityError::AssertionTime("it lives too long"));
        }
        Ok(())
    }
}

/// Whether the header names this credential.
pub(crate) fn names(jws: &Jws<'_>, credential: &Credential) -> bool {
    let is = |sent: &Option<String>, algorithm| {
        let hash = digest::digest(algorithm, &credential.material);
        sent.as_deref().and_then(decode_any).is_some_and(|sent| sent == hash.as_ref())
    };
    match credential.kind {
        CredentialKind::Secret => false,
        CredentialKind::Key => jws.header.kid.as_deref() == Some(credential.lookup.as_str()),
        CredentialKind::Certificate => {
            is(&jws.header.x5t_s256, &digest::SHA256)
                || is(&jws.header.x5t, &digest::SHA1_FOR_LEGACY_USE_ONLY)
        }
    }
}

pub(crate) fn key_of(credential: &Credential) -> Option<PublicKey> {
    match credential.kind {
        CredentialKind::Secret => None,
        CredentialKind::Key => serde_json::from_slice::<Jwk>(&credential.material).ok()?.public_key(),
        CredentialKind::Certificate => {
            let (_, certificate) = x509_parser::parse_x509_certificate(&credential.material).ok()?;
            match certificate.public_key().parsed().ok()? {
                x509_parser::public_key::PublicKey::RSA(key) => PublicKey::rsa(key.modulus, key.exponent),
                _ => None,
            }
        }
    }
}

pub(crate) fn thumbprint_shown(jws: &Jws<'_>) -> String {
    let named = jws.header.x5t_s256.as_ref().or(jws.header.x5t.as_ref()).or(jws.header.kid.as_ref());
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '+' | '/');
    named.map_or_else(|| "none named".to_owned(), |n| n.chars().filter(fit).take(64).collect())
}

/// One-time assertions, until they run out.
#[derive(Default)]
pub(crate) struct UsedAssertions(Mutex<HashMap<(ClientId, String), i64>>);

impl UsedAssertions {
    /// `false` when this id was used before, or when there is no room to remember it.
    fn first_time(&self, client: ClientId, jti: &str, exp: i64, now: i64) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= REMEMBERED_MAX || used.len() == used.capacity() {
            // Before it grows: most of what is there has run out.
            used.retain(|_, until| *until > now);
        }
        if used.len() >= REMEMBERED_MAX {
            return false;
        }
        used.insert((client, jti.to_owned()), exp).is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_our_own_assertions_count_once() {
        let used = UsedAssertions::default();
        let client = ClientId::new(uuid::Uuid::from_u128(1));
        assert!(used.first_time(client, "a", 100, 0));
        assert!(!used.first_time(client, "a", 100, 50));
        assert!(used.first_time(client, "b", 100, 50));
        assert!(used.first_time(ClientId::new(uuid::Uuid::from_u128(2)), "a", 100, 50));
    }
}
