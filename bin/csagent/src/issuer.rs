//! Tokens from the site, by assertions that the machine's key signs.
//!
//! The machine's clock may be wrong, and the site refuses assertions of another time. Its answers carry the right time
//! (`Date`), so a refusal for the time is repeated once with that, and what is told to programs is said in the
//! machine's own time.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicI64, Ordering},
};

use cs_broker::{Identity, IssueError, Token};
use cs_ids::{ClientId, CorrelationId};
use cs_jose::Signer;
use cs_serve::{CORRELATION, TRACEPARENT, traceparent};
use cs_time::{Chance, Clock, MachineChance, MachineClock, Timestamp};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    config::Settings,
    credential,
    entra::{self, CREDENTIAL},
    failure::{Attempt, Failure, Kind, chain},
    site,
    state::{Place, State, Upstream},
};

/// An assertion is made for one request (sts.md 9); this is its life in seconds.
const ASSERTION_SECONDS: i64 = 120;
/// Clocks this near each other, in seconds, count as the same.
const SAME_TIME_SECONDS: i64 = 60;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// "Client assertion is not within its valid time range."
const WRONG_TIME: i64 = 700_024;
/// "Application was not found in the directory."
pub(crate) const UNKNOWN: i64 = 700_016;
/// "Application is disabled": also a machine that is quarantined.
pub(crate) const DISABLED: i64 = 7_000_112;
/// "The key was not found or does not verify."
pub(crate) const UNKNOWN_KEY: i64 = 700_027;

pub struct SiteIssuer {
    pub(crate) client: reqwest::Client,
    /// Read while a request is under way: nothing signed with a key arrives after another took its place.
    pub(crate) proof: tokio::sync::RwLock<Proof>,
    endpoint: String,
    /// Where what the machine says of itself goes.
    pub(crate) statements: String,
    client_id: String,
    /// What the site's clock is ahead of ours, in seconds; 0 while they are near.
    pub(crate) ahead: AtomicI64,
}

/// What assertions come from.
pub(crate) enum Proof {
    /// The machine's key, or the key of an application's certificate.
    Key(Signer),
    /// Another issuer's token, in a file that others keep fresh.
    File(PathBuf),
}

impl SiteIssuer {
    /// For whatever a registration is proven with.
    pub fn of(state: &State, place: &Place, settings: &Settings) -> Result<Self, Failure> {
        let proof = match &state.upstream {
            None => Proof::Key(Signer::machine(place.key()?)),
            Some(Upstream::FederatedToken(file)) => Proof::File(file.clone()),
            Some(Upstream::Certificate) => {
                let path = place.at(CREDENTIAL);
                let bytes = std::fs::read(&path).attempt(format_args!("reading {}", path.display()))?;
                let bad = || Failure::failed(format!("{} holds no certificate with a key", path.display()));
                Proof::Key(credential::signer(&bytes).ok_or_else(bad)?)
            }
        };
        Ok(Self {
            client: site::client(state.ca.as_deref(), settings)?,
            proof: tokio::sync::RwLock::new(proof),
            statements: format!("{}/{}/machine", state.authority.trim_end_matches('/'), state.tenant_id),
            endpoint: format!("{}/{}/oauth2/token", state.authority.trim_end_matches('/'), state.tenant_id),
            client_id: state.client_id.clone(),
            ahead: AtomicI64::new(0),
        })
    }

    /// Waits for requests under way and signs with this key from then on.
    pub async fn use_key(&self, key: cs_jose::MachineKey) {
        *self.proof.write().await = Proof::Key(Signer::machine(key));
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.client
    }

    /// A token for a resource, straight from the site, for the agent's own use.
    pub async fn token(&self, resource: &str) -> Result<Token, IssueError> {
        self.token_for(resource, MachineChance.uuid().into()).await
    }

    /// The same for a program's request, whose id goes along.
    pub async fn token_for(&self, resource: &str, correlation: CorrelationId) -> Result<Token, IssueError> {
        let (status, reply) = self.ask(resource, None, correlation).await?;
        read_reply(status, &reply, &self.client_id, self.ahead.load(Ordering::Relaxed))
    }

