//! Documents of the Key Vault data plane, secrets (keyvault.md 4; swagger 7.5 `secrets.json`).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// `attributes`: times are whole seconds, as numbers; what is absent is left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub created: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub updated: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", skip_deserializing, rename = "recoveryLevel")]
    pub recovery_level: Option<&'static str>,
    /// From 7.1 on.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        skip_deserializing,
        rename = "recoverableDays"
    )]
    pub recoverable_days: Option<i64>,
}

/// SecretBundle and DeletedSecretBundle; members in the order of the original.
#[derive(Debug, Serialize)]
pub struct SecretBundle {
    #[serde(skip_serializing_if = "Option::is_none", rename = "recoveryId")]
    pub recovery_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "deletedDate")]
    pub deleted_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "scheduledPurgeDate")]
    pub scheduled_purge_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "contentType")]
    pub content_type: Option<String>,
    pub id: String,
    pub attributes: Attributes,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
}

/// Body of set and update. Unknown members are ignored everywhere (keyvault.md 3).
#[derive(Deserialize)]
pub struct SecretParameters {
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default, rename = "contentType")]
    pub content_type: Option<String>,
    #[serde(default)]
    pub tags: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "object")]
    pub attributes: Option<Attributes>,
}

/// Serde would also take the members from a list, in their order.
fn object<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Attributes>, D::Error> {
    let members = Option::<Map<String, Value>>::deserialize(from)?;
    members.map(|m| serde_json::from_value(Value::Object(m)).map_err(serde::de::Error::custom)).transpose()
}

/// Body of restore, and answer of backup: base64url without padding.
#[derive(Serialize, Deserialize)]
pub struct Backup {
    pub value: String,
}

/// A page; `nextLink` is `null` on the last one.
#[derive(Debug, Serialize)]
pub struct Page {
    pub value: Vec<SecretBundle>,
    #[serde(rename = "nextLink")]
    pub next_link: Option<String>,
}

/// Every error.
#[derive(Debug, Serialize)]
pub struct ErrorReply {
    pub error: ErrorBody,
}

#[derive(Debug, Serialize)]
pub struct ErrorBody {
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innererror: Option<InnerError>,
}

#[derive(Debug, Serialize)]
pub struct InnerError {
    pub code: &'static str,
}
