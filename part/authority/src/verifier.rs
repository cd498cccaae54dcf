//! Verifying tokens, offline and once: what was verified is remembered by its hash until it runs out.

use std::sync::Arc;

use aws_lc_rs::digest;
use cs_ids::{ClientId, ObjectId, TenantId};
use cs_jose::{Jws, NumericDate, PublicKey};
use cs_rbac::Caller;
use cs_time::Timestamp;
use serde_json::Value;

use crate::{Audiences, Authority, Standing, TokenCheck, TokenRefusal};

/// The clocks of replicas may differ by this much, in seconds.
const SKEW_SECONDS: i64 = 300;

/// What a good signature vouches for.
pub(crate) struct Verified {
    caller: Caller,
    aud: String,
    pub(crate) kid: String,
    nbf: i64,
    exp: i64,
}

impl TokenCheck for Authority {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        let now = self.parts.clock.now();
        let known = self.verified.get(&key).filter(|v| self.keyring.accepts(&v.kid, now));
        let verified = match known {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(self.verify(token, now)?);
                self.verified.insert(key, Arc::clone(&verified));
                verified
            }
        };
        let caller = verified.judge(now, audiences)?;
        match self.parts.live.standing(caller.tenant, caller.object) {
            Standing::Good => Ok(caller),
            Standing::Gone => Err(TokenRefusal::Principal),
            Standing::Unconfirmed => Err(TokenRefusal::Unconfirmed),
        }
    }
}

impl Authority {
    fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, TokenRefusal> {
        let jws = Jws::split(token).map_err(|_| TokenRefusal::Malformed)?;
        let kid = jws.header.kid.clone().ok_or(TokenRefusal::Signature)?;
        let (tenant, key) = self.keyring.public(&kid, now).ok_or(TokenRefusal::Signature)?;
        read(&jws, kid, (tenant, &key), |issuer| self.issuers.accept(issuer, tenant))
    }
}

impl Verified {
    /// What changes with time and with who asks: lifetime, then audience.
    pub(crate) fn judge(&self, now: Timestamp, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        let now = now.seconds();
        if self.exp + SKEW_SECONDS <= now {
            return Err(TokenRefusal::Expired(Timestamp::from_seconds(self.exp)));
        }
        if self.nbf > now + SKEW_SECONDS {
            return Err(TokenRefusal::NotYetValid);
        }
        if !audiences.contain(&self.aud) {
            return Err(TokenRefusal::Audience { found: self.aud.clone() });
        }
        Ok(self.caller.clone())
    }
}

/// Signature, form and issuer of a token that names a key of this tenant's.
pub(crate) fn read(
    jws: &Jws<'_>,
    kid: String,
    (tenant, key): (TenantId, &PublicKey),
    accepts: impl Fn(&str) -> bool,
) -> Result<Verified, TokenRefusal> {
    // Only what the authority itself writes: a key that verifies something else verifies nothing here.
    if jws.header.alg != "RS256" || !jws.verifies(key) {
        return Err(TokenRefusal::Signature);
    }
    let text = |name: &str| jws.claims.get(name).and_then(Value::as_str).ok_or(TokenRefusal::Malformed);
    let date = |name: &str| {
        jws.claims.get(name).and_then(NumericDate::read).map(|d| d.0).ok_or(TokenRefusal::Malformed)
    };
    let issuer = text("iss")?;
    let tid: TenantId = text("tid")?.parse().map_err(|_| TokenRefusal::Malformed)?;
    if tid != tenant || !accepts(issuer) {
        return Err(TokenRefusal::Issuer { found: issuer.to_owned() });
    }
    let object: ObjectId = text("oid")?.parse().map_err(|_| TokenRefusal::Malformed)?;
    let client: ClientId = text("appid")?.parse().map_err(|_| TokenRefusal::Malformed)?;
    Ok(Verified {
        caller: Caller { tenant, object, client, issuer: issuer.to_owned() },
        aud: text("aud")?.to_owned(),
        kid,
        // Neither may lie in the future (sts.md 8).
        nbf: date("nbf")?.max(date("iat")?),
        exp: date("exp")?,
    })
}