    /// The same of a user-assigned identity that is attached to this machine.
    pub async fn token_of(
        &self,
        attached: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Token, IssueError> {
        let client = attached.client.to_string();
        let (status, reply) = self.ask(resource, Some(&client), correlation).await?;
        let read = read_reply(status, &reply, &client, self.ahead.load(Ordering::Relaxed));
        read.map_err(|error| match error {
            // It was taken off the machine; the machine itself may be as good as ever.
            IssueError::Revoked(text) => IssueError::Refused { code: UNKNOWN.to_string(), text },
            other => other,
        })
    }

    /// Asks, and once more with the site's time where the machine's own is wrong.
    async fn ask(
        &self,
        resource: &str,
        attached: Option<&str>,
        correlation: CorrelationId,
    ) -> Result<(StatusCode, Value), IssueError> {
        let (status, reply) = self.ask_once(resource, attached, correlation).await?;
        if error_code(&reply) == WRONG_TIME && self.ahead.load(Ordering::Relaxed) != 0 {
            tracing::warn!(
                ahead_seconds = self.ahead.load(Ordering::Relaxed),
                "the machine's clock differs from the site's"
            );
            return self.ask_once(resource, attached, correlation).await;
        }
        Ok((status, reply))
    }

    async fn ask_once(
        &self,
        resource: &str,
        attached: Option<&str>,
        correlation: CorrelationId,
    ) -> Result<(StatusCode, Value), IssueError> {
        let proof = self.proof.read().await;
        let assertion = self.assertion(&proof)?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion.as_str()),
            ("resource", resource),
        ];
        form.extend(attached.map(|client| ("managed_identity", client)));
        let away = |e: reqwest::Error| IssueError::Unreachable(chain(&e));
        let request =
            self.client.post(&self.endpoint).form(&form).header(CORRELATION, correlation.to_string());
        let trace = traceparent(correlation, MachineChance.uuid().as_u64_pair().0);
        let response = request.header(TRACEPARENT, trace).send().await.map_err(away)?;
        if let Some(ahead) = seconds_ahead(response.headers(), MachineClock.now()) {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        site::read("asking for a token", response).await.map_err(|f| IssueError::Unreachable(f.message))
    }

    fn assertion(&self, proof: &Proof) -> Result<String, IssueError> {
        let signer = match proof {
            Proof::Key(signer) => signer,
            // It may be whole again the next time.
            Proof::File(file) => return entra::federated_token(file).map_err(IssueError::Unreachable),
        };
        let claims = self.claims(&self.endpoint);
        signer
            .sign(&claims)
            .map_err(|e| IssueError::Unreachable(format!("signing with the machine's key: {e}")))
    }

    /// Seconds since 1970, as the site counts.
    fn site_time(&self) -> i64 {
        MachineClock.now().seconds() + self.ahead.load(Ordering::Relaxed)
    }

    /// What every assertion and statement for this address says.
    pub fn claims(&self, audience: &str) -> Value {
        let now = self.site_time();
        serde_json::json!({
            "aud": audience, "iss": self.client_id, "sub": self.client_id,
            "jti": MachineChance.uuid().simple().to_string(), "iat": now, "nbf": now - 60,
            "exp": now + ASSERTION_SECONDS
        })
    }
}

/// What a verb says of a token that was not to be had.
pub fn failure(what: &str, error: &IssueError) -> Failure {
    let kind = match error {
        IssueError::Unreachable(_) => Kind::Unreachable,
        IssueError::Refused { .. } | IssueError::Revoked(_) => Kind::Refused,
    };
    Failure::new(kind, format!("{what}: {error}")).code("AZCM0041")
}

/// What a token says, for the machine it was given to: nobody's word is taken for it. `None` for what is no JWT.
pub fn claims_of(token: &str) -> Option<Value> {
    let claims = token.split('.').nth(1).and_then(cs_jose::decode_url)?;
    serde_json::from_slice(&claims).ok()
}

