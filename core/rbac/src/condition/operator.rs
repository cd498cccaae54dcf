//! Comparison operators (rbac.md 7.2).

use std::{borrow::Cow, cmp::Ordering};

use cs_time::Timestamp;
use uuid::Uuid;

use super::{attributes::Value, lexer, text};

/// How the values of both sides are paired: left first, then right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cross {
    all_left: bool,
    all_right: bool,
}

impl Cross {
    /// Reads `ForAllOfAnyValues` and the like.
    pub(super) fn named(word: &str) -> Option<Self> {
        let all = [("any", "any"), ("any", "all"), ("all", "any"), ("all", "all")];
        let word = word.to_ascii_lowercase();
        all.into_iter()
            .find(|(left, right)| word == format!("for{left}of{right}values"))
            .map(|(left, right)| Self { all_left: left == "all", all_right: right == "all" })
    }

    /// Neither side may be empty; a missing attribute never comes here.
    pub(super) fn holds(
        self,
        left: &[Value],
        right: &[Value],
        test: impl Fn(&Value, &Value) -> bool,
    ) -> bool {
        let one = |l: &Value| {
            if self.all_right { right.iter().all(|r| test(l, r)) } else { right.iter().any(|r| test(l, r)) }
        };
        if self.all_left { left.iter().all(one) } else { left.iter().any(one) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Text { relation: TextRelation, negative: bool, ignore_case: bool },
    Number(Relation),
    Time(Relation),
    Bool { negative: bool },
    Guid { negative: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRelation {
    Equals,
    Like,
    StartsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equals,
    NotEquals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "equals" => Self::Equals,
            "notequals" => Self::NotEquals,
            "lessthan" => Self::Less,
            "lessthanequals" => Self::LessOrEqual,
            "greaterthan" => Self::Greater,
            "greaterthanequals" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::NotEquals => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Operator {
    /// Reads a name in any case. `TimeOfDay…` and `IpMatch` are not served: a condition with them is refused at its
    /// creation.
    pub(super) fn named(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if let Some(rest) = word.strip_prefix("string") {
            return text_operator(rest);
        }
        if let Some(rest) = word.strip_prefix("numeric") {
            return Relation::named(rest).map(Self::Number);
        }
        if let Some(rest) = word.strip_prefix("datetime") {
            return Relation::named(rest).map(Self::Time);
        }
        Some(match word.as_str() {
            "boolequals" => Self::Bool { negative: false },
            "boolnotequals" => Self::Bool { negative: true },
            "guidequals" => Self::Guid { negative: false },
            "guidnotequals" => Self::Guid { negative: true },
            _ => return None,
        })
    }

    pub(super) fn is_like(self) -> bool {
        matches!(self, Self::Text { relation: TextRelation::Like, .. })
    }

    /// Whether a literal has a type that the operator can compare at all.
    pub(super) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Text { .. } => as_text(value).is_some(),
            Self::Number(_) => as_number(value).is_some(),
            Self::Time(_) => as_time(value).is_some(),
            Self::Bool { .. } => as_bool(value).is_some(),
            Self::Guid { .. } => as_guid(value).is_some(),
        }
    }

    /// Compares two single values; false, whatever the operator, when one has another type.
    pub(super) fn holds(self, left: &Value, right: &Value) -> bool {
        let outcome = match self {
            Self::Text { relation, negative, ignore_case } => both(left, right, as_text).map(|(l, r)| {
                negative
                    != match relation {
                        TextRelation::Equals => text::equals(&l, &r, ignore_case),
                        TextRelation::Like => text::like(&l, &r, ignore_case),
                        TextRelation::StartsWith => text::starts_with(&l, &r, ignore_case),
                    }
            }),
            Self::Number(relation) => both(left, right, as_number).map(|(l, r)| relation.holds(l.cmp(&r))),
            Self::Time(relation) => both(left, right, as_time).map(|(l, r)| relation.holds(l.cmp(&r))),
            Self::Bool { negative } => both(left, right, as_bool).map(|(l, r)| negative != (l == r)),
            Self::Guid { negative } => both(left, right, as_guid).map(|(l, r)| negative != (l == r)),
        };
        outcome.unwrap_or(false)
    }
}

fn text_operator(rest: &str) -> Option<Operator> {
    let (rest, ignore_case) = rest.strip_suffix("ignorecase").map_or((rest, false), |rest| (rest, true));
    let (rest, negative) = rest.strip_prefix("not").map_or((rest, false), |rest| (rest, true));
    let relation = match rest {
        "equals" => TextRelation::Equals,
        "like" => TextRelation::Like,
        "startswith" => TextRelation::StartsWith,
        _ => return None,
    };
    Some(Operator::Text { relation, negative, ignore_case })
}

fn both<'a, T>(left: &'a Value, right: &'a Value, read: impl Fn(&'a Value) -> Option<T>) -> Option<(T, T)> {
    read(left).zip(read(right))
}

/// Text, or a GUID in its usual spelling.
fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Guid(guid) => Some(Cow::Owned(guid.as_hyphenated().to_string())),
        _ => None,
    }
}

/// A whole number, also when it comes as text, as tag values do (unverified).
fn as_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// RFC 3339 with any number of fraction digits; finer than a microsecond does not count.
fn as_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Time(time) => Some(*time),
        Value::Text(text) => Timestamp::parse_rfc3339(text),
        _ => None,
    }
}

/// `true` and `false`, also between quotes (unverified).
fn as_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn as_guid(value: &Value) -> Option<Uuid> {
    match value {
        Value::Guid(guid) => Some(*guid),
        Value::Text(text) => lexer::guid(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_not_exist_are_none() {
        for word in
            ["StringContains", "NumericNotLessThan", "BoolLike", "String", "IpMatch", "TimeOfDayEquals", ""]
        {
            assert_eq!(Operator::named(word), None, "{word}");
        }
        assert!(Operator::named("sTRINGnotSTARTSwithIGNOREcase").is_some());
    }

    #[test]
    fn other_types_never_compare() {
        let not_equals = Operator::named("NumericNotEquals").unwrap();
        assert!(!not_equals.holds(&"x".into(), &1.into()));
        assert!(not_equals.holds(&2.into(), &1.into()));
        let string_not_equals = Operator::named("StringNotEquals").unwrap();
        assert!(!string_not_equals.holds(&true.into(), &"x".into()));
    }

    #[test]
    fn cross_products_pair_left_first() {
        let values = |numbers: &[i64]| numbers.iter().map(|n| Value::Number(*n)).collect::<Vec<_>>();
        let less = Operator::named("NumericLessThan").unwrap();
        for (name, left, right, expected) in [
            ("ForAnyOfAnyValues", [10, 20], [15, 5], true),
            ("ForAllOfAnyValues", [10, 20], [15, 5], false),
            ("ForAllOfAnyValues", [10, 12], [15, 5], true),
            ("ForAnyOfAllValues", [10, 20], [15, 25], true),
            ("ForAnyOfAllValues", [16, 20], [15, 25], false),
            ("ForAllOfAllValues", [10, 20], [15, 25], false),
            ("forallofallvalues", [10, 14], [15, 25], true),
        ] {
            let cross = Cross::named(name).unwrap();
            assert_eq!(
                cross.holds(&values(&left), &values(&right), |l, r| less.holds(l, r)),
                expected,
                "{name}"
            );
        }
        assert_eq!(Cross::named("ForSomeOfAnyValues"), None);
    }
}
