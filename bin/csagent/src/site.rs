//! The site over HTTPS.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use cs_broker::{Identity, IssueError, Token, TokenIssuer};
use cs_ids::ClientId;
use cs_jose::Signer;
use cs_time::{Chance, Clock, MachineChance, MachineClock};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    failure::{Attempt, Failure, Kind},
    state::State,
};

/// Nothing a machine waits for takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// An assertion is made for one request (sts.md 9); this is its life in seconds.
const ASSERTION_SECONDS: i64 = 120;
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a resource manager says of its cloud.
pub struct Cloud {
    pub authority: String,
    pub audience: String,
    pub site: String,
}

/// A client that trusts the system's roots and one CA more, and follows no redirects.
pub fn client(ca: Option<&str>) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true);
    if let Some(pem) = ca {
        let all = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).attempt("reading the CA file")?;
        builder = builder.tls_certs_merge(all);
    }
    builder.build().attempt("preparing the connection to the site")
}

/// C08: a site is asked over TLS or not at all.
pub fn checked_address(site: &str) -> Result<String, Failure> {
    let site = site.trim_end_matches('/');
    if site.starts_with("https://") {
        return Ok(site.to_owned());
    }
    Err(Failure::new(Kind::Usage, format!("--site {site}: a site is reached over https only")))
}

fn unreachable(what: &str, error: &reqwest::Error) -> Failure {
    let mut text = format!("{what}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    Failure::new(Kind::Unreachable, text)
        .hint("look at the address, at --ca-file and at the proxy's settings")
}

/// Sends a request and reads its JSON; refusals are told in the site's words.
pub async fn call(
    client: &reqwest::Client,
    what: &str,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(|e| unreachable(what, &e))?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(|e| unreachable(what, &e))?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(value);
    }
    let said =
        value.pointer("/error/message").or_else(|| value.get("error_description")).and_then(Value::as_str);
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Refused,
        _ => Kind::Failed,
    };
    let text = said.map_or_else(|| status.to_string(), |s| s.lines().next().unwrap_or_default().to_owned());
    Err(Failure::new(kind, format!("{what}: {text}")))
}

/// What cloud a resource manager belongs to.
pub async fn discover(client: &reqwest::Client, site: &str) -> Result<Cloud, Failure> {
    let url = format!("{site}/metadata/endpoints?api-version=2022-09-01");
    let found = call(client, "asking the site for its endpoints", Method::GET, &url, None, None).await?;
    let text = |pointer: &str| {
        found.pointer(pointer).and_then(Value::as_str).map(|t| t.trim_end_matches('/').to_owned())
    };
    let missing =
        || Failure::failed(format!("{site} is not a resource manager: its endpoints cannot be read"));
    Ok(Cloud {
        authority: text("/authentication/loginEndpoint").ok_or_else(missing)?,
        audience: text("/authentication/audiences/0").ok_or_else(missing)?,
        site: text("/resourceManager").ok_or_else(missing)?,
    })
}

/// A token by the onboarding credential.
pub async fn sign_in(
    client: &reqwest::Client,
    cloud: &Cloud,
    tenant: &str,
    id: &str,
    secret: &str,
) -> Result<String, Failure> {
    const WHAT: &str = "signing in with the service principal";
    let url = format!("{}/{tenant}/oauth2/v2.0/token", cloud.authority);
    let scope = format!("{}/.default", cloud.audience);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("scope", scope.as_str()),
    ];
    let response = client.post(&url).form(&form).send().await.map_err(|e| unreachable(WHAT, &e))?;
    let reply: Value = response.json().await.map_err(|e| unreachable(WHAT, &e))?;
    match reply.get("access_token").and_then(Value::as_str) {
        Some(token) => Ok(token.to_owned()),
        None => {
            let said =
                reply.get("error_description").and_then(Value::as_str).unwrap_or("the site gave no token");
            Err(Failure::new(Kind::Refused, format!("{WHAT}: {said}")))
        }
    }
}

/// Signs assertions with the machine's key and asks the site for tokens.
pub struct SiteIssuer {
    client: reqwest::Client,
    signer: Signer,
    endpoint: String,
    client_id: String,
    /// The clock counter of assertions: no two are alike.
    made: Mutex<u64>,
}

