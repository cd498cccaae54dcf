//! Microsoft Graph, the few objects az reads (arm.md 5.2).

use serde::{Deserialize, Serialize};

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
    pub value: Vec<T>,
}

/// A service principal, user or group; an application has its own shape.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Needed in mixed lists: az makes it the `principalType`.
    #[serde(rename = "@odata.type", skip_serializing_if = "Option::is_none")]
    pub odata_type: Option<&'static str>,
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
    pub password_credentials: [(); 0],
    pub key_credentials: [(); 0],
    pub tags: [(); 0],
    pub app_roles: [(); 0],
    pub oauth2_permission_scopes: [(); 0],
    pub created_date_time: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    pub id: String,
    pub app_id: String,
    pub display_name: String,
    pub identifier_uris: [(); 0],
    pub sign_in_audience: &'static str,
    /// Must be there even when empty.
    pub password_credentials: [(); 0],
    pub key_credentials: [(); 0],
    pub required_resource_access: [(); 0],
    pub created_date_time: String,
}

/// `POST /directoryObjects/getByIds`.
#[derive(Debug, Clone, Deserialize)]
pub struct GetByIds {
    pub ids: Vec<String>,
    #[serde(default)]
    pub types: Vec<String>,
}
