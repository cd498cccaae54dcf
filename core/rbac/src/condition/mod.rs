//! Conditions on assignments and roles (rbac.md 7): read once to a tree, asked often.
//!
//! Everything that is not understood is on the closed side: text that does not parse never holds, a missing or
//! wrongly typed attribute makes its comparison false, also for negative operators (inferred). `NOT` turns such a
//! false comparison into true like any other, as the document reads; whether Azure does is unverified.

mod attributes;
mod eval;
mod lexer;
pub mod names;
mod operator;
mod parser;
mod text;
mod tree;

use std::sync::Arc;

use tree::Expr;

pub use attributes::{Attributes, NO_ATTRIBUTES, Source, Value};

/// Longest condition, in bytes of UTF-8 (rbac.md 7.6: 8 KB; whether Azure counts characters is unverified).
pub const CONDITION_MAX_BYTES: usize = 8 * 1024;

/// Deepest nesting of parentheses and `NOT`. Azure's bound is unknown; its built-in roles nest five deep.
pub const CONDITION_MAX_DEPTH: usize = 64;

/// The text is no condition of version 2.0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    #[error("a condition has at most {CONDITION_MAX_BYTES} bytes")]
    TooLong,
    #[error("a condition nests at most {CONDITION_MAX_DEPTH} deep")]
    TooDeep,
    /// `at` counts bytes from 0.
    #[error("expected {expected} at position {at}")]
    Unexpected { at: usize, expected: &'static str },
}

/// A condition, read.
#[derive(Debug, Clone)]
pub struct Condition {
    text: Arc<str>,
    root: Expr,
}

impl Condition {
    /// # Errors
    /// [`BadCondition`] with the position for people.
    pub fn parse(text: &str) -> Result<Self, BadCondition> {
        if text.len() > CONDITION_MAX_BYTES {
            return Err(BadCondition::TooLong);
        }
        Ok(Self { root: parser::parse(text)?, text: text.into() })
    }

    /// Whether it holds for an operation with these attributes.
    pub fn holds(&self, operation: &str, attributes: &Attributes) -> bool {
        eval::holds(&self.root, operation, attributes)
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A condition as it was stored, perhaps by a version that read more or other text than we do.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    Readable(Condition),
    Unreadable(Arc<str>),
}

impl Guard {
    pub(crate) fn read(text: &str) -> Self {
        Condition::parse(text).map_or_else(|_| Self::Unreadable(text.into()), Self::Readable)
    }

    /// Never for what cannot be read.
    pub(crate) fn holds(&self, operation: &str, attributes: &Attributes) -> bool {
        match self {
            Self::Readable(condition) => condition.holds(operation, attributes),
            Self::Unreadable(_) => false,
        }
    }

    pub(crate) fn is_readable(&self) -> bool {
        matches!(self, Self::Readable(_))
    }

    pub(crate) fn shared_text(&self) -> &Arc<str> {
        match self {
            Self::Readable(condition) => &condition.text,
            Self::Unreadable(text) => text,
        }
    }
}
