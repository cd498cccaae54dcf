//! Running the steps of a query over rows.

use std::cmp::Ordering;

use cs_wire_arm::kql::{Column, Expression, Function, Operator, Part, Step, Test};
use serde_json::{Map, Value, json};

type Row = Map<String, Value>;

pub(super) fn run(steps: &[Step], rows: Vec<Row>) -> Vec<Row> {
    steps.iter().fold(rows, step)
}

fn step(mut rows: Vec<Row>, step: &Step) -> Vec<Row> {
    match step {
        Step::Where(test) => rows.retain(|row| holds(test, row)),
        Step::Project(columns) => rows = rows.iter().map(|row| picked(columns, row)).collect(),
        Step::Extend(columns) => {
            for row in &mut rows {
                let more = picked(columns, row);
                row.extend(more);
            }
        }
        Step::ProjectAway(names) => {
            for row in &mut rows {
                for name in names {
                    row.shift_remove(name);
                }
            }
        }
        Step::Order(keys) => rows.sort_by(|a, b| {
            let by = |(key, ascending): &(Expression, bool)| {
                let found = place(&value(key, a), &value(key, b));
                if *ascending { found } else { found.reverse() }
            };
            keys.iter().map(by).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        }),
        Step::Limit(n) => rows.truncate(*n),
        Step::Distinct(columns) => {
            let mut seen = std::collections::HashSet::new();
            rows = rows.iter().map(|row| picked(columns, row)).filter(|row| seen.insert(key(row))).collect();
        }
        Step::Summarize(name, by) => rows = counted(name, by, &rows),
    }
    rows
}

fn counted(name: &str, by: &[Column], rows: &[Row]) -> Vec<Row> {
    let mut places = std::collections::HashMap::new();
    let mut all: Vec<(Row, u64)> = Vec::new();
    if by.is_empty() {
        all.push((Row::new(), rows.len() as u64));
    } else {
        for row in rows.iter().map(|row| picked(by, row)) {
            let at = *places.entry(key(&row)).or_insert(all.len());
            match all.get_mut(at) {
                Some((_, count)) => *count += 1,
                None => all.push((row, 1)),
            }
        }
    }
    let with = |(mut row, count): (Row, u64)| {
        row.insert(name.to_owned(), json!(count));
        row
    };
    all.into_iter().map(with).collect()
}

/// Rows as columns with types, and lists of values.
pub(super) fn table(rows: &[Row]) -> Value {
    let names: Vec<&String> = rows.first().map(|row| row.keys().collect()).unwrap_or_default();
    let kind = |name: &String| match rows.iter().filter_map(|row| row.get(name)).find(|v| !v.is_null()) {
        Some(Value::Object(_) | Value::Array(_)) => "object",
        Some(Value::Number(_)) => "integer",
        Some(Value::Bool(_)) => "boolean",
        _ => "string",
    };
    let columns: Vec<Value> = names.iter().map(|n| json!({"name": n, "type": kind(n)})).collect();
    let cells =
        |row: &Row| Value::Array(names.iter().map(|n| row.get(*n).cloned().unwrap_or_default()).collect());
    json!({"columns": columns, "rows": rows.iter().map(cells).collect::<Vec<_>>()})
}

fn picked(columns: &[Column], row: &Row) -> Row {
    columns.iter().map(|c| (c.name.clone(), value(&c.value, row))).collect()
}

fn key(row: &Row) -> String {
    Value::Object(row.clone()).to_string()
}

fn value(expression: &Expression, row: &Row) -> Value {
    match expression {
        Expression::Literal(literal) => literal.clone(),
        Expression::Path(parts) => at(parts, row).cloned().unwrap_or_default(),
        Expression::Function(function, inner) => {
            let text = text(&value(inner, row));
            Value::String(match function {
                Function::ToString => text,
                Function::ToLower => text.to_lowercase(),
                Function::ToUpper => text.to_uppercase(),
            })
        }
    }
}

fn at<'r>(parts: &[Part], row: &'r Row) -> Option<&'r Value> {
    let (Part::Name(first), rest) = parts.split_first()? else { return None };
    rest.iter().try_fold(row.get(first)?, |value, part| match part {
        Part::Name(name) => value.get(name),
        Part::At(n) => value.get(n),
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn holds(test: &Test, row: &Row) -> bool {
    match test {
        Test::All(terms) => terms.iter().all(|t| holds(t, row)),
        Test::Any(terms) => terms.iter().any(|t| holds(t, row)),
        Test::Not(test) => !holds(test, row),
        Test::Empty(e) => text(&value(e, row)).is_empty(),
        Test::Null(e) => value(e, row).is_null(),
        Test::In { value: e, of, folded } => {
            let found = value(e, row);
            of.iter().any(|one| same(&found, one, *folded))
        }
        Test::Compare(left, operator, right) => compare(&value(left, row), *operator, &value(right, row)),
    }
}

fn same(a: &Value, b: &Value, folded: bool) -> bool {
    if folded { text(a).to_lowercase() == text(b).to_lowercase() } else { text(a) == text(b) }
}

fn compare(a: &Value, operator: Operator, b: &Value) -> bool {
    // All of these look at text without regard to case; only `==` does not.
    let texts = || (text(a).to_lowercase(), text(b).to_lowercase());
    match operator {
        Operator::Equal => same(a, b, false),
        Operator::EqualFolded => same(a, b, true),
        Operator::Less => order(a, b).is_lt(),
        Operator::LessOrEqual => order(a, b).is_le(),
        Operator::Greater => order(a, b).is_gt(),
        Operator::GreaterOrEqual => order(a, b).is_ge(),
        Operator::Contains => {
            let (a, b) = texts();
            a.contains(&b)
        }
        Operator::StartsWith => {
            let (a, b) = texts();
            a.starts_with(&b)
        }
        Operator::EndsWith => {
            let (a, b) = texts();
            a.ends_with(&b)
        }
        Operator::Has => {
            let (a, b) = texts();
            let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            a.match_indices(&b).any(|(at, word)| {
                edge(a[..at].chars().next_back()) && edge(a[at + word.len()..].chars().next())
            })
        }
    }
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => text(a).to_lowercase().cmp(&text(b).to_lowercase()),
    }
}

/// For sorting: what callers keep in their resources may be a number in one row and text in the next, and an order that
/// takes such pairs for text is none. Numbers come before text.
fn place(a: &Value, b: &Value) -> Ordering {
    b.is_number().cmp(&a.is_number()).then_with(|| order(a, b))
}
