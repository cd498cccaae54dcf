//! A file of flags, as `--config FILE` names it: names and values, JSON or YAML.

use serde_json::{Map, Value};

/// JSON, or the plain part of YAML that a list of flags needs: `name: value` a line, quotes and comments.
///
/// # Errors
/// What cannot be read, and where.
pub fn read(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("as JSON: {error}"));
    }
    let mut all = Map::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') || line == "---" {
            continue;
        }
        let bad = || format!("line {} is not 'name: value'", number + 1);
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        if name.starts_with([' ', '\t', '-']) || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        all.insert(name.trim_matches(['"', '\'']).to_owned(), scalar(value.trim()).ok_or_else(bad)?);
    }
    Ok(all)
}

fn scalar(text: &str) -> Option<Value> {
    if let Some(rest) = text.strip_prefix('"') {
        let end = rest.rfind('"')?;
        return serde_json::from_str(&text[..end + 2]).ok();
    }
    if let Some(rest) = text.strip_prefix('\'') {
        return Some(Value::from(rest[..rest.rfind('\'')?].replace("''", "'")));
    }
    let bare = text.split(" #").next().unwrap_or_default().trim();
    match bare {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "" | "null" | "~" => Some(Value::Null),
        _ if bare.starts_with(['[', '{', '&', '*', '|', '>']) => None,
        _ => Some(Value::from(bare)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_look_like() {
        let yaml = "a: true\nb: null\nc: 5 # five\n\"d\": 'it''s'\ne: \"x\\ty\"\n";
        let read = read(yaml).unwrap();
        assert_eq!(
            Value::Object(read),
            serde_json::json!({"a": true, "b": null, "c": "5", "d": "it's", "e": "x\ty"})
        );
    }

    proptest::proptest! {
        #[test]
        fn no_file_of_flags_breaks_the_reader(text in ".{0,200}", name in "[a-z:\"' -]{0,12}", value in ".{0,24}") {
            let _ = read(&text);
            let _ = read(&format!("{name}: {value}\n"));
            let _ = scalar(&value);
        }
    }
}
