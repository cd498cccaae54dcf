//! What a machine says of itself, signed by its key: that it is alive, and which key comes next (C04).
//!
//! A bearer token of the machine is not enough for either: every program that may ask the agent can have one. Both
//! statements are assertions for an address of their own, so that none of them is a token request or the other.

use cs_ids::{ClientId, CorrelationId};
use cs_jose::{Jwk, Jws, NumericDate};
use cs_names::Address;
use cs_store::{
    AuditOutcome, AuditRecord, Beat, Beaten, Credential, CredentialHolder, CredentialKind, Principal,
    StoreError,
};
use cs_time::Timestamp;
use serde_json::Value;

use crate::{
    Authority, AuthorityError, TenantName,
    assertion::{Dates, key_of, names, split},
};

/// What follows the tenant in the address of each.
pub const HEARTBEAT: &str = "/machine/heartbeat";
pub const NEXT_KEY: &str = "/machine/key";
/// Statements live at most this long, in seconds.
const LIFE_SECONDS: i64 = 300;
/// What was signed with a replaced key after this many seconds was not under way when it was replaced: an agent sends
/// nothing with the old key once it has used the new one.
const COPY_AFTER_SECONDS: i64 = 120;
const NONCE_MAX_BYTES: usize = 64;
/// A machine's key does not run out by itself.
const NEVER: Timestamp = Timestamp::from_seconds(253_402_300_799);
const ROTATE: &str = "Microsoft.HybridCompute/machines/rotateKey/action";
const QUARANTINE: &str = "Microsoft.HybridCompute/machines/quarantine/action";

/// A signed statement on its way in.
pub struct Statement<'r> {
    pub tenant: &'r TenantName,
    pub text: &'r str,
    pub address: &'r Address,
    pub correlation: CorrelationId,
}

/// A statement whose signature and time are good, and who made it.
pub(crate) struct Proven<'r> {
    pub jws: Jws<'r>,
    pub principal: Principal,
    client: ClientId,
    key: String,
}

impl Authority {
    /// Takes a machine's sign of life; answers the generation of its key.
    ///
    /// # Errors
    /// [`AuthorityError::Quarantined`] when two agents are seen to use one key, or were before; as for any assertion.
    pub async fn heartbeat(&self, statement: &Statement<'_>) -> Result<i64, AuthorityError> {
        let proven = self.proven(statement, HEARTBEAT).await?;
        let claims = &proven.jws.claims;
        let counter = claims.get("counter").and_then(Value::as_i64).filter(|n| *n > 0);
        let nonce = claims.get("nonce").and_then(Value::as_str).filter(|n| is_word(n));
        let bad = AuthorityError::MalformedAssertion("no counter and nonce of a heartbeat");
        let (counter, nonce) = counter.zip(nonce).ok_or(bad)?;
        let now = self.parts.clock.now();
        let beat = Beat { key: proven.key.clone(), counter, nonce: nonce.to_owned(), at: now };
        let what = |action, outcome, because| {
            self.about(&proven.principal, statement.correlation, action, outcome, because)
        };
        let rotated = what(ROTATE, AuditOutcome::Done, format!("key {} took over", proven.key));
        let forked = what(
            QUARANTINE,
            AuditOutcome::Done,
            format!("two agents use key {}: beat {counter} came with two nonces or late", proven.key),
        );
        let (tenant, client) = (statement.tenant.id, proven.client);
        match self.parts.machine_keys.beat(tenant, client, beat, rotated, forked).await? {
            Beaten::Accepted { generation } => Ok(generation),
            Beaten::Forked { generation } => {
                tracing::error!(%client, generation, "two agents use one machine key: quarantined");
                let why = format!("two agents use generation {generation} of its key");
                Err(AuthorityError::Quarantined { client: client.to_string(), why })
            }
            Beaten::Quarantined { why } => {
                Err(AuthorityError::Quarantined { client: client.to_string(), why })
            }
        }
    }

