//! Resource ids of the resource manager: `/subscriptions/{s}/resourceGroups/{g}/providers/{ns}/{type}/{name}…`.

use std::fmt::{self, Write as _};

use crate::{Scope, SubscriptionId};

/// The text is not a resource id of a shape we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a resource id")]
pub struct BadResourceId;

/// A resource type, `Microsoft.KeyVault/vaults`, with child types joined by `/`. Compares without case.
#[derive(Debug, Clone)]
pub struct ResourceType(String);

impl ResourceType {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    pub fn is(&self, text: &str) -> bool {
        self.0.eq_ignore_ascii_case(text)
    }
}

impl PartialEq for ResourceType {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ResourceType {}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A parsed resource id below a subscription: the subscription itself, a resource group or a resource.
///
/// ```text
/// /subscriptions/{s}                                             group None, kind None
/// /subscriptions/{s}/resourceGroups/{g}                          group Some, kind None
/// /subscriptions/{s}/resourceGroups/{g}/providers/{ns}/{t}/{n}   group Some, kind Some
/// ```
#[derive(Debug, Clone)]
pub struct ResourceId {
    scope: Scope,
    subscription: SubscriptionId,
    group: Option<String>,
    kind: Option<ResourceType>,
    name: String,
}

impl ResourceId {
    /// Reads an id in any case; the canonical text spells `subscriptions`, `resourceGroups` and `providers` as
    /// the resource manager does and keeps the names as written.
    ///
    /// # Errors
    /// [`BadResourceId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, BadResourceId> {
        let scope = Scope::parse(text).map_err(|_| BadResourceId)?;
        let parts: Vec<&str> = scope.as_str().split('/').skip(1).collect();
        let (subscription, rest) = match parts.split_first_chunk::<2>() {
            Some(([word, id], rest)) if word.eq_ignore_ascii_case("subscriptions") => {
                (id.parse::<SubscriptionId>().map_err(|_| BadResourceId)?, rest)
            }
            _ => return Err(BadResourceId),
        };
        let (group, rest) = match rest.split_first_chunk::<2>() {
            Some(([word, name], rest)) if word.eq_ignore_ascii_case("resourceGroups") => {
                (Some((*name).to_owned()), rest)
            }
            _ => (None, rest),
        };
        let (kind, name) = match rest {
            [] => (None, group.clone().unwrap_or_else(|| subscription.to_string())),
            [word, namespace, types @ ..]
                if word.eq_ignore_ascii_case("providers") && !types.is_empty() && types.len() % 2 == 0 =>
            {
                if types.iter().any(|t| t.eq_ignore_ascii_case("providers")) {
                    return Err(BadResourceId);
                }
                let words: Vec<&str> = types.iter().step_by(2).copied().collect();
                let name = types.last().copied().unwrap_or_default().to_owned();
                (Some(ResourceType::new(format!("{namespace}/{}", words.join("/")))), name)
            }
            _ => return Err(BadResourceId),
        };
        let mut canonical = String::with_capacity(scope.as_str().len());
        // Writing into a text does not fail.
        let _ = write!(canonical, "/subscriptions/{subscription}");
        if let Some(group) = &group {
            canonical.push_str("/resourceGroups/");
            canonical.push_str(group);
        }
        if let [_, tail @ ..] = rest {
            canonical.push_str("/providers");
            for segment in tail {
                canonical.push('/');
                canonical.push_str(segment);
            }
        }
        let scope = Scope::of_clean(canonical);
        Ok(Self { scope, subscription, group, kind, name })
    }

    pub fn of_subscription(subscription: SubscriptionId) -> Self {
        let scope = Scope::root().child("subscriptions", &subscription.to_string());
        Self { name: subscription.to_string(), scope, subscription, group: None, kind: None }
    }

    /// The group's id; `group` must be a valid [`crate::GroupName`].
    pub fn of_group(subscription: SubscriptionId, group: &str) -> Self {
        let above = Self::of_subscription(subscription);
        Self {
            scope: above.scope.child("resourceGroups", group),
            group: Some(group.to_owned()),
            name: group.to_owned(),
            ..above
        }
    }

