//! Tags on groups, resources and subscriptions.

mod names;

use cs_ids::{ResourceId, Scope};
use cs_rbac::{Allowed, Operation};
use cs_store::AuditRecord;

use crate::{
    ACCOUNTS, Manager, ResourceError,
    write::{Companions, Shape},
};

pub use names::{TagName, TagValue};

/// Longest tag name.
pub(crate) const NAME_MAX_CHARS: usize = 512;
/// Longest tag name on a storage account.
pub(crate) const ACCOUNT_NAME_MAX_CHARS: usize = 128;
const VALUE_MAX_CHARS: usize = 256;
/// On one resource, group or subscription.
const TAGS_MAX: usize = 50;
const RESERVED: &[&str] = &["microsoft", "azure", "windows"];

/// How to change the tags of something (arm.md 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagChange {
    /// Adds, and overwrites what has the same name.
    Merge,
    Replace,
    /// Takes away the names given; where a value is given, only if it is that value.
    Delete,
}

impl TagChange {
    /// Without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        [("merge", Self::Merge), ("replace", Self::Replace), ("delete", Self::Delete)]
            .into_iter()
            .find_map(|(name, change)| name.eq_ignore_ascii_case(text).then_some(change))
    }

    fn apply(self, old: &[(String, String)], given: &[(String, String)]) -> Vec<(String, String)> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        match self {
            Self::Replace => given.to_vec(),
            Self::Delete => old
                .iter()
                .filter(|(n, v)| !given.iter().any(|(m, w)| same(n, m) && (w.is_empty() || w == v)))
                .cloned()
                .collect(),
            Self::Merge => {
                let mut all = old.to_vec();
                for (name, value) in given {
                    match all.iter_mut().find(|(n, _)| same(n, name)) {
                        Some(tag) => tag.1.clone_from(value),
                        None => all.push((name.clone(), value.clone())),
                    }
                }
                all
            }
        }
    }
}

/// Whether these may be the tags of something.
pub(crate) fn check(tags: &[(String, String)], name_max_chars: usize) -> Result<(), ResourceError> {
    if tags.len() > TAGS_MAX {
        return Err(ResourceError::BadTags(format!(
            "{} tags are given, at most {TAGS_MAX} may be",
            tags.len()
        )));
    }
    for (at, (name, value)) in tags.iter().enumerate() {
        check_name(name, name_max_chars)?;
        check_value(value)?;
        if tags[..at].iter().any(|(n, _)| n.to_lowercase() == name.to_lowercase()) {
            return Err(ResourceError::BadTags(format!("the tag '{name}' is given twice")));
        }
    }
    Ok(())
}

pub(crate) fn check_name(name: &str, max_chars: usize) -> Result<(), ResourceError> {
    let odd = |c: char| c.is_control() || "<>%&\\?/".contains(c);
    if name.trim().is_empty() || name.chars().count() > max_chars || name.chars().any(odd) {
        let rule = format!("1 to {max_chars} characters without < > % & \\ ? / and control characters");
        return Err(ResourceError::BadTags(format!("the tag name '{}' is not valid: {rule}", shown(name))));
    }
    let folded = name.to_lowercase();
    if let Some(prefix) = RESERVED.iter().find(|r| folded.starts_with(**r)) {
        return Err(ResourceError::BadTags(format!("tag names that begin with '{prefix}' are reserved")));
    }
    Ok(())
}

pub(crate) fn check_value(value: &str) -> Result<(), ResourceError> {
    if value.chars().count() > VALUE_MAX_CHARS || value.chars().any(char::is_control) {
        let rule = format!("at most {VALUE_MAX_CHARS} characters, none of them a control character");
        return Err(ResourceError::BadTags(format!("the tag value '{}' is not valid: {rule}", shown(value))));
    }
    Ok(())
}

