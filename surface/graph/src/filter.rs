//! `$filter`: what can be looked up, and the whole of it row by row. A form that is not known is refused, never
//! ignored: az takes the first row as the answer.

use cs_directory::Find;
use cs_wire_arm::Filter;
use serde_json::Value;

use crate::failure::{Failure, shown};

/// A filter whose every field is known.
pub(crate) struct RowFilter(Option<Filter>);

/// Fields a filter may name, folded.
const FIELDS: &[&str] = &[
    "id",
    "appid",
    "displayname",
    "accountenabled",
    "serviceprincipaltype",
    "userprincipalname",
    "mail",
    "mailnickname",
    "securityenabled",
    "mailenabled",
];
const LISTS: &[&str] = &["serviceprincipalnames", "identifieruris", "alternativenames", "tags"];
const STARTS: &[&str] = &["displayname", "userprincipalname", "mailnickname", "mail"];

impl RowFilter {
    /// `None` or empty lets every row pass.
    pub fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(Self(None)) };
        let filter = Filter::parse(text).ok().filter(is_known);
        Ok(Self(Some(filter.ok_or_else(|| Failure::BadFilter(shown(text)))?)))
    }

    /// What an index answers: one of the conditions that all rows must meet. `None` when no row can.
    pub fn lookup(&self) -> Option<Find> {
        let Some(filter) = &self.0 else { return Some(Find::All) };
        let found = filter.terms().iter().find_map(|term| match (term.as_equal(), term) {
            (Some(("id", id)), _) => Some(id.parse().ok().map(Find::Object)),
            (Some(("appid", id)), _) => Some(id.parse().ok().map(Find::Client)),
            (Some(("userprincipalname", name)), _) => Some(Some(Find::Handle(name.to_owned()))),
            (Some(("displayname", name)), _) => Some(Some(Find::DisplayName(name.to_owned()))),
            (_, Filter::Any { field, value }) if field == "serviceprincipalnames" => {
                Some(Some(Find::Name(value.clone())))
            }
            (_, Filter::Any { field, value }) if field == "identifieruris" => {
                Some(Some(Find::Uri(value.clone())))
            }
            (_, Filter::Call { name, arguments }) if name == "startswith" => match arguments.as_slice() {
                [field, start] if field.eq_ignore_ascii_case("displayName") => {
                    Some(Some(Find::DisplayNameStartsWith(start.clone())))
                }
                _ => None,
            },
            _ => None,
        });
        found.unwrap_or(Some(Find::All))
    }

    pub fn fits(&self, row: &Value) -> bool {
        self.0.as_ref().is_none_or(|f| holds(f, row))
    }
}

fn is_known(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().all(is_known),
        Filter::Compare { field, operator, .. } => {
            FIELDS.contains(&field.as_str()) && matches!(operator.as_str(), "eq" | "ne")
        }
        Filter::Any { field, .. } => LISTS.contains(&field.as_str()),
        Filter::Call { name, arguments } => {
            let field = arguments.first().map(|f| f.to_lowercase()).unwrap_or_default();
            name == "startswith" && arguments.len() == 2 && STARTS.contains(&field.as_str())
        }
    }
}

fn holds(filter: &Filter, row: &Value) -> bool {
    let same = |value: &Value, text: &str| match value {
        Value::String(found) => found.to_lowercase() == text.to_lowercase(),
        Value::Bool(found) => found.to_string() == text.to_lowercase(),
        _ => false,
    };
    match filter {
        Filter::And(all) => all.iter().all(|f| holds(f, row)),
        Filter::Or(all) => all.iter().any(|f| holds(f, row)),
        Filter::Compare { field, operator, value } => {
            member(row, field).is_some_and(|found| same(found, value)) == (operator == "eq")
        }
        Filter::Any { field, value } => {
            let all = member(row, field).and_then(Value::as_array);
            all.is_some_and(|all| all.iter().any(|found| same(found, value)))
        }
        Filter::Call { arguments, .. } => match arguments.as_slice() {
            [field, start] => member(row, field)
                .and_then(Value::as_str)
                .is_some_and(|found| found.to_lowercase().starts_with(&start.to_lowercase())),
            _ => false,
        },
    }
}

fn member<'v>(row: &'v Value, name: &str) -> Option<&'v Value> {
    row.as_object()?.iter().find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

    fn read(text: &str) -> RowFilter {
        RowFilter::parse(Some(text)).unwrap()
    }

    #[test]
    fn forms_of_az() {
        let lookup = |text: &str| read(text).lookup();
        let name = format!("servicePrincipalNames/any(c:c eq '{ID}')");
        assert_eq!(lookup(&name), Some(Find::Name(ID.into())));
        assert_eq!(lookup("startswith(displayName,'x')"), Some(Find::DisplayNameStartsWith("x".into())));
        assert_eq!(
            lookup("displayName eq 'it''s' and mailNickname eq 'g'"),
            Some(Find::DisplayName("it's".into()))
        );
        assert_eq!(lookup(&format!("appId eq '{ID}'")), Some(Find::Client(ID.parse().unwrap())));
        assert_eq!(lookup("id eq 'nobody'"), None);
        assert_eq!(lookup("accountEnabled eq true"), Some(Find::All));
        for bad in
            ["displayName gt 'x'", "a eq 'b'", "secret eq 'x'", "startswith(x,'y')", "endswith(mail,'x')"]
        {
            assert!(RowFilter::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_meet_the_whole_filter() {
        let row = json!({"displayName": "Lab", "mailNickname": "lab", "accountEnabled": true, "tags": ["A"]});
        for yes in [
            "displayName eq 'LAB'",
            "displayName eq 'x' or accountEnabled eq true",
            "startswith(mailNickname,'LA') and tags/any(t:t eq 'a')",
            "displayName ne 'x'",
        ] {
            assert!(read(yes).fits(&row), "{yes}");
        }
        for no in [
            "displayName eq 'lab' and mailNickname eq 'x'",
            "accountEnabled eq false",
            "id ne 'x' and id eq 'y'",
        ] {
            assert!(!read(no).fits(&row), "{no}");
        }
    }
}