#[derive(Serialize)]
struct Assertion<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

impl SiteIssuer {
    pub fn new(state: &State, key: cs_jose::MachineKey) -> Result<Self, Failure> {
        Ok(Self {
            client: client(state.ca.as_deref())?,
            signer: Signer::machine(key),
            endpoint: format!("{}/{}/oauth2/token", state.authority.trim_end_matches('/'), state.tenant_id),
            client_id: state.client_id.clone(),
            made: Mutex::new(0),
        })
    }

    fn assertion(&self) -> Result<String, IssueError> {
        let now = MachineClock.now().seconds();
        let number = {
            let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *made += 1;
            *made
        };
        let claims = Assertion {
            aud: &self.endpoint,
            iss: &self.client_id,
            sub: &self.client_id,
            jti: format!("{}-{number}", MachineChance.uuid().simple()),
            iat: now,
            nbf: now - 60,
            exp: now + ASSERTION_SECONDS,
        };
        self.signer
            .sign(&claims)
            .map_err(|e| IssueError::Unreachable(format!("signing with the machine's key: {e}")))
    }

    /// A token for a resource, straight from the site.
    pub async fn token(&self, resource: &str) -> Result<Token, IssueError> {
        let assertion = self.assertion()?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion.as_str()),
            ("resource", resource),
        ];
        let away = |e: reqwest::Error| IssueError::Unreachable(e.to_string());
        let response = self.client.post(&self.endpoint).form(&form).send().await.map_err(away)?;
        let status = response.status();
        let reply: Value =
            serde_json::from_slice(&response.bytes().await.map_err(away)?).unwrap_or_else(|_| json!({}));
        read_reply(status, &reply, &self.client_id)
    }
}

fn read_reply(status: StatusCode, reply: &Value, client: &str) -> Result<Token, IssueError> {
    let text = |name: &str| reply.get(name).and_then(Value::as_str);
    if let (true, Some(access_token)) = (status.is_success(), text("access_token")) {
        let number = |name: &str| text(name).and_then(|t| t.parse::<i64>().ok());
        let client: Option<ClientId> = client.parse().ok();
        if let (Some(expires_on), Some(client)) = (number("expires_on"), client) {
            let not_before = number("not_before").unwrap_or(expires_on);
            return Ok(Token { access_token: access_token.to_owned(), expires_on, not_before, client });
        }
        return Err(IssueError::Unreachable("the site's reply cannot be read".to_owned()));
    }
    let said = text("error_description").unwrap_or("the site gave no reason").to_owned();
    let code = reply.pointer("/error_codes/0").and_then(Value::as_i64).unwrap_or_default();
    match (status.as_u16(), code) {
        // The directory does not know this machine any more, or its key: nothing cached may be handed out (C06).
        (_, 700_016 | 7_000_112 | 700_027) => Err(IssueError::Revoked(said)),
        (429 | 500..=599, _) => Err(IssueError::Unreachable(said)),
        _ => Err(IssueError::Refused { code: code.to_string(), text: said }),
    }
}

#[async_trait]
impl TokenIssuer for SiteIssuer {
    async fn issue(&self, _: &Identity, resource: &str) -> Result<Token, IssueError> {
        self.token(resource).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c08_a_plain_http_site_is_refused() {
        assert_eq!(checked_address("http://management.s.example").unwrap_err().kind, Kind::Usage);
        assert_eq!(checked_address("https://management.s.example/").unwrap(), "https://management.s.example");
    }

    #[test]
    fn c06_a_machine_the_site_no_longer_knows_is_revoked() {
        let reply = json!({"error": "unauthorized_client", "error_codes": [700_016], "error_description": "AADSTS700016: gone"});
        let read = read_reply(StatusCode::BAD_REQUEST, &reply, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
        assert!(matches!(read, Err(IssueError::Revoked(_))));
        let busy = read_reply(StatusCode::SERVICE_UNAVAILABLE, &json!({}), "x");
        assert!(matches!(busy, Err(IssueError::Unreachable(_))));
    }
}
