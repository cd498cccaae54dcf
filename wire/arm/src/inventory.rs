//! Questions to Resource Graph (arm.md 4.13).

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GraphQuestion {
    pub query: String,
    pub subscriptions: Option<Vec<String>>,
    pub management_groups: Option<Vec<String>>,
    pub options: Option<GraphOptions>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GraphOptions {
    #[serde(rename = "$top")]
    pub top: Option<usize>,
    #[serde(rename = "$skip")]
    pub skip: Option<usize>,
    #[serde(rename = "$skipToken")]
    pub skip_token: Option<String>,
    #[serde(rename = "resultFormat")]
    result_format: Option<String>,
}

impl GraphOptions {
    /// Columns and rows instead of objects.
    pub fn is_table(&self) -> bool {
        self.result_format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("table"))
    }
}
