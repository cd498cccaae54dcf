//! `signClientCertificate` of a database server: ours, where Azure has nothing.

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
