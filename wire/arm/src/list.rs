//! Lists (arm.md 1.5).

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct List<T> {
    pub value: Vec<T>,
    /// Absent on the last page.
    #[serde(rename = "nextLink", skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    /// Only on `/subscriptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Count {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: i64,
}

impl Count {
    pub fn total(value: i64) -> Self {
        Self { kind: "Total", value }
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(value: Vec<T>) -> Self {
        Self { value, next_link: None, count: None }
    }
}