    /// Takes the key a machine will use next, vouched for by the one it has, and proven by itself. Both are good until
    /// the new one has signed a heartbeat.
    ///
    /// # Errors
    /// As [`Authority::heartbeat`].
    pub async fn offer_key(&self, statement: &Statement<'_>) -> Result<String, AuthorityError> {
        let proven = self.proven(statement, NEXT_KEY).await?;
        let claim = |name: &str| proven.jws.claims.get(name);
        let jwk = claim("key").and_then(|k| serde_json::from_value::<Jwk>(k.clone()).ok());
        let jwk = jwk.filter(|k| k.kty == "EC").ok_or(AuthorityError::MalformedAssertion("no next key"))?;
        let public = jwk.public_key().ok_or(AuthorityError::MalformedAssertion("no usable next key"))?;
        let proof = claim("proof").and_then(Value::as_str).unwrap_or_default();
        let proof = split(proof)?;
        // The holder of the new key names whose it shall be, so that nobody gets another's key registered.
        let says = proof.claims.get("sub").and_then(Value::as_str) == Some(&proven.client.to_string())
            && proof.claims.get("aud") == proven.jws.claims.get("aud");
        if !says || !proof.verifies(&public) {
            return Err(AuthorityError::MalformedAssertion("the next key does not sign for itself"));
        }
        let now = self.parts.clock.now();
        Dates::read(&proof, now)?.end_within(LIFE_SECONDS, now)?;
        let part = |p: &Option<String>| p.as_deref().and_then(cs_jose::decode_url).unwrap_or_default();
        let jwk = Jwk::p256(&part(&jwk.x), &part(&jwk.y));
        let thumbprint = jwk.thumbprint();
        let credential = Credential {
            tenant: statement.tenant.id,
            client: proven.client,
            id: self.parts.chance.uuid().to_string(),
            holder: CredentialHolder::Principal,
            kind: CredentialKind::Key,
            lookup: thumbprint.clone(),
            material: serde_json::to_vec(&jwk).unwrap_or_default(),
            not_before: now,
            expires: NEVER,
        };
        let because = format!("key {thumbprint} offered, vouched for by {}", proven.key);
        let record =
            self.about(&proven.principal, statement.correlation, ROTATE, AuditOutcome::Done, because);
        match self.parts.machine_keys.offer_key(credential, record).await {
            Ok(()) => Ok(thumbprint),
            Err(StoreError::Conflict(_)) => Err(self.why_disabled(statement.tenant, proven.client).await),
            Err(other) => Err(other.into()),
        }
    }

