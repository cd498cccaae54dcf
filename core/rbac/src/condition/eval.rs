//! Asking the tree. Depth is bounded by the parser.

use super::{
    attributes::{Attributes, Value},
    tree::{Compare, Expr, Operand},
};

pub(super) fn holds(expr: &Expr, operation: &str, attributes: &Attributes) -> bool {
    let part = |inner: &Expr| holds(inner, operation, attributes);
    match expr {
        Expr::Or(parts) => parts.iter().any(part),
        Expr::And(parts) => parts.iter().all(part),
        Expr::Not(inner) => !part(inner),
        Expr::ActionMatches(patterns) => patterns.iter().any(|p| p.matches(operation)),
        Expr::SubOperationMatches(names) => attributes
            .get_sub_operation()
            .is_some_and(|ours| names.iter().any(|name| name.eq_ignore_ascii_case(ours))),
        Expr::Exists(attribute) => attributes.get(attribute.source, &attribute.name).is_some(),
        Expr::Compare(compare) => compares(compare, attributes),
    }
}

/// False when a side is missing or empty, also for negative operators and `ForAll…` (inferred, case r138).
fn compares(compare: &Compare, attributes: &Attributes) -> bool {
    let (Some(left), Some(right)) = (values(&compare.left, attributes), values(&compare.right, attributes))
    else {
        return false;
    };
    let test = |l: &Value, r: &Value| compare.operator.holds(l, r);
    match (compare.cross, left, right) {
        (Some(cross), left, right) => cross.holds(left, right, test),
        (None, [left], [right]) => test(left, right),
        (None, ..) => false,
    }
}

fn values<'a>(operand: &'a Operand, attributes: &'a Attributes) -> Option<&'a [Value]> {
    let values = match operand {
        Operand::Attribute(attribute) => attributes.get(attribute.source, &attribute.name)?,
        Operand::Values(values) => values,
    };
    (!values.is_empty()).then_some(values)
}