    /// A resource of a group, e.g. `of_resource(s, "lab", "Microsoft.KeyVault", "vaults", "kv")`.
    pub fn of_resource(
        subscription: SubscriptionId,
        group: &str,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Self {
        let above = Self::of_group(subscription, group);
        let scope = above.scope.child("providers", namespace).child(kind, name);
        Self {
            scope,
            kind: Some(ResourceType::new(format!("{namespace}/{kind}"))),
            name: name.to_owned(),
            ..above
        }
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The resource this one is a child of.
    pub fn parent(&self) -> Option<Self> {
        let nested = self.kind.as_ref().is_some_and(|k| k.as_str().matches('/').count() > 1);
        let (above, _) = self.as_str().rsplit_once('/').and_then(|(above, _)| above.rsplit_once('/'))?;
        nested.then(|| Self::parse(above).ok()).flatten()
    }

    /// A child of this resource.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let types = self.kind.as_ref().map(|k| format!("{k}/{kind}"));
        Self {
            scope: self.scope.child(kind, name),
            kind: types.map(ResourceType::new),
            name: name.to_owned(),
            subscription: self.subscription,
            group: self.group.clone(),
        }
    }

    /// Canonical text.
    pub fn as_str(&self) -> &str {
        self.scope.as_str()
    }

    /// Folded, as a database key.
    pub fn key(&self) -> &str {
        self.scope.key()
    }

    pub fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// `None` for a subscription or group.
    pub fn kind(&self) -> Option<&ResourceType> {
        self.kind.as_ref()
    }

    /// The last name of the id.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl PartialEq for ResourceId {
    /// Without regard to case, as everywhere in the resource manager.
    fn eq(&self, other: &Self) -> bool {
        self.scope == other.scope
    }
}

impl Eq for ResourceId {}

impl std::hash::Hash for ResourceId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.scope.hash(state);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scope.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_and_parents() {
        let s = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
        let machine = ResourceId::parse(&format!("{s}/resourceGroups/g/providers/N.S/machines/m")).unwrap();
        let child = machine.child("extensions", "e");
        assert_eq!(child, ResourceId::parse(&format!("{machine}/extensions/e")).unwrap());
        assert_eq!(child.parent(), Some(machine.clone()));
        assert!(child.kind().unwrap().is("N.S/machines/extensions"));
        assert_eq!(machine.parent(), None);
        assert_eq!(ResourceId::parse(s).unwrap().parent(), None);
    }

    const S: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

    #[test]
    fn canonical_words_and_kept_names() {
        let id = ResourceId::parse(&format!(
            "/Subscriptions/{S}/resourcegroups/Lab/PROVIDERS/Microsoft.KeyVault//vaults/Kv1/"
        ))
        .unwrap();
        assert_eq!(
            id.as_str(),
            format!("/subscriptions/{S}/resourceGroups/Lab/providers/Microsoft.KeyVault/vaults/Kv1")
        );
        assert_eq!((id.group(), id.name()), (Some("Lab"), "Kv1"));
        assert!(id.kind().unwrap().is("microsoft.keyvault/VAULTS"));
        assert_eq!(
            id,
            ResourceId::of_resource(S.parse().unwrap(), "lab", "microsoft.keyvault", "vaults", "kv1")
        );
    }

    #[test]
    fn subscription_and_group() {
        let s = ResourceId::of_subscription(S.parse().unwrap());
        assert_eq!(s.as_str(), format!("/subscriptions/{S}"));
        assert_eq!(s.name(), S);
        assert_eq!(ResourceId::parse(s.as_str()).unwrap(), s);
        let g = ResourceId::of_group(S.parse().unwrap(), "lab");
        assert_eq!(ResourceId::parse(g.as_str()).unwrap(), g);
    }

    #[test]
    fn refuses_other_shapes() {
        for bad in [
            "/",
            "/subscriptions",
            "/subscriptions/x",
            "/providers/a/b/c",
            "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/foo/bar",
            "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/g/providers/ns/type",
        ] {
            assert_eq!(ResourceId::parse(bad), Err(BadResourceId), "{bad}");
        }
    }
}
