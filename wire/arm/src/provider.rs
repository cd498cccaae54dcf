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

/// A provider in the catalogue of operations (rbac.md 9).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueProvider {
    pub id: String,
    pub name: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub display_name: &'static str,
    /// Those of no type.
    pub operations: Vec<CatalogueOperation>,
    pub resource_types: Vec<CatalogueType>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueType {
    pub name: &'static str,
    pub display_name: &'static str,
    pub operations: Vec<CatalogueOperation>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueOperation {
    pub name: &'static str,
    pub display_name: String,
    pub description: String,
    pub origin: &'static str,
    pub is_data_action: bool,
}

/// An operation as its provider lists it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderOperation {
    pub name: &'static str,
    pub is_data_action: bool,
    pub display: ProviderOperationDisplay,
    pub origin: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProviderOperationDisplay {
    pub provider: &'static str,
    pub resource: &'static str,
    pub operation: String,
    pub description: String,
}
