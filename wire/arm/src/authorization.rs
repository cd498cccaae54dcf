//! Role definitions and assignments (rbac.md 2, 3). Explicit `null`s are part of the shape.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize)]
pub struct RoleAssignment {
    pub properties: RoleAssignmentProperties,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignmentProperties {
    pub role_definition_id: String,
    pub principal_id: String,
    pub principal_type: String,
    /// az lower-cases it: `null` crashes.
    pub scope: String,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub created_on: String,
    pub updated_on: String,
    /// `null` in the answer to a PUT.
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
    pub delegated_managed_identity_resource_id: Option<String>,
    pub description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RoleAssignmentBody {
    pub properties: RoleAssignmentBodyProperties,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleAssignmentBodyProperties {
    pub role_definition_id: String,
    pub principal_id: String,
    pub principal_type: Option<String>,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
    pub description: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RoleDefinition {
    pub properties: RoleDefinitionProperties,
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleDefinitionProperties {
    pub role_name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub description: String,
    pub assignable_scopes: Vec<String>,
    pub permissions: Vec<RolePermission>,
    pub created_on: String,
    pub updated_on: String,
    pub created_by: Option<String>,
    pub updated_by: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolePermission {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RoleDefinitionBody {
    pub properties: RoleDefinitionBodyProperties,
}

/// `type` and what the site says itself are ignored when sent back.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleDefinitionBodyProperties {
    pub role_name: String,
    pub description: Option<String>,
    #[serde(default)]
    pub permissions: Vec<RolePermission>,
    #[serde(default)]
    pub assignable_scopes: Vec<String>,
}
