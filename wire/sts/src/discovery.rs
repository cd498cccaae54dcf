//! Discovery documents.

use serde::Serialize;

/// `…/.well-known/openid-configuration`. MSAL Node wants `authorization_endpoint`, `token_endpoint`, `issuer` and
/// `jwks_uri`; MSAL Go compares the issuer's scheme, host and port with the authority's.
#[derive(Debug, Serialize)]
pub struct Configuration {
    pub token_endpoint: String,
    pub token_endpoint_auth_methods_supported: &'static [&'static str],
    pub jwks_uri: String,
    pub response_modes_supported: &'static [&'static str],
    pub subject_types_supported: &'static [&'static str],
    pub id_token_signing_alg_values_supported: &'static [&'static str],
    pub response_types_supported: &'static [&'static str],
    pub scopes_supported: &'static [&'static str],
    pub issuer: String,
    pub request_uri_parameter_supported: bool,
    pub userinfo_endpoint: String,
    pub authorization_endpoint: String,
    pub device_authorization_endpoint: String,
    pub http_logout_supported: bool,
    pub frontchannel_logout_supported: bool,
    pub end_session_endpoint: String,
    pub claims_supported: &'static [&'static str],
    pub tenant_region_scope: &'static str,
    pub cloud_instance_name: String,
    pub cloud_graph_host_name: String,
    pub msgraph_host: String,
    pub rbac_url: String,
    /// v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microsoft_multi_refresh_token: Option<bool>,
}

/// `…/discovery/[v2.0/]keys`.
#[derive(Debug, Serialize)]
pub struct Keys {
    pub keys: Vec<Key>,
}

#[derive(Debug, Serialize)]
pub struct Key {
    pub kty: String,
    #[serde(rename = "use")]
    pub usage: &'static str,
    pub kid: String,
    pub x5t: String,
    pub n: String,
    pub e: String,
    pub alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// `/common/discovery/instance`.
#[derive(Debug, Serialize)]
pub struct Instance {
    pub tenant_discovery_endpoint: String,
    #[serde(rename = "api-version")]
    pub api_version: String,
    pub metadata: Vec<InstanceMetadata>,
}

#[derive(Debug, Serialize)]
pub struct InstanceMetadata {
    pub preferred_network: String,
    pub preferred_cache: String,
    pub aliases: Vec<String>,
}
