//! Licences, sources and banned crates of everything we depend on, held against `deny.toml`.
//!
//! cargo-deny does this and more (advisories), but takes minutes to build and is on few machines. These checks are the
//! ones that decide whether the product may be shipped, so they run everywhere; `deny.toml` stays the one list.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::ground::Ground;

/// The parts of `deny.toml` that are read here.
struct Rules {
    licences: Vec<String>,
    banned: Vec<String>,
}

/// One line for each dependency that breaks a rule.
pub fn violations(ground: &Ground) -> Result<Vec<String>> {
    let rules = Rules::read(&std::fs::read_to_string(ground.root.join("deny.toml"))?);
    ensure!(!rules.licences.is_empty(), "deny.toml allows no licence at all");
    let output = ground.cargo(&["metadata", "--format-version", "1", "--locked"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    Ok(packages.iter().filter_map(|package| rules.broken_by(package)).collect())
}

impl Rules {
    fn read(toml: &str) -> Self {
        Self { licences: quoted(section(toml, "allow = [")), banned: quoted(section(toml, "deny = [")) }
    }

    fn broken_by(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        match package["source"].as_str() {
            // A path: our own crates, whose licence is the workspace's.
            None => return None,
            Some(source) if !source.starts_with("registry+") => {
                return Some(format!("{name} does not come from the registry"));
            }
            Some(_) => {}
        }
        if self.banned.iter().any(|banned| banned == name) {
            return Some(format!("{name} is banned"));
        }
        (!self.allows(licence)).then(|| format!("{name} is under {licence:?}"))
    }

    /// Whether an SPDX expression can be met with allowed licences. The old `MIT/Apache-2.0` means OR.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let spaced = spaced.replace(" WITH ", "+WITH+");
        let mut words = spaced.split_whitespace().peekable();
        self.any_of(&mut words) && words.next().is_none()
    }

    fn any_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.all_of(words);
        while words.next_if_eq(&"OR").is_some() {
            met |= self.all_of(words);
        }
        met
    }

    fn all_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            met &= self.one(words);
        }
        met
    }

    fn one<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        match words.next() {
            Some("(") => {
                let met = self.any_of(words);
                words.next() == Some(")") && met
            }
            Some(licence) => {
                self.licences.iter().any(|allowed| *allowed == licence.replace("+WITH+", " WITH "))
            }
            None => false,
        }
    }
}

/// The text between `opening` at the start of a line and the closing bracket on a line of its own.
fn section<'a>(toml: &'a str, opening: &str) -> &'a str {
    let from = toml.find(&format!("\n{opening}")).map_or("", |at| &toml[at + 1 + opening.len()..]);
    from.split("\n]").next().unwrap_or_default()
}

/// The first quoted word of each line that is no comment.
fn quoted(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "[licenses]\nallow = [\n  # why\n  \"MIT\",\n  \"Apache-2.0 WITH LLVM-exception\",\n  \"ISC\",\n]\n\
        [bans]\ndeny = [\n  { crate = \"openssl\" },\n]\n";

    #[test]
    fn expressions_are_met_by_allowed_licences_only() {
        let rules = Rules::read(TOML);
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "ISC AND (MIT OR GPL-3.0)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(rules.allows(good), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "OR", "Apache-2.0", "MIT ISC"]
        {
            assert!(!rules.allows(bad), "{bad}");
        }
    }

    #[test]
    fn a_banned_crate_and_a_foreign_source_are_caught() {
        let rules = Rules::read(TOML);
        let package =
            |name: &str, source: &str| serde_json::json!({"name": name, "license": "MIT", "source": source});
        assert_eq!(rules.broken_by(&package("openssl", "registry+x")).unwrap(), "openssl is banned");
        assert!(rules.broken_by(&package("fork", "git+https://example.org/fork")).is_some());
        assert_eq!(rules.broken_by(&package("fine", "registry+x")), None);
    }
}
