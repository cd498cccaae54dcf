//! Values both engines share: whole numbers, text, bytes and null.

use cs_ids::{BadUuid, ResourceId, Scope};
use cs_store::StoreError;
use cs_time::Timestamp;

/// A parameter or column value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

macro_rules! into_value {
    ($($from:ty => |$x:ident| $to:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($x: $from) -> Self {
                $to
            }
        }
    )*};
}

into_value! {
    i64 => |x| Self::Int(x),
    u32 => |x| Self::Int(i64::from(x)),
    bool => |x| Self::Int(i64::from(x)),
    String => |x| Self::Text(x),
    &str => |x| Self::Text(x.to_owned()),
    &String => |x| Self::Text(x.clone()),
    Vec<u8> => |x| Self::Bytes(x),
    &Vec<u8> => |x| Self::Bytes(x.clone()),
    &[u8] => |x| Self::Bytes(x.to_vec()),
    Timestamp => |x| Self::Int(x.micros()),
    cs_ids::TenantId => |x| Self::Text(x.to_string()),
    cs_ids::ObjectId => |x| Self::Text(x.to_string()),
    cs_ids::ClientId => |x| Self::Text(x.to_string()),
    cs_ids::SubscriptionId => |x| Self::Text(x.to_string()),
    cs_ids::CorrelationId => |x| Self::Text(x.to_string()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Builds a parameter list: `values![tenant, name, 5]`.
#[macro_export]
macro_rules! values {
    ($($x:expr),* $(,)?) => { [$($crate::Value::from($x)),*] };
}

/// One row of an answer; columns by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

fn damaged(column: usize, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged { what: "column", cause: format!("{column}: {cause}") }
}

impl Row {
    fn at(&self, column: usize) -> Result<&Value, StoreError> {
        self.0.get(column).ok_or_else(|| damaged(column, "not in the row"))
    }

    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self.at(column)? {
            Value::Int(x) => Ok(*x),
            other => Err(damaged(column, format!("{other:?} is no number"))),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.at(column)? {
            Value::Text(x) => Ok(x),
            _ => Err(damaged(column, "no text")),
        }
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.at(column)? {
            Value::Bytes(x) => Ok(x),
            _ => Err(damaged(column, "no bytes")),
        }
    }

    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Value::Null))
    }

    /// `None` for a null column, else what `read` makes of it.
    pub fn optional<'r, T>(
        &'r self,
        column: usize,
        read: impl FnOnce(&'r Self, usize) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        if self.is_null(column) { Ok(None) } else { read(self, column).map(Some) }
    }

    pub fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    pub fn flag(&self, column: usize) -> Result<bool, StoreError> {
        self.int(column).map(|x| x != 0)
    }

    pub fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// Any of the UUID types of `cs-ids`.
    pub fn id<T: std::str::FromStr<Err = BadUuid>>(&self, column: usize) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|e| damaged(column, e))
    }

    pub fn scope(&self, column: usize) -> Result<Scope, StoreError> {
        Scope::parse(self.text(column)?).map_err(|e| damaged(column, e))
    }

    pub fn resource_id(&self, column: usize) -> Result<ResourceId, StoreError> {
        ResourceId::parse(self.text(column)?).map_err(|e| damaged(column, e))
    }

    pub fn json(&self, column: usize) -> Result<serde_json::Value, StoreError> {
        serde_json::from_str(self.text(column)?).map_err(|e| damaged(column, e))
    }

    /// A word of a closed list, such as a kind.
    pub fn word<T>(&self, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(self.text(column)?).ok_or_else(|| damaged(column, "unknown word"))
    }
}
