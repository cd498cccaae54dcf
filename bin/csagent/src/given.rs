//! `--config FILE`: flags from a file, JSON or YAML, whose keys are the flags' names. The command line wins.

use std::ffi::OsString;

use clap::CommandFactory;
use serde_json::{Map, Value};

use cs_agent::flags;

use crate::{
    cli::Cli,
    failure::{Failure, Kind},
};

/// The arguments with those of the file behind them.
pub fn with_file(mut given: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let Some(at) = given.iter().position(|a| a == "--config" || a.to_string_lossy().starts_with("--config="))
    else {
        return Ok(given);
    };
    let flag = given.remove(at);
    let file = match flag.to_string_lossy().strip_prefix("--config=") {
        Some(file) => OsString::from(file),
        None if at < given.len() => given.remove(at),
        None => return Err(Failure::new(Kind::Usage, "--config needs a file").code("AZCM0016")),
    };
    let shown = file.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Failure::new(Kind::Usage, format!("reading --config {shown}: {error}")).code("AZCM0019")
    })?;
    let said = flags::read(&text).map_err(|why| {
        Failure::new(Kind::Usage, format!("reading --config {shown}: {why}")).code("AZCM0023")
    })?;
    let more = flags(&given, &said)?;
    given.extend(more);
    Ok(given)
}

fn flags(given: &[OsString], said: &Map<String, Value>) -> Result<Vec<OsString>, Failure> {
    let command = Cli::command();
    let verb = given.iter().skip(1).find_map(|a| command.find_subcommand(a.to_string_lossy().as_ref()));
    let mut more = Vec::new();
    for (name, value) in said {
        let short = verb.and_then(|v| {
            v.get_arguments().find(|a| a.get_long() == Some(name.as_str())).and_then(clap::Arg::get_short)
        });
        if is_given(given, name, short) {
            continue;
        }
        let text = match value {
            Value::Bool(true) => {
                more.push(format!("--{name}").into());
                continue;
            }
            Value::Bool(false) | Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("--config: {name} is neither text nor number"),
                )
                .code("AZCM0023"));
            }
        };
        more.push(format!("--{name}={text}").into());
    }
    Ok(more)
}

fn is_given(given: &[OsString], name: &str, short: Option<char>) -> bool {
    given.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        let long = argument.strip_prefix("--").map(|a| a.split('=').next().unwrap_or_default());
        long == Some(name)
            || (long.is_none()
                && short.is_some()
                && argument.starts_with('-')
                && argument.chars().nth(1) == short)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(line: &str, file: &str) -> Result<Vec<String>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flags");
        std::fs::write(&path, file).unwrap();
        let mut given: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        given.extend(["--config".into(), path.into()]);
        Ok(with_file(given)?.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    #[test]
    fn the_command_line_wins() {
        let json = r#"{"resource-group": "file", "location": "l", "tags": "A=1,B='x y'", "verbose": false, "json": true}"#;
        let all = merged("csagent connect -g line", json).unwrap();
        assert_eq!(all, ["csagent", "connect", "-g", "line", "--location=l", "--tags=A=1,B='x y'", "--json"]);
        assert_eq!(merged("csagent connect --location=x", json).unwrap()[3], "--resource-group=file");
    }

    #[test]
    fn plain_yaml() {
        let yaml = "---\n# who\nservice-principal-id: abc # the app\nservice-principal-secret: 'it''s #1: \"x\"'\nresource-group: \"a b\"\n\nlocation: local\n";
        let all = merged("csagent connect", yaml).unwrap();
        assert_eq!(
            all[2..],
            [
                "--service-principal-id=abc",
                "--service-principal-secret=it's #1: \"x\"",
                "--resource-group=a b",
                "--location=local"
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for bad in ["{", "a", "a: [1]", "  a: b", "- a: b", "{\"a\": [1]}"] {
            assert_eq!(merged("csagent connect", bad).unwrap_err().kind, Kind::Usage, "{bad}");
        }
        let missing = with_file(vec!["csagent".into(), "--config=/nowhere/at/all".into()]).unwrap_err();
        assert_eq!(missing.code, Some("AZCM0019"));
    }
}
