//! The `$filter` forms az sends (arm.md 5.1); any other is refused, never ignored: az takes the first row as the answer.

use cs_directory::Find;

use crate::failure::{Failure, shown};

pub(crate) fn read(filter: Option<&str>) -> Result<Option<Find>, Failure> {
    let Some(text) = filter.map(str::trim).filter(|t| !t.is_empty()) else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| Failure::BadFilter(shown(text)))
}

fn parse(text: &str) -> Option<Find> {
    if let Some(inside) = between(text, "servicePrincipalNames/any(", ")") {
        let (variable, rest) = inside.split_once(':')?;
        let value = rest.trim().strip_prefix(variable.trim())?.trim_start().strip_prefix("eq ")?;
        return Some(Find::Name(literal(value)?));
    }
    if let Some(inside) = between(text, "startswith(", ")") {
        let (field, value) = inside.split_once(',')?;
        return is(field, "displayName").then(|| literal(value).map(Find::DisplayNameStartsWith))?;
    }
    let (field, value) = text.split_once(" eq ")?;
    let value = literal(value)?;
    match field.trim().to_ascii_lowercase().as_str() {
        // A value that is no id fits nobody: a name that no principal has.
        "appid" => Some(value.parse().map_or(Find::Name(String::new()), Find::Client)),
        "id" => Some(value.parse().map_or(Find::Name(String::new()), Find::Object)),
        "displayname" | "userprincipalname" | "mailnickname" => Some(Find::DisplayName(value)),
        _ => None,
    }
}

fn is(field: &str, name: &str) -> bool {
    field.trim().eq_ignore_ascii_case(name)
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| text[start.len()..].strip_suffix(end))?
}

/// `'it''s'`
fn literal(text: &str) -> Option<String> {
    let inside = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    let plain = inside.replace("''", "\u{0}");
    (!plain.contains('\'')).then(|| plain.replace('\u{0}', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_az() {
        let id = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
        assert_eq!(parse(&format!("servicePrincipalNames/any(c:c eq '{id}')")), Some(Find::Name(id.into())));
        assert_eq!(parse("startswith(displayName,'x')"), Some(Find::DisplayNameStartsWith("x".into())));
        assert_eq!(parse("displayName eq 'it''s'"), Some(Find::DisplayName("it's".into())));
        assert_eq!(parse(&format!("appId eq '{id}'")), Some(Find::Client(id.parse().unwrap())));
        for bad in [
            "",
            "displayName ne 'x'",
            "displayName eq x",
            "a eq 'b' or c eq 'd'",
            "secret eq 'x'",
            "startswith(x,'y')",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
