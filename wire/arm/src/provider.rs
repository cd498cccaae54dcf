//! Resource providers (arm.md 4.4).

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    pub id: String,
    pub namespace: &'static str,
    /// Exactly `Registered`: the Python SDK waits for it.
    pub registration_state: &'static str,
    pub registration_policy: &'static str,
    pub resource_types: Vec<ProviderType>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderType {
    pub resource_type: &'static str,
    pub locations: Vec<&'static str>,
    /// Newest first: az takes the newest that is no preview.
    pub api_versions: &'static [&'static str],
    pub capabilities: &'static str,
}
