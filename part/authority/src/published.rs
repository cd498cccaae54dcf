//! Verifying tokens of a site that runs in another process, by what it publishes: its names and its keys.
//!
//! How the principals stand is not looked at here: whoever asks has to know that by other means.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest;
use cs_ids::TenantId;
use cs_jose::{Jws, PublicKey};
use cs_rbac::Caller;
use cs_time::{Clock, Timestamp};

use crate::{
    Audiences, TokenCheck, TokenRefusal, issuers,
    verifier::{Verified, read},
};

/// Verified tokens remembered.
const KEPT: usize = 4096;

/// What a site publishes.
pub struct Published {
    pub tenant: TenantId,
    /// Names it issues tokens under, without ports.
    pub issuers: Vec<String>,
    /// By their `kid`.
    pub keys: Vec<(String, PublicKey)>,
    /// When the site last confirmed this.
    pub confirmed: Timestamp,
}

/// Checks tokens by the last that was heard of a site.
pub struct PublishedSite {
    heard: RwLock<Option<Arc<Published>>>,
    verified: quick_cache::sync::Cache<[u8; 32], Arc<Verified>>,
    clock: Arc<dyn Clock>,
    /// What was heard is good for so long, in seconds.
    good_for: i64,
}

impl PublishedSite {
    pub fn new(clock: Arc<dyn Clock>, good_for: i64) -> Self {
        Self { heard: RwLock::default(), verified: quick_cache::sync::Cache::new(KEPT), clock, good_for }
    }

    pub fn hear(&self, published: Published) {
        *self.heard.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(published));
    }

    fn verify(&self, token: &str, site: &Published) -> Result<Verified, TokenRefusal> {
        let jws = Jws::split(token).map_err(|_| TokenRefusal::Malformed)?;
        let kid = jws.header.kid.clone().ok_or(TokenRefusal::Signature)?;
        let known = site.keys.iter().find(|(name, _)| *name == kid);
        let (_, key) = known.ok_or(TokenRefusal::Signature)?;
        read(&jws, kid, (site.tenant, key), |issuer| issuers::accepts(issuer, site.tenant, &site.issuers))
    }
}

impl TokenCheck for PublishedSite {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now();
        let fresh = |site: &Arc<Published>| now <= site.confirmed.plus_seconds(self.good_for);
        let site = heard.filter(fresh).ok_or(TokenRefusal::Unconfirmed)?;
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        // A key or name that the site has taken back counts no more, whatever was verified by it.
        let known = self.verified.get(&hash).filter(|v| site.keys.iter().any(|(kid, _)| *kid == v.kid));
        let verified = match known {
            Some(verified) => verified,
            None => {
                let verified = Arc::new(self.verify(token, &site)?);
                self.verified.insert(hash, Arc::clone(&verified));
                verified
            }
        };
        verified.judge(now, audiences)
    }
}

#[cfg(test)]
mod tests {
    use cs_jose::{RsaKey, Signer};
    use cs_time::FakeClock;
    use serde_json::{Value, json};

    use super::*;

    const TENANT: &str = "11111111-1111-1111-1111-111111111111";
    const NOW: i64 = 1_800_000_000;

    fn audiences() -> Audiences {
        Audiences(vec!["https://ossrdbms-aad.database.windows.net".to_owned()])
    }

    fn token(key: RsaKey, kid: &str, change: &Value) -> String {
        let mut claims = json!({"iss": format!("https://login.s.test:8443/{TENANT}/v2.0"), "tid": TENANT,
            "oid": "22222222-2222-2222-2222-222222222222", "appid": "33333333-3333-3333-3333-333333333333",
            "aud": "https://ossrdbms-aad.database.windows.net", "nbf": NOW, "iat": NOW, "exp": NOW + 3600});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        Signer::authority(key, kid).sign(&claims).unwrap()
    }

    fn key() -> (RsaKey, PublicKey) {
        let key = RsaKey::generate().unwrap();
        let public = key.public().public_key().unwrap();
        (key, public)
    }

    fn heard(public: PublicKey) -> Published {
        Published {
            tenant: TENANT.parse().unwrap(),
            issuers: vec!["https://login.s.test".to_owned()],
            keys: vec![("k".to_owned(), public)],
            confirmed: Timestamp::from_seconds(NOW),
        }
    }

    #[test]
    fn g06_tokens_are_judged_as_at_the_site_and_only_while_it_has_confirmed() {
        let clock = Arc::new(FakeClock::at_seconds(NOW));
        let site = PublishedSite::new(Arc::clone(&clock) as _, 10);
        let (private, public) = key();
        let good = token(private, "k", &json!({}));
        assert_eq!(site.check(&good, &audiences()).unwrap_err(), TokenRefusal::Unconfirmed);
        site.hear(heard(public));
        assert_eq!(site.check(&good, &audiences()).unwrap().tenant.to_string(), TENANT);
        let other = Audiences(vec!["https://vault.azure.net".to_owned()]);
        assert!(matches!(site.check(&good, &other), Err(TokenRefusal::Audience { .. })));
        clock.advance(11);
        assert_eq!(site.check(&good, &audiences()).unwrap_err(), TokenRefusal::Unconfirmed);
        let (_, another) = key();
        site.hear(Published { confirmed: Timestamp::from_seconds(NOW + 11), ..heard(another) });
        site.hear(Published { confirmed: Timestamp::from_seconds(NOW + 11), keys: vec![], ..heard(key().1) });
        assert_eq!(
            site.check(&good, &audiences()).unwrap_err(),
            TokenRefusal::Signature,
            "the key was taken back"
        );
    }

    #[test]
    fn b25_tokens_of_other_keys_tenants_and_times_are_refused() {
        let clock = Arc::new(FakeClock::at_seconds(NOW));
        for (change, refused) in [
            (
                json!({"iss": "https://login.other.test/11111111-1111-1111-1111-111111111111/v2.0"}),
                "issued by",
            ),
            (json!({"tid": "44444444-4444-4444-4444-444444444444"}), "issued by"),
            (json!({"exp": NOW - 3600}), "ran out"),
            (json!({"nbf": NOW + 3600}), "not valid yet"),
            (json!({"oid": "nobody"}), "not a token"),
        ] {
            let site = PublishedSite::new(Arc::clone(&clock) as _, 10);
            let (private, public) = key();
            site.hear(heard(public));
            let refusal = site.check(&token(private, "k", &change), &audiences()).unwrap_err().to_string();
            assert!(refusal.contains(refused), "{change}: {refusal}");
        }
        let site = PublishedSite::new(clock, 10);
        site.hear(heard(key().1));
        let forged = token(key().0, "k", &json!({}));
        assert_eq!(site.check(&forged, &audiences()).unwrap_err(), TokenRefusal::Signature);
    }
}