/// What a message repeats of a bad name: short, and one line.
fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl Manager {
    /// The tags of a subscription, group or resource.
    ///
    /// # Errors
    /// [`ResourceError::NoScope`] and its kin when there is nothing.
    pub async fn tags(&self, op: &Operation, at: &Scope) -> Result<Vec<(String, String)>, ResourceError> {
        let id = taggable(at)?;
        if is_subscription(&id) {
            return Ok(self.subscription(op, id.subscription()).await?.tags);
        }
        Ok(self.existing(op, &id).await?.tags)
    }

    /// Changes them; answers what is there afterwards.
    ///
    /// # Errors
    /// [`ResourceError::BadTags`], [`ResourceError::NoScope`] and its kin.
    pub async fn change_tags(
        &self,
        op: &Operation,
        allowed: &Allowed,
        at: &Scope,
        change: TagChange,
        given: &[(String, String)],
    ) -> Result<Vec<(String, String)>, ResourceError> {
        let id = taggable(at)?;
        if is_subscription(&id) {
            let old = self.subscription(op, id.subscription()).await?.tags;
            let new = change.apply(&old, given);
            check(&new, NAME_MAX_CHARS)?;
            let record = AuditRecord::done(op, allowed);
            let (tenant, subscription) = (op.caller.tenant, id.subscription());
            self.at.resources.set_subscription_tags(tenant, subscription, new.clone(), record).await?;
            return Ok(new);
        }
        let kind = self.existing(op, &id).await?.kind;
        let longest =
            if kind.eq_ignore_ascii_case(ACCOUNTS) { ACCOUNT_NAME_MAX_CHARS } else { NAME_MAX_CHARS };
        let written = self.write(op, allowed, (&id, &kind), Companions::default(), |known| {
            let mut shape = Shape::of(known.ok_or_else(|| ResourceError::NoResource(Box::new(id.clone())))?);
            shape.tags = change.apply(&shape.tags, given);
            check(&shape.tags, longest)?;
            Ok(shape)
        });
        Ok(written.await?.0.tags)
    }
}

fn taggable(at: &Scope) -> Result<ResourceId, ResourceError> {
    ResourceId::parse(at.as_str()).map_err(|_| ResourceError::NoScope(Box::new(at.clone())))
}

fn is_subscription(id: &ResourceId) -> bool {
    id.group().is_none() && id.kind().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn changes() {
        let old = tags(&[("Env", "dev"), ("team", "a")]);
        let merged = TagChange::Merge.apply(&old, &tags(&[("env", "prod"), ("x", "1")]));
        assert_eq!(merged, tags(&[("Env", "prod"), ("team", "a"), ("x", "1")]));
        assert_eq!(TagChange::Replace.apply(&old, &tags(&[("x", "1")])), tags(&[("x", "1")]));
        let deleted = TagChange::Delete.apply(&old, &tags(&[("ENV", ""), ("team", "b")]));
        assert_eq!(deleted, tags(&[("team", "a")]));
        assert_eq!(TagChange::parse("MERGE"), Some(TagChange::Merge));
        assert_eq!(TagChange::parse("add"), None);
    }

    #[test]
    fn h06_tags_hold_no_lines() {
        for (name, value) in
            [("a\nb", "x"), ("a", "x\u{1b}[31m"), ("", "x"), ("a/b", "x"), ("Microsoft.x", "y")]
        {
            assert!(check(&tags(&[(name, value)]), NAME_MAX_CHARS).is_err(), "{name:?} {value:?}");
        }
        let message = check_name("a\nb", 10).unwrap_err().to_string();
        assert!(!message.contains('\n'));
    }

    #[test]
    fn limits() {
        let many: Vec<_> = (0..51).map(|n| (format!("n{n}"), String::new())).collect();
        assert!(check(&many, NAME_MAX_CHARS).is_err());
        assert!(check(&many[..50], NAME_MAX_CHARS).is_ok());
        assert!(check(&tags(&[("a", ""), ("A", "")]), NAME_MAX_CHARS).is_err());
        assert!(check(&tags(&[("a", &"v".repeat(257))]), NAME_MAX_CHARS).is_err());
        assert!(check(&tags(&[(&"n".repeat(129), "")]), ACCOUNT_NAME_MAX_CHARS).is_err());
    }
}
