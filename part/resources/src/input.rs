//! What a writer hands in, of any kind of resource.

use serde_json::{Map, Value};

use crate::ResourceError;

/// What must be so for a write to happen (`If-Match`, `If-None-Match`). Resources here carry no ETags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    #[default]
    Always,
    /// Only to create.
    Absent,
    /// Only to change.
    Present,
}

impl When {
    /// # Errors
    /// [`ResourceError::Precondition`].
    pub fn check(self, is_there: bool) -> Result<(), ResourceError> {
        match (self, is_there) {
            (Self::Always, _) | (Self::Absent, false) | (Self::Present, true) => Ok(()),
            (Self::Absent, true) | (Self::Present, false) => Err(ResourceError::Precondition),
        }
    }
}

/// The whole of a resource, as a PUT describes it.
#[derive(Debug, Clone, Default)]
pub struct Input {
    pub when: When,
    pub location: Option<String>,
    pub tags: Option<Vec<(String, String)>>,
    /// Members beside `properties`: `sku`, `kind`, `identity`, …; those the product writes itself are ignored.
    pub extra: Map<String, Value>,
    pub properties: Map<String, Value>,
}

/// What to change; what is `None` or missing stays.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    pub when: When,
    pub tags: Option<Vec<(String, String)>>,
    pub extra: Map<String, Value>,
    pub properties: Map<String, Value>,
}

/// Root members that are the product's to say, ignored when sent back.
const READ_ONLY_ROOT: &[&str] = &["id", "name", "type", "systemData", "etag", "resourceGroup", "identity"];

/// `West Europe` and `westeurope` are one place; printed without blanks, in lower case.
pub(crate) fn location(text: Option<&str>) -> Result<Option<String>, ResourceError> {
    let Some(text) = text else { return Ok(None) };
    let folded: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if folded.is_empty() || folded.len() > 64 || !folded.chars().all(fits) {
        return Err(ResourceError::invalid("location", "is not the name of a place"));
    }
    Ok(Some(folded))
}

/// Takes out what the product says itself.
pub(crate) fn without_read_only(mut members: Map<String, Value>, read_only: &[&str]) -> Map<String, Value> {
    members.retain(|name, _| !read_only.iter().any(|r| r.eq_ignore_ascii_case(name)));
    members
}

pub(crate) fn extra(members: Map<String, Value>) -> Map<String, Value> {
    without_read_only(members, READ_ONLY_ROOT)
}

/// Lays `over` on `under`, member by member of the first level; `null` takes a member away.
pub(crate) fn merged(under: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut all = under.clone();
    for (name, value) in over {
        if value.is_null() {
            all.shift_remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    all
}

#[cfg(test)]
pub(crate) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// A boolean member; `None` when absent or null.
pub(crate) fn flag(members: &Map<String, Value>, name: &'static str) -> Result<Option<bool>, ResourceError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(ResourceError::invalid(name, "must be true or false")),
    }
}

/// A text member; `None` when absent or null.
pub(crate) fn text<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m str>, ResourceError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(ResourceError::invalid(name, "must be a string")),
    }
}

/// Rules of a network firewall are refused rather than stored: a rule nobody enforces is worse than none.
pub(crate) fn refuse_firewall(properties: &Map<String, Value>) -> Result<(), ResourceError> {
    let acls = properties.get("networkAcls").or_else(|| properties.get("networkRuleSet"));
    let of = |name: &str| acls.and_then(|a| a.get(name));
    let denies = of("defaultAction").and_then(Value::as_str).is_some_and(|a| a.eq_ignore_ascii_case("Deny"));
    let closed = text(properties, "publicNetworkAccess")?.is_some_and(|a| !a.eq_ignore_ascii_case("Enabled"));
    if denies || closed {
        let why = "may not restrict networks: this site does not enforce network rules";
        return Err(ResourceError::invalid(if denies { "networkAcls" } else { "publicNetworkAccess" }, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn locations_are_folded() {
        assert_eq!(location(Some("West Europe")).unwrap().as_deref(), Some("westeurope"));
        assert_eq!(location(None).unwrap(), None);
        assert!(location(Some("a/b")).is_err());
        assert!(location(Some(" ")).is_err());
    }

    #[test]
    fn a_firewall_nobody_enforces_is_refused() {
        let open = json!({"networkAcls": {"defaultAction": "Allow"}, "publicNetworkAccess": "Enabled"});
        assert!(refuse_firewall(&object(&open)).is_ok());
        for shut in [
            json!({"networkAcls": {"defaultAction": "deny"}}),
            json!({"publicNetworkAccess": "Disabled"}),
            json!({"publicNetworkAccess": 1}),
        ] {
            assert!(refuse_firewall(&object(&shut)).is_err(), "{shut}");
        }
    }
}
