//! Rolling one's own certificates: whoever holds the key of one that counts may add the next and take the last away,
//! without being an administrator or owner. The key is proven by a short token that it signs.

use cs_ids::ObjectId;
use cs_jose::{Jws, NumericDate, PublicKey};
use cs_rbac::{Allowed, DirectoryRights, Operation, decide_directory};
use cs_store::CredentialKind;
use serde_json::Value;

use crate::{DirectoryError, KeyRing, Principals, Target};

/// Whom a proof is for: Azure's directory, by its well-known application id, in every cloud.
const AUDIENCE: &str = "00000002-0000-0000-c000-000000000000";
/// A proof ends at most this long from now, and began at most this far in the future, in seconds.
const LIFE_MAX_SECONDS: i64 = 600;
const SKEW_SECONDS: i64 = 300;

impl Principals {
    /// Whether the caller may change the keys of an object: as [`Principals::permit`], or because they are its own.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`].
    pub async fn permit_rolling(
        &self,
        op: &Operation,
        action: &'static str,
        target: Target<'_>,
        ring: KeyRing,
    ) -> Result<Allowed, DirectoryError> {
        if op.caller.client != ring.client {
            return self.permit(op, action, target).await;
        }
        let rights = DirectoryRights { administrator: false, owner: true };
        Ok(decide_directory(&op.caller, rights, action, &target.scope())?)
    }

    /// Whether a proof is signed by one of the certificates on the ring that count now.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] says what is wrong with it.
    pub async fn prove(
        &self,
        op: &Operation,
        ring: KeyRing,
        object: ObjectId,
        proof: &str,
    ) -> Result<(), DirectoryError> {
        let bad = |why: &str| DirectoryError::invalid(format!("the proof of possession is not good: {why}"));
        let jws = Jws::split(proof).map_err(|e| bad(e.0))?;
        let claim = |name: &str| jws.claims.get(name).and_then(Value::as_str);
        if claim("aud") != Some(AUDIENCE) {
            return Err(bad("'aud' must be 00000002-0000-0000-c000-000000000000"));
        }
        if claim("iss").and_then(|iss| iss.parse::<ObjectId>().ok()) != Some(object) {
            return Err(bad("'iss' must be the id of the object"));
        }
        let (now, date) =
            (op.started.seconds(), |name: &str| jws.claims.get(name).and_then(NumericDate::read));
        let (begins, ends) = (date("nbf").map_or(now, |d| d.0), date("exp").map_or(0, |d| d.0));
        if ends <= now || ends > now + LIFE_MAX_SECONDS + SKEW_SECONDS || begins > now + SKEW_SECONDS {
            return Err(bad("'nbf' and 'exp' must enclose the present, by ten minutes at most"));
        }
        let all = self.credentials(op, ring).await?;
        let counts = all.iter().filter(|c| {
            c.kind == CredentialKind::Certificate && c.not_before <= op.started && op.started < c.expires
        });
        match counts.filter_map(|c| public_key(&c.material)).any(|key| jws.verifies(&key)) {
            true => Ok(()),
            false => Err(bad("no certificate of the object that counts today has signed it")),
        }
    }
}

/// The key of a certificate in DER, where it is of a kind that is taken (B13).
pub(crate) fn public_key(der: &[u8]) -> Option<PublicKey> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    match certificate.public_key().parsed().ok()? {
        x509_parser::public_key::PublicKey::RSA(key) => PublicKey::rsa(key.modulus, key.exponent),
        _ => None,
    }
}