    pub(crate) async fn proven<'r>(
        &self,
        statement: &Statement<'r>,
        path: &'static str,
    ) -> Result<Proven<'r>, AuthorityError> {
        let jws = split(statement.text)?;
        let claim = |name: &str| jws.claims.get(name).and_then(Value::as_str);
        let issuer = claim("iss").ok_or(AuthorityError::MalformedAssertion("no issuer"))?;
        let client: ClientId = issuer.parse().map_err(|_| AuthorityError::MalformedClient)?;
        if claim("sub") != Some(issuer) {
            return Err(AuthorityError::SubjectIsNotIssuer);
        }
        let (tenant, now) = (statement.tenant, self.parts.clock.now());
        let principal = self.standing_principal(tenant, client).await?;
        let credentials = self.parts.directory.credentials(tenant.id, client).await?;
        let fits = |c: &&Credential| {
            c.kind == CredentialKind::Key && c.not_before <= now && now < c.expires && names(&jws, c)
        };
        let found = credentials.iter().find(fits);
        let Some(found) = found.filter(|c| key_of(c).is_some_and(|key| jws.verifies(&key))) else {
            return Err(self.not_its_key(tenant, (&principal, client), &jws, statement.correlation).await);
        };
        self.audience_is_ours((tenant, statement.address), &jws, |rest, _| rest == path)?;
        self.in_time(&jws, found, client)?;
        let key = found.lookup.clone();
        Ok(Proven { jws, principal, client, key })
    }

    /// The principal, or that it is quarantined where a disabled one is.
    pub(crate) async fn standing_principal(
        &self,
        tenant: &TenantName,
        client: ClientId,
    ) -> Result<Principal, AuthorityError> {
        match self.principal(tenant.id, client).await {
            Err(AuthorityError::Disabled(_)) => Err(self.why_disabled(tenant, client).await),
            other => other,
        }
    }

    async fn why_disabled(&self, tenant: &TenantName, client: ClientId) -> AuthorityError {
        match self.parts.machine_keys.machine_keys(tenant.id, client).await {
            Ok(keys) => match keys.and_then(|k| k.quarantined) {
                Some((_, why)) => AuthorityError::Quarantined { client: client.to_string(), why },
                None => AuthorityError::Disabled(client.to_string()),
            },
            Err(error) => error.into(),
        }
    }

    /// Something is signed by no key of a principal. By one that was replaced it is signed by a copy of the machine
    /// from before, and nobody knows which of the two is the machine.
    pub(crate) async fn not_its_key(
        &self,
        tenant: &TenantName,
        (principal, client): (&Principal, ClientId),
        jws: &Jws<'_>,
        correlation: CorrelationId,
    ) -> AuthorityError {
        let refusal = AuthorityError::AssertionSignature(crate::assertion::thumbprint_shown(jws));
        let because = "assertion not signed by a key of it".to_owned();
        match self.is_of_a_copy(tenant, client, jws).await {
            Ok(None) => {
                self.record(principal, correlation, AuditOutcome::Denied, because);
                refusal
            }
            Ok(Some(key)) => {
                let why = "a key is in use that was replaced before: a copy of the machine runs".to_owned();
                let said = format!("key {key} was used after it was replaced");
                let record = self.about(principal, correlation, QUARANTINE, AuditOutcome::Done, said);
                tracing::error!(%client, "a replaced machine key is in use: quarantined");
                match self.parts.machine_keys.quarantine(tenant.id, client, why.clone(), record).await {
                    Ok(_) => AuthorityError::Quarantined { client: client.to_string(), why },
                    Err(error) => error.into(),
                }
            }
            Err(error) => error.into(),
        }
    }

    async fn is_of_a_copy(
        &self,
        tenant: &TenantName,
        client: ClientId,
        jws: &Jws<'_>,
    ) -> Result<Option<String>, StoreError> {
        let Some(kid) = jws.header.kid.as_deref() else { return Ok(None) };
        let Some(keys) = self.parts.machine_keys.machine_keys(tenant.id, client).await? else {
            return Ok(None);
        };
        let Some(replaced) = keys.replaced.iter().rev().find(|k| k.thumbprint == kid) else {
            return Ok(None);
        };
        let public = serde_json::from_slice::<Jwk>(&replaced.material).ok().and_then(|k| k.public_key());
        let signed = public.is_some_and(|key| jws.verifies(&key));
        let iat = jws.claims.get("iat").and_then(NumericDate::read).map(|d| d.0);
        let after = replaced.at.seconds() + COPY_AFTER_SECONDS;
        let in_time = Dates::read(jws, self.parts.clock.now()).is_ok();
        Ok((signed && in_time && iat.is_some_and(|iat| iat > after)).then(|| kid.to_owned()))
    }

    pub(crate) fn about(
        &self,
        who: &Principal,
        correlation: CorrelationId,
        action: &str,
        outcome: AuditOutcome,
        because: String,
    ) -> AuditRecord {
        AuditRecord {
            tenant: who.tenant,
            time: self.parts.clock.now(),
            correlation,
            caller: Some(who.object),
            client: who.client,
            action: action.to_owned(),
            scope: who.resource.clone().unwrap_or_else(|| "/".to_owned()),
            outcome,
            because,
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= NONCE_MAX_BYTES && text.bytes().all(|b| b.is_ascii_graphic())
}
