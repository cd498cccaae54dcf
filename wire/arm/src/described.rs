//! Of which JSON type the members of a resource are, as the descriptions of the API say it (`described.txt`, made from
//! them). A member of another type would not be lost on whoever wrote it but on everybody who lists: clients with types stop
//! at the first row that they cannot read. Members that nobody describes are let through, and so is `null`.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use cs_time::Timestamp;
use serde_json::{Map, Value};

use crate::resource::{BadBody, wrong};

/// A type of resource in brackets, then a line for each member: its path and what it is. `[]` after a name is a list, `*` any
/// name.
const TABLE: &str = include_str!("described.txt");
/// What every type has.
const EVERY_TYPE: &str = "*";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Any,
    Text,
    Date,
    Flag,
    Whole,
    Number,
    List(Box<Shape>),
    Object(BTreeMap<&'static str, Shape>),
}

static SHAPES: LazyLock<HashMap<&'static str, Shape>> = LazyLock::new(|| read(TABLE));

/// Whether the members of a resource of the type `kind` are of the described types.
///
/// # Errors
/// [`BadBody`] with a sentence that names the first member of the wrong type.
pub fn check(kind: &str, body: &Map<String, Value>) -> Result<(), BadBody> {
    // Types are written in any case.
    let own = SHAPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map(|(_, shape)| shape);
    match own.or_else(|| SHAPES.get(EVERY_TYPE)) {
        Some(Shape::Object(members)) => check_members(members, body, ""),
        _ => Ok(()),
    }
}

fn check_members(
    members: &BTreeMap<&'static str, Shape>,
    body: &Map<String, Value>,
    at: &str,
) -> Result<(), BadBody> {
    body.iter().try_for_each(|(name, value)| match members.get(name.as_str()).or_else(|| members.get("*")) {
        Some(shape) if at.is_empty() => shape.check(value, name),
        Some(shape) => shape.check(value, &format!("{at}.{name}")),
        None => Ok(()),
    })
}

impl Shape {
    fn check(&self, value: &Value, at: &str) -> Result<(), BadBody> {
        match (self, value) {
            (_, Value::Null) | (Self::Any, _) => Ok(()),
            (Self::Object(members), Value::Object(body)) => check_members(members, body, at),
            (Self::List(item), Value::Array(all)) => all.iter().try_for_each(|one| item.check(one, at)),
            (Self::Text, Value::String(_))
            | (Self::Flag, Value::Bool(_))
            | (Self::Number, Value::Number(_)) => Ok(()),
            (Self::Date, Value::String(text)) if is_date(text) => Ok(()),
            (Self::Whole, Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(()),
            _ => Err(wrong(at, self.name())),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "a string",
            Self::Date => "a date and time",
            Self::Flag => "true or false",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    fn put(&mut self, path: &'static str, what: &'static str) {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        if let Self::Any = self {
            *self = Self::Object(BTreeMap::new());
        }
        let Self::Object(members) = self else { return };
        let mut inner = members.entry(first.trim_end_matches("[]")).or_insert(Self::Any);
        for _ in 0..first.matches("[]").count() {
            if let Self::Any = inner {
                *inner = Self::List(Box::new(Self::Any));
            }
            let Self::List(item) = inner else { return };
            inner = item;
        }
        match rest {
            Some(rest) => inner.put(rest, what),
            None if *inner == Self::Any => *inner = leaf(what),
            None => {}
        }
    }
}

/// Clients print dates with a zone or, meaning UTC, without. The last day that .NET knows stands for "never" and lies behind
/// what our clocks can say.
fn is_date(text: &str) -> bool {
    const LAST_DAY: &str = "9999-12-31T";
    let is_one = |text: &str| Timestamp::parse_rfc3339(text).is_some();
    match text.strip_prefix(LAST_DAY) {
        Some(time) => {
            [time, format!("{time}Z").as_str()].iter().any(|time| is_one(&format!("9999-12-29T{time}")))
        }
        None => is_one(text) || is_one(&format!("{text}Z")),
    }
}

fn leaf(what: &str) -> Shape {
    match what {
        "text" => Shape::Text,
        "date" => Shape::Date,
        "flag" => Shape::Flag,
        "whole" => Shape::Whole,
        "number" => Shape::Number,
        "object" => Shape::Object(BTreeMap::new()),
        _ => Shape::Any,
    }
}

fn read(table: &'static str) -> HashMap<&'static str, Shape> {
    let mut all: HashMap<&'static str, Shape> = HashMap::new();
    let (mut every, mut kind) = (Shape::Any, EVERY_TYPE);
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            kind = name;
            continue;
        }
        let (path, what) = line.split_once(' ').unwrap_or((line, ""));
        if kind == EVERY_TYPE {
            every.put(path, what);
        } else {
            // The first section is of every type, so each later one begins with what that holds.
            all.entry(kind).or_insert_with(|| every.clone()).put(path, what);
        }
    }
    all.insert(EVERY_TYPE, every);
    all
}

#[cfg(test)]
#[path = "described_test.rs"]
mod tests;
