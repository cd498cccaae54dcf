//! Tag names of a subscription: predefined ones and those in use.

use cs_ids::SubscriptionId;
use cs_rbac::{Allowed, Operation};
use cs_store::{AuditRecord, TagUse};

use crate::{Manager, ResourceError, tags};

/// A tag name with how often it is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagName {
    pub name: String,
    pub count: i64,
    pub values: Vec<TagValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagValue {
    pub value: String,
    pub count: i64,
}

impl Manager {
    /// All of them, by name.
    pub async fn tag_names(
        &self,
        op: &Operation,
        subscription: SubscriptionId,
    ) -> Result<Vec<TagName>, ResourceError> {
        self.subscription(op, subscription).await?;
        Ok(gather(self.at.resources.tag_uses(op.caller.tenant, subscription).await?))
    }

    /// Predefines a name, or a value of one. `true` when it is new.
    ///
    /// # Errors
    /// [`ResourceError::BadTags`]; [`ResourceError::TagNotDefined`] for a value of a name that is not there.
    pub async fn define_tag(
        &self,
        op: &Operation,
        allowed: &Allowed,
        subscription: SubscriptionId,
        name: &str,
        value: Option<&str>,
    ) -> Result<bool, ResourceError> {
        tags::check_name(name, tags::NAME_MAX_CHARS)?;
        if let Some(value) = value {
            tags::check_value(value)?;
            let all = self.tag_names(op, subscription).await?;
            if !all.iter().any(|t| t.name.to_lowercase() == name.to_lowercase()) {
                return Err(ResourceError::TagNotDefined);
            }
        }
        self.subscription(op, subscription).await?;
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.resources.define_tag(op.caller.tenant, subscription, name, value, record).await?)
    }

    /// Takes a predefined name or value away. `false` when it was not there.
    ///
    /// # Errors
    /// [`ResourceError::TagInUse`] while something carries it.
    pub async fn undefine_tag(
        &self,
        op: &Operation,
        allowed: &Allowed,
        subscription: SubscriptionId,
        name: &str,
        value: Option<&str>,
    ) -> Result<bool, ResourceError> {
        let all = self.tag_names(op, subscription).await?;
        let known = all.iter().find(|t| t.name.to_lowercase() == name.to_lowercase());
        let in_use = match (known, value) {
            (None, _) => 0,
            (Some(tag), None) => tag.count,
            (Some(tag), Some(value)) => tag.values.iter().find(|v| v.value == value).map_or(0, |v| v.count),
        };
        if in_use > 0 {
            return Err(ResourceError::TagInUse(value.unwrap_or(name).to_owned()));
        }
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        let record = AuditRecord::done(op, allowed);
        Ok(self.at.resources.undefine_tag(op.caller.tenant, subscription, name, value, record).await?)
    }
}

/// Rows of names and values, defined and used in any mixture, to names with their values.
fn gather(rows: Vec<TagUse>) -> Vec<TagName> {
    let mut all: Vec<TagName> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in rows {
        let at = *places.entry(row.name.to_lowercase()).or_insert_with(|| {
            all.push(TagName { name: row.name.clone(), count: 0, values: Vec::new() });
            all.len() - 1
        });
        let tag = &mut all[at];
        tag.count += row.count;
        let Some(value) = row.value else { continue };
        match tag.values.iter_mut().find(|v| v.value == value) {
            Some(known) => known.count += row.count,
            None => tag.values.push(TagValue { value, count: row.count }),
        }
    }
    all.sort_by_key(|t| t.name.to_lowercase());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_gather_their_values() {
        let row = |name: &str, value: Option<&str>, count| TagUse {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            count,
        };
        let all = gather(vec![
            row("env", None, 0),
            row("zone", None, 0),
            row("Env", Some("dev"), 2),
            row("env", Some("dev"), 0),
            row("Env", Some("prod"), 1),
        ]);
        assert_eq!(
            all.iter().map(|t| (t.name.as_str(), t.count)).collect::<Vec<_>>(),
            [("env", 3), ("zone", 0)]
        );
        assert_eq!(all[0].values.len(), 2);
    }
}
