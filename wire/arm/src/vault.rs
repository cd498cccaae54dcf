//! Names and deleted vaults (arm.md 4.8, 4.9).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `checkNameAvailability` of vaults and storage accounts.
#[derive(Debug, Clone, Deserialize)]
pub struct NameQuestion {
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameAvailability {
    pub name_available: bool,
    /// `AccountNameInvalid` or `AlreadyExists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `regenerateKey` of a storage account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyQuestion {
    pub key_name: String,
}

/// `listKeys` of a storage account. No `Debug`: it holds secrets.
#[derive(Serialize)]
pub struct AccountKeys {
    pub keys: Vec<AccountKeyReply>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountKeyReply {
    pub creation_time: String,
    pub key_name: &'static str,
    pub value: String,
    pub permissions: &'static str,
}

/// `listAccountSas` of a storage account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSasQuestion {
    pub signed_services: String,
    pub signed_resource_types: String,
    pub signed_permission: String,
    pub signed_expiry: String,
    #[serde(flatten)]
    pub bounds: SasBounds,
}

/// `listServiceSas` of a storage account.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSasQuestion {
    pub canonicalized_resource: String,
    pub signed_resource: Option<String>,
    pub signed_permission: Option<String>,
    pub signed_expiry: Option<String>,
    pub signed_identifier: Option<String>,
    pub start_pk: Option<String>,
    pub end_pk: Option<String>,
    pub start_rk: Option<String>,
    pub end_rk: Option<String>,
    pub rscc: Option<String>,
    pub rscd: Option<String>,
    pub rsce: Option<String>,
    pub rscl: Option<String>,
    pub rsct: Option<String>,
    #[serde(flatten)]
    pub bounds: SasBounds,
}

/// What may bound either signature, and the key it is made with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SasBounds {
    pub signed_start: Option<String>,
    pub signed_ip: Option<String>,
    pub signed_protocol: Option<String>,
    pub key_to_sign: Option<String>,
}

/// A signature handed out. No `Debug`: it opens what it is of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSas {
    pub account_sas_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSas {
    pub service_sas_token: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct DeletedVault {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub properties: DeletedVaultProperties,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedVaultProperties {
    pub vault_id: String,
    pub location: String,
    pub tags: Map<String, Value>,
    pub deletion_date: String,
    pub scheduled_purge_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purge_protection_enabled: Option<bool>,
}
