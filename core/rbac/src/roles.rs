//! Role definitions: named sets of permission blocks.

use std::sync::Arc;

use cs_ids::{BadScope, Scope};
use serde::{Deserialize, Serialize};

use crate::{BadPattern, Kind, Pattern, RoleId, condition::Guard};

/// The parts do not make a role definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRole {
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    #[error(transparent)]
    Scope(#[from] BadScope),
}

/// Whether the definition came with the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleKind {
    BuiltIn,
    Custom,
}

impl RoleKind {
    /// As the resource manager spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "BuiltInRole",
            Self::Custom => "CustomRole",
        }
    }
}

/// A permission block as it is written and stored (rbac.md 2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PermissionText {
    pub actions: Vec<String>,
    pub not_actions: Vec<String>,
    pub data_actions: Vec<String>,
    pub not_data_actions: Vec<String>,
    pub condition: Option<String>,
    pub condition_version: Option<String>,
}

/// A permission block, ready to be asked.
#[derive(Debug, Clone)]
pub struct Permission {
    text: PermissionText,
    actions: [Patterns; 2],
    condition: Option<Guard>,
}

/// What one kind of operation is granted: everything of `yes` but `no`.
#[derive(Debug, Clone)]
struct Patterns {
    yes: Box<[Pattern]>,
    no: Box<[Pattern]>,
}

impl Patterns {
    fn parse(yes: &[String], no: &[String]) -> Result<Self, BadPattern> {
        let all = |texts: &[String]| texts.iter().map(|t| Pattern::parse(t)).collect::<Result<_, _>>();
        Ok(Self { yes: all(yes)?, no: all(no)? })
    }

    fn permit(&self, operation: &str) -> bool {
        self.yes.iter().any(|p| p.matches(operation)) && !self.no.iter().any(|p| p.matches(operation))
    }
}

impl Permission {
    /// A condition that does not parse makes a block that grants nothing, not an error: it was stored once.
    ///
    /// # Errors
    /// [`BadPattern`] when an action is no operation name or pattern.
    pub fn parse(text: PermissionText) -> Result<Self, BadPattern> {
        let actions = [
            Patterns::parse(&text.actions, &text.not_actions)?,
            Patterns::parse(&text.data_actions, &text.not_data_actions)?,
        ];
        let condition = text.condition.as_deref().map(Guard::read);
        Ok(Self { actions, condition, text })
    }

    /// Whether the block lists the operation, its condition aside. Actions never grant data actions.
    pub fn permits(&self, kind: Kind, operation: &str) -> bool {
        match kind {
            Kind::Action => self.actions[0].permit(operation),
            Kind::DataAction => self.actions[1].permit(operation),
        }
    }

    pub(crate) fn condition(&self) -> Option<&Guard> {
        self.condition.as_ref()
    }

    /// As written.
    pub fn text(&self) -> &PermissionText {
        &self.text
    }
}

/// A role definition, ready to be asked.
#[derive(Debug, Clone)]
pub struct RoleDefinition {
    pub id: RoleId,
    pub name: Arc<str>,
    pub description: String,
    pub kind: RoleKind,
    /// Where it may be assigned; `/` only for built-in roles.
    pub assignable: Vec<Scope>,
    /// United; what one block takes away, another may still give (inferred, case r028).
    pub permissions: Vec<Permission>,
}

impl RoleDefinition {
    /// A role somebody defined. Its rules (one block, unique name, lengths) are the part's to check.
    ///
    /// # Errors
    /// [`BadRole`] when an action is no pattern or a scope is none.
    pub fn custom(
        id: RoleId,
        name: &str,
        description: &str,
        assignable: &[String],
        permissions: Vec<PermissionText>,
    ) -> Result<Self, BadRole> {
        Self::of_kind(RoleKind::Custom, id, name, description, assignable, permissions)
    }

    pub(crate) fn of_kind(
        kind: RoleKind,
        id: RoleId,
        name: &str,
        description: &str,
        assignable: &[String],
        permissions: Vec<PermissionText>,
    ) -> Result<Self, BadRole> {
        Ok(Self {
            id,
            name: name.into(),
            description: description.to_owned(),
            kind,
            assignable: assignable.iter().map(|s| Scope::parse(s)).collect::<Result<_, _>>()?,
            permissions: permissions.into_iter().map(Permission::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it may be assigned at `scope` by text. A management group covers the subscriptions below it by the
    /// tenant's table, which is not known here.
    pub fn assignable_at(&self, scope: &Scope) -> bool {
        self.assignable.iter().any(|a| a.contains(scope))
    }
}
