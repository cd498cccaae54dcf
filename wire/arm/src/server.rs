//! Doors of a database server that are ours, where Azure has nothing: `signClientCertificate`, and what gateways ask.

use serde::{Deserialize, Serialize};

/// What a machine asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateQuestion {
    /// The role to log in as.
    pub role: String,
    /// PKCS#10 in PEM.
    pub certificate_request: String,
    /// A shorter life than the server's setting allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_seconds: Option<i64>,
}

/// What it gets, with all it needs to connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateReply {
    pub role: String,
    /// PEM.
    pub certificate: String,
    /// RFC 3339.
    pub not_after: String,
    /// From now on, by the site's clock: the machine's own may be wrong.
    pub life_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<CertificateBackend>,
}

/// Where the server stands, and how it proves itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateBackend {
    pub host: String,
    pub port: u16,
    pub server_name: String,
    /// PEM.
    pub certificate_authority: String,
}

/// What a gateway in a process of its own asks of its site (`gatewayState`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayQuestion {
    /// The version it has; the answer waits until there is another one. Empty: it has none.
    pub known: String,
    /// How long the answer may wait, in milliseconds.
    #[serde(default)]
    pub wait_milliseconds: u64,
    /// Object ids of whom it wants to know how they stand.
    pub principals: Vec<String>,
    /// PKCS#10 in PEM, for a TLS certificate of the server's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_request: Option<String>,
}

/// What it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReply {
    pub version: String,
    pub tenant_id: String,
    /// As the resource manager writes it.
    pub server_id: String,
    pub generation: i64,
    /// The server's host name.
    pub host: String,
    /// Its settings: the members `backend`, `sessions` and so on of its resource.
    pub properties: serde_json::Map<String, serde_json::Value>,
    pub client_certificate_authority: String,
    /// What cancel keys are enciphered under, base64url; all gateways of a server have it.
    pub cancel_secret: String,
    pub rules: Vec<GatewayRule>,
    pub principals: Vec<GatewayPrincipal>,
    /// Names the site's tokens are issued under.
    pub issuers: Vec<String>,
    /// Its verification keys, as in its JWKS.
    pub keys: Vec<GatewayKey>,
    /// PEM, the leaf first; where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRule {
    pub object_id: String,
    pub principal_type: String,
    pub role: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayPrincipal {
    pub object_id: String,
    /// Neither disabled nor gone.
    pub good: bool,
    /// Groups it is in, also through groups, of those that rules name.
    pub groups: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GatewayKey {
    pub kid: String,
    pub n: String,
    pub e: String,
}

/// Logins at a gateway, for the site's audit log (`gatewayRecords`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRecords {
    pub records: Vec<GatewayRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRecord {
    /// Microseconds since 1970.
    pub time: i64,
    pub correlation_id: String,
    pub object_id: String,
    pub client_id: String,
    /// `done`, `denied` or `failed`.
    pub outcome: String,
    pub because: String,
}
