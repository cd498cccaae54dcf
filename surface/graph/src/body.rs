//! Bodies, member by member: what is of the wrong type is named.

use cs_time::Timestamp;
use serde_json::{Map, Value};

use crate::{failure::Failure, kept};

/// Said by the site, ignored when sent.
const READ_ONLY: &[&str] = &[
    "id",
    "appId",
    "createdDateTime",
    "deletedDateTime",
    "publisherDomain",
    "passwordCredentials",
    "appOwnerOrganizationId",
    "servicePrincipalNames",
    "servicePrincipalType",
    "alternativeNames",
    "passwordProfile",
    "userPrincipalName",
    "mailNickname",
];

/// An object of which members are taken one after the other.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            _ => Err(Failure::bad("Unable to read JSON request payload. It must be a JSON object.")),
        }
    }

    pub fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name)),
        }
    }

    pub fn needed(&mut self, name: &'static str) -> Result<String, Failure> {
        let missing = || Failure::bad(format!("A value is required for property '{name}' of resource."));
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// A boolean; older clients send it as text.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(wrong(name)),
        }
    }

    pub fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, Failure> {
        let Some(all) = self.list(name)? else { return Ok(None) };
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            _ => Err(wrong(name)),
        };
        all.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    pub fn list(&mut self, name: &'static str) -> Result<Option<Vec<Value>>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(all)) => Ok(Some(all)),
            Some(_) => Err(wrong(name)),
        }
    }

    pub fn object(&mut self, name: &'static str) -> Result<Option<Self>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(value).map(Some).ok_or_else(|| wrong(name)),
        }
    }

    pub fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Timestamp::parse_rfc3339(&text).map(Some).ok_or_else(|| wrong(name))
    }

    /// What is left, to be kept as it is; `null` stays, it takes a member away.
    ///
    /// # Errors
    /// A member that Graph knows is of another type.
    pub fn rest(mut self) -> Result<Map<String, Value>, Failure> {
        self.0
            .retain(|name, _| !READ_ONLY.iter().any(|r| r.eq_ignore_ascii_case(name)) && !name.contains('@'));
        kept::check(&self.0)?;
        Ok(self.0)
    }
}

pub(crate) fn wrong(name: &'static str) -> Failure {
    Failure::bad(format!("Invalid value specified for property '{name}' of resource."))
}
