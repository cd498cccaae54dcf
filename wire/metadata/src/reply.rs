//! Replies of the token path and the error bodies of both services.

use serde::Serialize;

/// Token reply, the same on HIMDS and IMDS. **All values are strings**, in this order (metadata.md 1.2).
/// <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>
#[derive(Debug, Serialize)]
pub struct TokenReply<'t> {
    pub access_token: &'t str,
    pub client_id: String,
    pub expires_in: String,
    /// Seconds since 1970.
    pub expires_on: String,
    pub ext_expires_in: String,
    pub not_before: String,
    pub resource: &'t str,
    pub token_type: &'static str,
    /// Echo of the selector used; clients refuse a user-assigned token without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msi_res_id: Option<String>,
}

/// The attested document, signed: DER in base64.
#[derive(Debug, Serialize)]
pub struct AttestedReply {
    pub encoding: &'static str,
    pub signature: String,
}

/// Errors of the token path.
#[derive(Debug, Serialize)]
pub struct ErrorReply {
    pub error: &'static str,
    pub error_description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_codes: Option<[u16; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Empty, as the original has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// Errors of the other paths.
#[derive(Debug, Serialize)]
pub struct PlainError<'t> {
    pub error: &'t str,
}

/// IMDS without a usable api-version: clients read `newest-versions[0]` and ask again with it.
#[derive(Debug, Serialize)]
pub struct VersionError<'t> {
    pub error: &'t str,
    #[serde(rename = "newest-versions")]
    pub newest_versions: [&'static str; 3],
}

/// Token reply of the App Service source (metadata.md 5): an expiry, and no lifetime.
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
#[derive(Debug, Serialize)]
pub struct AppServiceReply<'t> {
    pub access_token: &'t str,
    pub client_id: String,
    /// Seconds since 1970, as a string.
    pub expires_on: String,
    pub resource: &'t str,
    pub token_type: &'static str,
}

/// Errors of the App Service source.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppServiceError<'t> {
    pub status_code: u16,
    pub message: &'t str,
    pub correlation_id: String,
}

/// Errors of the Cloud Shell source.
#[derive(Debug, Serialize)]
pub struct CloudShellError<'t> {
    pub error: CodedError<'t>,
}

#[derive(Debug, Serialize)]
pub struct CodedError<'t> {
    pub code: &'t str,
    pub message: &'t str,
}