/// How far the clock that wrote an answer is ahead of ours; 0 when near, `None` when it says no time.
pub fn seconds_ahead(headers: &reqwest::header::HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(reqwest::header::DATE)?.to_str().ok()?;
    let ahead = Timestamp::parse_rfc1123(date)?.seconds() - now.seconds();
    Some(if ahead.abs() < SAME_TIME_SECONDS { 0 } else { ahead })
}

pub(crate) fn error_code(reply: &Value) -> i64 {
    reply.pointer("/error_codes/0").and_then(Value::as_i64).unwrap_or_default()
}

fn read_reply(status: StatusCode, reply: &Value, client: &str, ahead: i64) -> Result<Token, IssueError> {
    let text = |name: &str| reply.get(name).and_then(Value::as_str);
    if let (true, Some(access_token)) = (status.is_success(), text("access_token")) {
        // Strings at this endpoint, numbers at the other.
        let number = |name: &str| {
            let value = reply.get(name)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok()).map(|n: i64| n - ahead)
        };
        let client: Option<ClientId> = client.parse().ok();
        if let (Some(expires_on), Some(client)) = (number("expires_on"), client) {
            let not_before = number("not_before").unwrap_or(expires_on);
            return Ok(Token { access_token: access_token.to_owned(), expires_on, not_before, client });
        }
        return Err(IssueError::Unreachable("the site's reply cannot be read".to_owned()));
    }
    let Some(said) = text("error_description").map(str::to_owned) else {
        // Not the site's words: something between us and it answers, or it is not well.
        return Err(IssueError::Unreachable(format!("the answer is no token reply (status {status})")));
    };
    match (status.as_u16(), error_code(reply)) {
        // The directory does not know this machine any more, or its key: nothing cached may be handed out (C06).
        (_, UNKNOWN | DISABLED | UNKNOWN_KEY) => Err(IssueError::Revoked(said)),
        (429 | 500..=599, _) | (_, WRONG_TIME) => Err(IssueError::Unreachable(said)),
        (_, code) => Err(IssueError::Refused { code: code.to_string(), text: said }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ME: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

    #[test]
    fn c06_a_machine_the_site_no_longer_knows_is_revoked() {
        let reply = json!({"error": "unauthorized_client", "error_codes": [700_016], "error_description": "AADSTS700016: gone"});
        let read = read_reply(StatusCode::BAD_REQUEST, &reply, ME, 0);
        assert!(matches!(read, Err(IssueError::Revoked(_))));
        let busy = read_reply(StatusCode::SERVICE_UNAVAILABLE, &json!({}), "x", 0);
        assert!(matches!(busy, Err(IssueError::Unreachable(_))));
    }

    #[test]
    fn a_page_of_a_proxy_is_no_refusal() {
        for status in [200, 302, 403, 407] {
            let read = read_reply(StatusCode::from_u16(status).unwrap(), &Value::Null, ME, 0);
            assert!(matches!(read, Err(IssueError::Unreachable(_))), "{status}");
        }
    }

    #[test]
    fn times_are_told_in_the_machines_own_time() {
        let reply = json!({"access_token": "t", "expires_on": "1800086400", "not_before": 1_800_000_000});
        let token = read_reply(StatusCode::OK, &reply, ME, 3600).unwrap();
        assert_eq!((token.expires_on, token.not_before), (1_800_082_800, 1_799_996_400));
    }

    #[test]
    fn the_sites_clock_is_read_from_its_answers() {
        let mut headers = reqwest::header::HeaderMap::new();
        let now = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(seconds_ahead(&headers, now), None);
        for (ahead, read) in [(30, 0), (-86_400, -86_400), (7200, 7200)] {
            headers.insert("date", now.plus_seconds(ahead).rfc1123().parse().unwrap());
            assert_eq!(seconds_ahead(&headers, now), Some(read));
        }
    }
}
