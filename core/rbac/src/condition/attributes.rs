//! What a condition may look at (rbac.md 7.3), filled in by whoever asks.

use std::borrow::Cow;

use cs_time::Timestamp;
use uuid::Uuid;

/// Where an attribute comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Resource,
    Request,
    Principal,
    Environment,
}

impl Source {
    /// Reads `Resource` and the like, in any case.
    pub(super) fn named(text: &str) -> Option<Self> {
        let all = [
            ("Resource", Self::Resource),
            ("Request", Self::Request),
            ("Principal", Self::Principal),
            ("Environment", Self::Environment),
        ];
        all.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, source)| source)
    }
}

/// One value. Lists are lists of values; a list in a list is flattened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    Guid(Uuid),
    Time(Timestamp),
    List(Vec<Value>),
}

macro_rules! from {
    ($($from:ty => $with:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                $with(value)
            }
        })*
    };
}

from! {
    &str => |v: &str| Self::Text(v.to_owned()),
    String => Self::Text,
    i64 => Self::Number,
    bool => Self::Bool,
    Uuid => Self::Guid,
    Timestamp => Self::Time,
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// The name of an attribute in its one spelling: folded, but for the key of a blob tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(Cow<'static, str>);

const CASE_MARKER: &str = "<$key_case_sensitive$>";
const TAGS: &str = "/tags:";

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let folded = text.trim().to_ascii_lowercase();
        // ASCII folding keeps byte positions, so the key can be put back.
        let key = folded
            .strip_suffix(CASE_MARKER)
            .zip(folded.find(TAGS))
            .map(|(rest, at)| at + TAGS.len()..rest.len());
        match key.filter(|key| key.start <= key.end) {
            Some(key) => {
                let exact = &text.trim()[key.clone()];
                Self(Cow::Owned([&folded[..key.start], exact, CASE_MARKER].concat()))
            }
            None => Self(Cow::Owned(folded)),
        }
    }
}

const SUB_OPERATION: Name = Name(Cow::Borrowed("suboperation"));
const UTC_NOW: Name = Name(Cow::Borrowed("utcnow"));

/// The attributes of one question. An attribute set twice counts as set last.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    entries: Vec<(Source, Name, Vec<Value>)>,
}

/// For questions that conditions can tell nothing about.
pub static NO_ATTRIBUTES: Attributes = Attributes { entries: Vec::new() };

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one, by its full name as rbac.md 7.3 spells it. Leave out what the request does not have: a missing
    /// attribute and an empty one differ for `Exists`.
    #[must_use]
    pub fn with(self, source: Source, name: &str, value: impl Into<Value>) -> Self {
        self.set(source, Name::new(name), value.into())
    }

    /// Sets one if there is a value.
    #[must_use]
    pub fn with_some(self, source: Source, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(source, name, value),
            None => self,
        }
    }

    /// Names the suboperation, `Blob.List` and the like (rbac.md 7.4); at most one a request.
    #[must_use]
    pub fn sub_operation(self, name: &str) -> Self {
        self.set(Source::Request, SUB_OPERATION, name.into())
    }

    /// Tells the time as `@Environment[UtcNow]`. Without it, conditions on time are false.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.set(Source::Environment, UTC_NOW, now.into())
    }

    fn set(mut self, source: Source, name: Name, value: Value) -> Self {
        let mut values = Vec::with_capacity(1);
        flatten(value, &mut values);
        self.entries.push((source, name, values));
        self
    }

    pub(super) fn get(&self, source: Source, name: &Name) -> Option<&[Value]> {
        self.entries
            .iter()
            .rev()
            .find(|(s, n, _)| *s == source && n == name)
            .map(|(_, _, values)| values.as_slice())
    }

    pub(super) fn get_sub_operation(&self) -> Option<&str> {
        match self.get(Source::Request, &SUB_OPERATION)? {
            [Value::Text(name)] => Some(name),
            _ => None,
        }
    }
}

fn flatten(value: Value, into: &mut Vec<Value>) {
    match value {
        Value::List(values) => values.into_iter().for_each(|v| flatten(v, into)),
        one => into.push(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_but_for_tag_keys() {
        assert_eq!(Name::new("A/B:Name"), Name::new("a/b:nAME"));
        let tag = |key: &str| Name::new(&format!("X/Blobs/TAGS:{key}<$KEY_case_sensitive$>"));
        assert_eq!(tag("Project"), Name::new("x/blobs/tags:Project<$key_case_sensitive$>"));
        assert_ne!(tag("Project"), tag("project"));
        assert_eq!(tag("a:b/tags:C"), Name::new("x/blobs/tags:a:b/tags:C<$key_case_sensitive$>"));
    }
}
