//! Tag names and `tags/default` (arm.md 4.5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{BadBody, Count, resource::tag_list};

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagNameReply {
    pub id: String,
    pub tag_name: String,
    pub count: Count,
    pub values: Vec<TagValueReply>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagValueReply {
    pub id: String,
    pub tag_value: String,
    pub count: Count,
}

#[derive(Debug, Clone, Serialize)]
pub struct TagsReply {
    pub id: String,
    pub name: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub properties: TagsProperties,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TagsProperties {
    pub tags: Map<String, Value>,
}

/// PUT and PATCH of `tags/default`; `operation` only in PATCH.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TagsBody {
    pub operation: Option<String>,
    properties: TagsProperties,
}

impl TagsBody {
    /// # Errors
    /// [`BadBody`] with a sentence for the caller.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadBody> {
        serde_json::from_slice(bytes).map_err(|e| BadBody(format!("The request content was invalid: {e}.")))
    }

    /// # Errors
    /// [`BadBody`] when a value is no string.
    pub fn tags(&self) -> Result<Vec<(String, String)>, BadBody> {
        tag_list(&self.properties.tags)
    }
}
