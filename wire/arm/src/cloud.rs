//! `/metadata/endpoints` (arm.md 4.1): how clients learn about a cloud.

use serde::Serialize;

/// The shape of `2022-09-01`, and an array of it in older versions.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cloud {
    /// `AzureCloud` is special to az: it then forces the public authority.
    pub name: String,
    pub portal: String,
    /// No slash at the end: clients concatenate.
    pub resource_manager: String,
    pub authentication: Authentication,
    pub graph: String,
    pub graph_audience: String,
    pub microsoft_graph_resource_id: String,
    pub media: String,
    pub batch: String,
    pub gallery: String,
    pub sql_management: String,
    pub vm_image_alias_doc: String,
    pub active_directory_data_lake: String,
    pub log_analytics_resource_id: String,
    #[serde(rename = "ossrdbmsResourceId")]
    pub ossrdbms_resource_id: String,
    pub suffixes: Suffixes,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    pub login_endpoint: String,
    pub audiences: Vec<String>,
    pub tenant: String,
    pub identity_provider: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suffixes {
    /// az puts the dot before it.
    pub key_vault_dns: String,
    pub storage: String,
    pub acr_login_server: String,
    pub sql_server_hostname: String,
    #[serde(rename = "postgresqlServerEndpoint")]
    pub postgresql_server_endpoint: String,
    pub mhsm_dns: String,
    pub azure_data_lake_store_file_system: String,
    pub azure_data_lake_analytics_catalog_and_job: String,
    pub storage_sync_endpoint_suffix: String,
}

/// The shape of `2015-01-01` (Azure Stack tools).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OldCloud {
    pub gallery_endpoint: String,
    pub graph_endpoint: String,
    pub portal_endpoint: String,
    pub authentication: OldAuthentication,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OldAuthentication {
    pub login_endpoint: String,
    pub audiences: Vec<String>,
}
