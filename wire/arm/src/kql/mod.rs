//! Queries of Resource Graph (arm.md 4.13): the part of the language that inventories are asked with.
//!
//! ```text
//! query    := table ("|" step)*            table := "Resources" | "ResourceContainers"
//! step     := "where" or | ("project"|"extend") column ("," column)* | "project-away" path ("," path)*
//!           | ("order"|"sort") "by" path ["asc"|"desc"] ("," …)* | "limit"|"take" n | "count" | "distinct" path ("," path)*
//!           | "summarize" [name "="] "count()" ["by" path ("," path)*]
//! column   := [name "="] value             value := path | literal | ("tostring"|"tolower"|"toupper") "(" value ")"
//! or       := and ("or" and)*              and   := term ("and" term)*
//! term     := "(" or ")" | "not" "(" or ")" | ("isempty"|"isnotempty"|"isnull"|"isnotnull") "(" value ")"
//!           | value operator value | value ["!"] ("in"|"in~") "(" literal ("," literal)* ")"
//! path     := name ("." name | "[" 'text' "]" | "[" n "]")*
//! ```
//! Anything else is an error that names it: an inventory that leaves things out in silence is worse than none.

mod parse;
mod token;

use serde_json::Value;

/// Longest query, in bytes.
pub(crate) const QUERY_MAX_BYTES: usize = 16 * 1024;
/// Deepest nesting of parentheses.
pub(crate) const DEPTH_MAX: usize = 16;

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuery(pub String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Resources,
    /// Subscriptions and resource groups.
    Containers,
}

/// A query, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub table: Table,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Where(Test),
    Project(Vec<Column>),
    Extend(Vec<Column>),
    ProjectAway(Vec<String>),
    /// With whether each is ascending.
    Order(Vec<(Expression, bool)>),
    Limit(usize),
    Distinct(Vec<Column>),
    /// The name of the count, and what it is by.
    Summarize(String, Vec<Column>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub value: Expression,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Literal(Value),
    Path(Vec<Part>),
    /// `tostring`, `tolower`, `toupper`.
    Function(Function, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    ToString,
    ToLower,
    ToUpper,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Name(String),
    At(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// Null, or text that is empty.
    Empty(Expression),
    Null(Expression),
    Compare(Expression, Operator, Expression),
    /// `in`, or without regard to case `in~`.
    In {
        value: Expression,
        of: Vec<Value>,
        folded: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    /// `=~`.
    EqualFolded,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    /// A whole word of it.
    Has,
    StartsWith,
    EndsWith,
}

impl Query {
    /// # Errors
    /// [`BadQuery`].
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        if text.len() > QUERY_MAX_BYTES {
            return Err(BadQuery(format!("a query has at most {QUERY_MAX_BYTES} bytes")));
        }
        parse::query(&token::tokens(text)?)
    }

    /// The type all rows must have, where the query begins by asking for one: an index can answer that.
    pub fn kind(&self) -> Option<&str> {
        let Some(Step::Where(test)) = self.steps.first() else { return None };
        let terms = if let Test::All(terms) = test { terms.as_slice() } else { std::slice::from_ref(test) };
        terms.iter().find_map(|term| match term {
            Test::Compare(
                Expression::Path(path),
                Operator::Equal | Operator::EqualFolded,
                Expression::Literal(Value::String(kind)),
            ) if matches!(path.as_slice(), [Part::Name(name)] if name == "type") => Some(kind.as_str()),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inventories_are_asked_with() {
        let text = "Resources | where type =~ 'microsoft.hybridcompute/machines' and tags['env'] in~ ('dev', \"Test\")
            // only those
            | where isnotempty(properties.status) and not(name startswith 'x')
            | extend os = tostring(properties.osType), id
            | project name, os, ips = properties.networkProfile.networkInterfaces[0].ipAddresses
            | order by name desc, os | limit 5";
        let query = Query::parse(text).unwrap();
        assert_eq!((query.table, query.steps.len()), (Table::Resources, 6));
        assert_eq!(query.kind(), Some("microsoft.hybridcompute/machines"));
        let counted = Query::parse("resourcecontainers|summarize n=count() by type, location").unwrap();
        assert!(matches!(&counted.steps[0], Step::Summarize(name, by) if name == "n" && by.len() == 2));
        assert_eq!(counted.table, Table::Containers);
        for short in ["Resources", "resources | count", "Resources | take 3", "Resources | distinct type"] {
            assert!(Query::parse(short).is_ok(), "{short}");
        }
    }

    #[test]
    fn d07_what_cannot_be_read_is_named_and_ends() {
        for (bad, named) in [
            ("", "table"),
            ("Servers", "Servers"),
            ("Resources | join (x)", "join"),
            ("Resources | where", "end"),
            ("Resources | where name", "end"),
            ("Resources | where name == ", "end"),
            ("Resources | where name = 'x'", "="),
            ("Resources | where name == 'x", "quote"),
            ("Resources | limit many", "limit"),
            ("Resources | project", "end"),
            ("Resources | where sqrt(x) == 2", "sqrt"),
            ("Resources extra", "extra"),
            ("Resources | where name == 'x' \u{0}", "character"),
        ] {
            let BadQuery(why) = Query::parse(bad).unwrap_err();
            assert!(why.contains(named), "{bad}: {why}");
        }
        let deep = format!("Resources | where {}name == 'x'{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Query::parse(&deep).is_err());
        assert!(Query::parse(&format!("Resources | where name == '{}'", "x".repeat(20_000))).is_err());
    }
}
