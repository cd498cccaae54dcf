//! Microsoft Graph, the few objects az reads (arm.md 5.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Serialize)]
pub struct GraphError {
    pub error: GraphErrorBody,
}

#[derive(Debug, Clone, Serialize)]
pub struct GraphErrorBody {
    pub code: String,
    pub message: String,
    #[serde(rename = "innerError")]
    pub inner: InnerError,
}

#[derive(Debug, Clone, Serialize)]
pub struct InnerError {
    pub date: String,
    #[serde(rename = "request-id")]
    pub request_id: String,
    #[serde(rename = "client-request-id")]
    pub client_request_id: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct GraphList<T> {
    #[serde(rename = "@odata.context")]
    pub context: String,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    pub value: Vec<T>,
}

/// One object of a list or by itself. Members that mean nothing to the site are kept and shown as they came.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    pub id: String,
    pub app_id: String,
    pub display_name: String,
    /// The first is the application id.
    pub service_principal_names: Vec<String>,
    pub service_principal_type: &'static str,
    pub account_enabled: bool,
    pub app_owner_organization_id: String,
    /// Managed identities: `isExplicit=False` and the resource id.
    pub alternative_names: Vec<String>,
    pub password_credentials: Vec<PasswordCredential>,
    pub key_credentials: Vec<KeyCredential>,
    pub created_date_time: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    pub id: String,
    pub app_id: String,
    pub display_name: String,
    pub identifier_uris: Vec<String>,
    /// Must be there even when empty.
    pub password_credentials: Vec<PasswordCredential>,
    pub key_credentials: Vec<KeyCredential>,
    pub created_date_time: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A user or group: what it has beside these is in `more`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub id: String,
    pub display_name: String,
    pub created_date_time: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A password as lists show it; `secretText` only in the answer that makes it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PasswordCredential {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    pub custom_key_identifier: Option<String>,
    pub display_name: Option<String>,
    pub end_date_time: String,
    pub hint: String,
    pub key_id: String,
    pub secret_text: Option<String>,
    pub start_date_time: String,
}

impl std::fmt::Debug for PasswordCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PasswordCredential({})", self.key_id)
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCredential {
    /// Base64 of the SHA-1 of the certificate.
    pub custom_key_identifier: String,
    pub display_name: Option<String>,
    pub end_date_time: String,
    /// Base64 of the certificate; shown only to who selects it.
    pub key: Option<String>,
    pub key_id: String,
    pub start_date_time: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub usage: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FederatedIdentity {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub description: Option<String>,
    pub audiences: Vec<String>,
}

/// `POST /directoryObjects/getByIds`.
#[derive(Debug, Clone, Deserialize)]
pub struct GetByIds {
    pub ids: Vec<String>,
    #[serde(default)]
    pub types: Vec<String>,
}

/// `checkMemberGroups`, `checkMemberObjects`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckMembers {
    pub group_ids: Vec<String>,
    pub ids: Vec<String>,
}
