//! The ready document (contract.md): what a running site says of itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    pub tenant_id: String,
    pub subscription_id: String,
    pub resource_group: String,
    pub location: String,
    pub https_port: u16,
    pub suffix: String,
    pub authority: String,
    pub resource_manager: String,
    pub graph: String,
    pub console: String,
    pub vault_suffix: String,
    pub blob_suffix: String,
    pub ca_file: PathBuf,
    /// System roots and ours: what `REQUESTS_CA_BUNDLE` and `SSL_CERT_FILE` want.
    pub ca_bundle_file: PathBuf,
    /// The same roots as a Java key store (JKS).
    pub java_trust_store_file: PathBuf,
    pub hosts_file: PathBuf,
    /// Address of the database gateway, and the parent domain of its servers' names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_suffix: Option<String>,
    pub operator: Operator,
    pub himds: String,
    pub imds: String,
    /// The App Service source: address and the header's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_service: Option<AppService>,
    /// Where the storage emulator's account is served, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development_storage: Option<String>,
    pub challenge_directory: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    pub process_id: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operator {
    pub client_id: String,
    pub client_secret_file: PathBuf,
    pub object_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppService {
    pub endpoint: String,
    pub header: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub name: String,
    pub resource_id: String,
    pub principal_id: String,
}

/// The name under which a running site leaves its ready document in its own data directory.
pub const FILE_NAME: &str = "ready.json";

impl Ready {
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The same site as clients see it that reach its listener by another port.
    pub fn reached_at(&self, https_port: u16) -> Self {
        let mut ready = self.clone();
        let listening = format!(":{}", self.https_port);
        let port = if https_port == 443 { String::new() } else { format!(":{https_port}") };
        for url in [
            &mut ready.authority,
            &mut ready.resource_manager,
            &mut ready.graph,
            &mut ready.console,
            &mut ready.vault_suffix,
            &mut ready.blob_suffix,
        ] {
            *url = url.replace(&listening, &port);
        }
        ready.https_port = https_port;
        ready
    }
}
