//! The gateway's way to its site: its own token, and the four things it asks.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cs_ids::TenantId;
use cs_store::{AuditLog, AuditQuery, AuditRecord, StoreError};
use cs_time::{Clock, MachineClock};
use cs_wire_arm::{
    CertificateQuestion, CertificateReply, GatewayQuestion, GatewayRecord, GatewayRecords, GatewayReply,
};
use reqwest::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::failure::{Attempt, Failure, Kind, chain};

const VERSION: &str = "2024-08-01";
/// Longer than the site holds an answer back.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
const CONNECTS_WITHIN: Duration = Duration::from_secs(3);
/// A token is used as long as this much is left of it, in seconds.
const TOKEN_LEFT_SECONDS: i64 = 300;

/// Which site, and as whom.
pub struct Access {
    /// The resource manager's address.
    pub site: String,
    /// Whom to trust beside the system's roots, PEM.
    pub ca: Option<Vec<u8>>,
    pub tenant: TenantId,
    pub client_id: String,
    pub secret_file: PathBuf,
}

pub struct SiteClient {
    http: reqwest::Client,
    access: Access,
    /// The server's address at the resource manager.
    server: String,
    token_endpoint: String,
    audience: String,
    token: Mutex<Option<(String, i64)>>,
}

/// Why the site did not answer as hoped.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("the site cannot be reached: {0}")]
    Away(String),
    #[error("this gateway's secret cannot be read: {0}")]
    Secret(String),
    /// No token, or one that is not good.
    #[error("the site refuses this gateway's sign-in: {0}")]
    Refused(String),
    /// Its role is gone, or the server with it.
    #[error("the site does not take this for a gateway of the server: {0}")]
    Forbidden(String),
    #[error("the site has no such server")]
    Gone,
}

