//! The parsed form.

use super::{
    attributes::{Name, Source, Value},
    operator::{Cross, Operator},
};
use crate::Pattern;

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    ActionMatches(Vec<Pattern>),
    SubOperationMatches(Vec<String>),
    Exists(Attribute),
    Compare(Box<Compare>),
}

#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub source: Source,
    pub name: Name,
}

#[derive(Debug, Clone)]
pub(super) struct Compare {
    pub left: Operand,
    /// `None`: both sides must have exactly one value.
    pub cross: Option<Cross>,
    pub operator: Operator,
    pub right: Operand,
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Attribute(Attribute),
    Values(Vec<Value>),
}
