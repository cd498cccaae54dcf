//! Scopes: where a role assignment holds.

use std::fmt;

/// The text is no scope: it does not start with `/`, is too long, or holds empty or dot segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: a resource id that starts with '/'")]
pub struct BadScope;

/// ARM refuses ids above this many characters; so do we, before any work is spent on them.
const SCOPE_MAX_CHARS: usize = 2048;

/// A resource id at which something holds, and everything below it (rbac.md 4).
///
/// Keeps the text as written, compares by a folded form: the case of ASCII letters does not count (beyond ASCII
/// folding would make look-alikes such as the Kelvin sign equal to `k`), a trailing slash does not count.
/// `/` is the root.
#[derive(Clone, Debug)]
pub struct Scope {
    text: String,
    key: String,
}

impl Scope {
    /// Reads a scope. Empty segments are collapsed (`//`), a trailing slash is dropped, anything that could
    /// make two readers see different resources (dot segments, percent signs, control or look-alike
    /// characters outside a plain path) is refused (attack D01).
    ///
    /// # Errors
    /// [`BadScope`] when the text is not such an id.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        // Counting is for the few that are long: no text has more characters than bytes.
        let too_long = text.len() > SCOPE_MAX_CHARS && text.chars().count() > SCOPE_MAX_CHARS;
        if !text.starts_with('/') || too_long {
            return Err(BadScope);
        }
        let mut clean = String::with_capacity(text.len());
        for segment in text.split('/').filter(|s| !s.is_empty()) {
            let odd = |c: char| {
                c.is_control() || c.is_whitespace() && c != ' ' || matches!(c, '%' | '?' | '#' | '\\')
            };
            // Most segments are plain: then no character has to be looked at as one.
            let plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            if !plain && (segment == "." || segment == ".." || segment.chars().any(odd)) {
                return Err(BadScope);
            }
            clean.push('/');
            clean.push_str(segment);
        }
        if clean.is_empty() {
            clean.push('/');
        }
        Ok(Self { key: clean.to_ascii_lowercase(), text: clean })
    }

    /// Of segments that a scope was read from.
    pub(crate) fn of_clean(text: String) -> Self {
        Self { key: text.to_ascii_lowercase(), text }
    }

    /// Everything: `/`.
    pub fn root() -> Self {
        Self { text: "/".to_owned(), key: "/".to_owned() }
    }

    /// As written, cleaned.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Folded, for comparison and as a database key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether `below` is this scope or lies under it, at a segment border: `…/lab` does not contain `…/lab2`.
    pub fn contains(&self, below: &Scope) -> bool {
        key_contains(&self.key, &below.key)
    }

    /// The one management group of a tenant, named like it: above all its subscriptions (arm.md 4.14).
    pub fn management_root(tenant: crate::TenantId) -> Self {
        Self::root().child("providers", "Microsoft.Management").child("managementGroups", &tenant.to_string())
    }

    /// The scope one segment pair further down, e.g. `child("secrets", "scenario")`.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let base = if self.text == "/" { "" } else { &self.text };
        let text = format!("{base}/{kind}/{name}");
        Self { key: text.to_ascii_lowercase(), text }
    }
}

fn key_contains(above: &str, below: &str) -> bool {
    above == "/" || below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Scope {}

impl std::hash::Hash for Scope {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn contains_at_segment_borders_without_case() {
        assert!(scope("/").contains(&scope("/subscriptions/s")));
        assert!(
            scope("/subscriptions/s/resourceGroups/Lab")
                .contains(&scope("/subscriptions/S/resourcegroups/lab/providers/x"))
        );
        assert!(
            !scope("/subscriptions/s/resourceGroups/lab")
                .contains(&scope("/subscriptions/s/resourceGroups/lab2"))
        );
        assert!(!scope("/subscriptions/s/resourceGroups/lab").contains(&scope("/subscriptions/s")));
    }

    #[test]
    fn d01_one_resource_has_one_key() {
        let one = scope("/subscriptions/s/resourceGroups/Lab");
        for other in ["/subscriptions/s/resourceGroups/lab/", "//subscriptions//s/RESOURCEGROUPS/LAB"] {
            assert_eq!(one, scope(other), "{other}");
        }
        assert_ne!(scope("/subscriptions/k"), scope("/subscriptions/\u{212a}"));
        for bad in ["subscriptions/s", "", "/a/../b", "/a/./b", "/a%2Fb", "/a\u{0}b", "/a?b", "/a\u{2028}b"] {
            assert_eq!(Scope::parse(bad), Err(BadScope), "{bad:?}");
        }
    }
}
