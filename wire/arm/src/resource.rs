//! The envelope every resource shares (arm.md 1.3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::described;

/// The body is no resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBody(pub String);

/// What a PUT or PATCH of a resource sends. Members we do not know are kept in `rest`.
#[derive(Debug, Clone, Default)]
pub struct ResourceBody {
    pub location: Option<String>,
    tags: Option<Map<String, Value>>,
    pub properties: Option<Map<String, Value>>,
    pub rest: Map<String, Value>,
}

impl ResourceBody {
    /// Reads a resource of the type `kind`. An empty body is an empty resource. Nesting beyond serde_json's 128 levels is refused (D07).
    ///
    /// # Errors
    /// [`BadBody`] with a sentence for the caller, which names the member that is of the wrong type.
    pub fn parse(kind: &str, bytes: &[u8]) -> Result<Self, BadBody> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let mut rest = object(bytes)?;
        described::check(kind, &rest)?;
        let location = match rest.shift_remove("location") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err(wrong("location", "a string")),
        };
        let mut map = |name: &str| match rest.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(wrong(name, "an object")),
        };
        Ok(Self { location, tags: map("tags")?, properties: map("properties")?, rest })
    }

    /// Tags in the order written; `null` as a value counts as empty.
    ///
    /// # Errors
    /// [`BadBody`] when a value is no string.
    pub fn tags(&self) -> Result<Option<Vec<(String, String)>>, BadBody> {
        self.tags.as_ref().map(tag_list).transpose()
    }
}

/// Reads a body that must be an object.
///
/// # Errors
/// [`BadBody`] with a sentence for the caller.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, BadBody> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(BadBody("The request content was invalid: it must be a JSON object.".to_owned())),
        Err(e) => {
            Err(BadBody(format!("The request content was invalid and could not be deserialized: {e}.")))
        }
    }
}

pub(crate) fn wrong(member: &str, what: &str) -> BadBody {
    // A member's name comes from the caller: short, and on one line (H06).
    let member: String =
        member.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    BadBody(format!(
        "The request content was invalid and could not be deserialized: '{member}' must be {what}."
    ))
}

pub(crate) fn tag_list(tags: &Map<String, Value>) -> Result<Vec<(String, String)>, BadBody> {
    tags.iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Null => Ok((name.clone(), String::new())),
            _ => Err(wrong(&format!("tags.{name}"), "a string")),
        })
        .collect()
}

/// Tags as a JSON object.
pub fn tag_map(tags: &[(String, String)]) -> Map<String, Value> {
    tags.iter().map(|(n, v)| (n.clone(), Value::String(v.clone()))).collect()
}

/// `moveResources` of a resource group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveBody {
    pub resources: Vec<String>,
    pub target_resource_group: String,
}

/// `exportTemplate` of a resource group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportQuestion {
    /// Ids, or `*`.
    #[serde(default)]
    pub resources: Vec<String>,
    pub output_format: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ExportReply {
    pub template: Value,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemData {
    pub created_by: String,
    /// `User`, `Application`, `ManagedIdentity` or `Key`.
    pub created_by_type: &'static str,
    pub created_at: String,
    pub last_modified_by: String,
    pub last_modified_by_type: &'static str,
    pub last_modified_at: String,
}