impl From<NoAnswer> for Failure {
    fn from(no: NoAnswer) -> Self {
        let (kind, hint) = match no {
            NoAnswer::Away(_) => (Kind::Unreachable, None),
            NoAnswer::Secret(_) => {
                (Kind::Failed, Some("--client-secret-file is read as the user that runs this"))
            }
            NoAnswer::Refused(_) => (
                Kind::Refused,
                Some("compare --tenant-id, --client-id and --client-secret-file with the application"),
            ),
            NoAnswer::Forbidden(_) => (
                Kind::Refused,
                Some(
                    "`countersign database allow-gateway --server NAME --object-id ID` at the site gives it the role",
                ),
            ),
            NoAnswer::Gone => (Kind::Failed, Some("--server is a server's resource id")),
        };
        let failure = Self::new(kind, no.to_string());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl SiteClient {
    pub async fn new(access: Access, server: &str) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder()
            .timeout(ANSWERS_WITHIN)
            .connect_timeout(CONNECTS_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true);
        if let Some(pem) = &access.ca {
            let all = reqwest::Certificate::from_pem_bundle(pem).attempt("reading --ca-file")?;
            builder = builder.tls_certs_merge(all);
        }
        let http = builder.build().attempt("preparing the connection to the site")?;
        let url = format!("{}/metadata/endpoints?api-version=2022-09-01", access.site);
        let away = |error: reqwest::Error| Failure::from(NoAnswer::Away(chain(&error)));
        let endpoints: Value = http.get(&url).send().await.map_err(away)?.json().await.map_err(away)?;
        let text = |pointer: &str| {
            let found = endpoints.pointer(pointer).and_then(Value::as_str);
            found.map(|t| t.trim_end_matches('/').to_owned()).ok_or_else(|| {
                Failure::failed(format!("{} is not a resource manager: it names no endpoints", access.site))
            })
        };
        let login = text("/authentication/loginEndpoint")?;
        Ok(Self {
            token_endpoint: format!("{login}/{}/oauth2/v2.0/token", access.tenant),
            audience: text("/authentication/audiences/0")?,
            server: format!("{}{server}", access.site),
            http,
            access,
            token: Mutex::default(),
        })
    }

    /// One that is never asked.
    #[cfg(test)]
    pub fn nowhere() -> Self {
        let access = Access {
            site: String::new(),
            ca: None,
            tenant: TenantId::new(uuid::Uuid::nil()),
            client_id: String::new(),
            secret_file: PathBuf::new(),
        };
        Self {
            http: reqwest::Client::new(),
            access,
            server: String::new(),
            token_endpoint: String::new(),
            audience: String::new(),
            token: Mutex::default(),
        }
    }

    pub async fn state(&self, question: &GatewayQuestion) -> Result<GatewayReply, NoAnswer> {
        self.ask("gatewayState", question).await
    }

    pub async fn certificate(&self, question: &CertificateQuestion) -> Result<CertificateReply, NoAnswer> {
        self.ask("signClientCertificate", question).await
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Result<T, NoAnswer> {
        let bytes = self.post(what, body).await?;
        serde_json::from_slice(&bytes).map_err(|e| NoAnswer::Away(format!("its answer cannot be read: {e}")))
    }

    async fn post(&self, what: &str, body: &impl Serialize) -> Result<Vec<u8>, NoAnswer> {
        let url = format!("{}/{what}?api-version={VERSION}", self.server);
        let away = |error: reqwest::Error| NoAnswer::Away(chain(&error));
        let token = self.token().await?;
        let reply = self.http.post(url).bearer_auth(token).json(body).send().await.map_err(away)?;
        let status = reply.status();
        let bytes = reply.bytes().await.map_err(away)?.to_vec();
        if status.is_success() {
            return Ok(bytes);
        }
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let said = said.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        let said = format!("{status} {said}");
        match status {
            StatusCode::UNAUTHORIZED => {
                // Another one may do better: keys and secrets change.
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(NoAnswer::Refused(said))
            }
            StatusCode::FORBIDDEN => Err(NoAnswer::Forbidden(said)),
            StatusCode::NOT_FOUND => Err(NoAnswer::Gone),
            _ => Err(NoAnswer::Away(said)),
        }
    }

    async fn token(&self) -> Result<String, NoAnswer> {
        let now = MachineClock.now().seconds();
        let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, _)) = held.filter(|(_, until)| now < *until) {
            return Ok(token);
        }
        // Read anew each time: whoever changes the secret changes the file.
        let secret = std::fs::read_to_string(&self.access.secret_file)
            .map_err(|e| NoAnswer::Secret(format!("{}: {e}", self.access.secret_file.display())))?;
        let scope = format!("{}/.default", self.audience);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.access.client_id),
            ("client_secret", secret.trim()),
            ("scope", &scope),
        ];
        let away = |error: reqwest::Error| NoAnswer::Away(chain(&error));
        let reply = self.http.post(&self.token_endpoint).form(&form).send().await.map_err(away)?;
        let status = reply.status();
        let said: Value = reply.json().await.map_err(away)?;
        let Some(token) = said.get("access_token").and_then(Value::as_str) else {
            let why = said.get("error_description").and_then(Value::as_str).unwrap_or_default();
            let why = format!("{status} {}", why.lines().next().unwrap_or_default());
            return Err(if status.is_client_error() { NoAnswer::Refused(why) } else { NoAnswer::Away(why) });
        };
        let life = said.get("expires_in").and_then(Value::as_i64).unwrap_or_default();
        let until = now + life - TOKEN_LEFT_SECONDS;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.to_owned(), until));
        Ok(token.to_owned())
    }
}

/// Logins go to the site's audit log.
#[async_trait]
impl AuditLog for SiteClient {
    async fn append(&self, records: Vec<AuditRecord>) -> Result<(), StoreError> {
        let records = records.into_iter().filter_map(|record| {
            Some(GatewayRecord {
                time: record.time.micros(),
                correlation_id: record.correlation.to_string(),
                object_id: record.caller?.to_string(),
                client_id: record.client?.to_string(),
                outcome: record.outcome.as_str().to_owned(),
                because: record.because,
            })
        });
        let body = GatewayRecords { records: records.collect() };
        self.post("gatewayRecords", &body).await.map(drop).map_err(|no| unavailable(&no))
    }

    async fn numbered(&self, _: TenantId, _: AuditQuery) -> Result<Vec<(i64, AuditRecord)>, StoreError> {
        Err(unavailable(&NoAnswer::Refused("a gateway reads no audit log".to_owned())))
    }
}

fn unavailable(no: &NoAnswer) -> StoreError {
    StoreError::Unavailable { attempt: "telling the site of logins", cause: no.to_string() }
}
