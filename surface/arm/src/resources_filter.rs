//! `$filter` over resources and groups: what the store can look up by, and the whole of it row by row.

use cs_ids::SubscriptionId;
use cs_resources::{Resource, ResourceFilter};
use cs_wire_arm::Filter;

use crate::failure::Failure;

/// A `$filter` with every name in it known.
pub(crate) struct RowFilter(Option<Filter>);

impl RowFilter {
    /// `None` or empty lets every row pass.
    pub fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Ok(Self(None)) };
        let filter = Filter::parse(text).ok().filter(is_known).ok_or_else(|| Failure::bad_filter(text))?;
        Ok(Self(Some(filter)))
    }

    /// What an index can answer: the conditions that all rows must meet.
    pub fn lookup(&self, subscription: SubscriptionId) -> ResourceFilter {
        let mut lookup = ResourceFilter { subscription: Some(subscription), ..ResourceFilter::default() };
        let Some(filter) = &self.0 else { return lookup };
        let equals: Vec<(&str, &str)> = filter.terms().iter().filter_map(Filter::as_equal).collect();
        for (field, value) in &equals {
            // As keys are: other letters than ASCII's keep their case (D01).
            let folded = Some(value.to_ascii_lowercase());
            match *field {
                "resourcetype" => lookup.kind = folded,
                "name" => lookup.name = folded,
                "resourcegroup" => lookup.group = folded,
                "tagname" => {
                    let value = equals.iter().find(|(f, _)| *f == "tagvalue").map(|(_, v)| (*v).to_owned());
                    lookup.tag = folded.map(|name| (name, value));
                }
                _ => {}
            }
        }
        lookup
    }

    pub fn fits(&self, r: &Resource) -> bool {
        self.0.as_ref().is_none_or(|f| holds(f, r))
    }
}

const FIELDS: &[&str] =
    &["resourcetype", "name", "resourcegroup", "location", "tagname", "tagvalue", "identity/principalid"];

fn is_known(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => {
            // A value says nothing without its name.
            let names = |f: &Filter| matches!(f, Filter::Compare { field, .. } if field == "tagname");
            let values = |f: &Filter| matches!(f, Filter::Compare { field, .. } if field == "tagvalue");
            all.iter().all(|f| is_known(f) || values(f)) && (!all.iter().any(values) || all.iter().any(names))
        }
        Filter::Or(all) => all.iter().all(is_known),
        Filter::Compare { field, operator, .. } => {
            let operators: &[&str] = if field.starts_with("tag") { &["eq"] } else { &["eq", "ne"] };
            field != "tagvalue" && FIELDS.contains(&field.as_str()) && operators.contains(&operator.as_str())
        }
        Filter::Call { name, arguments } => match (name.as_str(), arguments.as_slice()) {
            ("startswith", [field, _]) => {
                field.eq_ignore_ascii_case("tagName") || field.eq_ignore_ascii_case("name")
            }
            ("substringof", [_, field]) => {
                ["name", "resourceGroup"].iter().any(|f| f.eq_ignore_ascii_case(field))
            }
            _ => false,
        },
        Filter::Any { .. } => false,
    }
}

fn holds(filter: &Filter, r: &Resource) -> bool {
    match filter {
        Filter::And(all) => {
            let tag_value =
                all.iter().filter_map(Filter::as_equal).find(|(f, _)| *f == "tagvalue").map(|(_, v)| v);
            all.iter().all(|f| match f.as_equal() {
                Some(("tagname", name)) => has_tag(r, name, tag_value),
                Some(("tagvalue", _)) => true,
                _ => holds(f, r),
            })
        }
        Filter::Or(all) => all.iter().any(|f| holds(f, r)),
        Filter::Compare { field, operator, value } => {
            let same = match field.as_str() {
                "tagname" => has_tag(r, value, None),
                _ => field_of(r, field).is_some_and(|found| found.to_lowercase() == value.to_lowercase()),
            };
            same == (operator == "eq")
        }
        Filter::Call { name, arguments } => call_holds(name, arguments, r),
        Filter::Any { .. } => false,
    }
}

fn call_holds(name: &str, arguments: &[String], r: &Resource) -> bool {
    match (name, arguments) {
        ("startswith", [field, start]) if field.eq_ignore_ascii_case("tagName") => {
            r.tags.iter().any(|(n, _)| n.to_lowercase().starts_with(&start.to_lowercase()))
        }
        ("startswith", [field, start]) => field_of(r, &field.to_lowercase())
            .is_some_and(|f| f.to_lowercase().starts_with(&start.to_lowercase())),
        ("substringof", [part, field]) => field_of(r, &field.to_lowercase())
            .is_some_and(|f| f.to_lowercase().contains(&part.to_lowercase())),
        _ => false,
    }
}

fn has_tag(r: &Resource, name: &str, value: Option<&str>) -> bool {
    let name = name.to_lowercase();
    r.tags.iter().any(|(n, v)| n.to_lowercase() == name && value.is_none_or(|value| value == v))
}

fn field_of<'r>(r: &'r Resource, field: &str) -> Option<&'r str> {
    match field {
        "resourcetype" => Some(&r.kind),
        "name" => Some(r.id.name()),
        "resourcegroup" => r.id.group(),
        "location" => Some(&r.location),
        "identity/principalid" => r.extra.get("identity")?.get("principalId")?.as_str(),
        _ => None,
    }
}
