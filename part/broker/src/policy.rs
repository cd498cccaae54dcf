//! Who on this machine may have which token: an optional policy and a pure decision; `policy_file.rs` has the file it comes from.
//!
//! The first rule that fits decides. What is not known of a caller fits every rule that denies and none that allows, so
//! that hiding gets nobody further. Read strictly: a misspelt key must not open a door wider than was meant.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use nix::unistd::{Group, User};
use serde::Deserialize;

use crate::Identity;

/// More rules than anybody can keep in mind.
const RULES_MAX: usize = 256;

/// One process that holds the caller's end of the connection. `None` is what is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Process {
    pub pid: Option<u32>,
    pub user: Option<u32>,
    /// All of them, the first as well.
    pub groups: Option<Vec<u32>>,
    pub executable: Option<Executable>,
    /// The system's unit; `Some("")` for a process in none.
    pub unit: Option<String>,
}

/// What a process runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Executable {
    /// The very file that lies there now.
    Is(PathBuf),
    /// The kernel gives this path, but another file lies there, or none: it was replaced, or is seen by this process
    /// alone.
    WasAt(PathBuf),
}

/// Who asks: the owner of the socket, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Caller {
    pub socket_user: Option<u32>,
    pub processes: Vec<Process>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w> {
    /// `himds`, `imds`, `app-service`, `cloud-shell`.
    pub source: &'w str,
    pub identity: &'w Identity,
    pub resource: &'w str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Allow,
    Deny,
}

/// A policy as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    default: Effect,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    name: String,
    effect: Effect,
    users: Option<Vec<u32>>,
    groups: Option<Vec<u32>>,
    executables: Option<Vec<String>>,
    units: Option<Vec<String>>,
    identities: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    sources: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    default: Effect,
    #[serde(default)]
    rules: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: String,
    effect: Effect,
    users: Option<Vec<String>>,
    groups: Option<Vec<String>>,
    executables: Option<Vec<String>>,
    units: Option<Vec<String>>,
    identities: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    sources: Option<Vec<String>>,
}

/// Which rule refused whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    pub rule: String,
    pub who: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    No,
    Unknown,
}

impl Fits {
    fn of(known: Option<bool>) -> Self {
        known.map_or(Self::Unknown, |yes| if yes { Self::Yes } else { Self::No })
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if written.rules.len() > RULES_MAX {
            return Err(format!("more than {RULES_MAX} rules"));
        }
        let mut rules = Vec::new();
        for rule in written.rules {
            let name = rule.name.clone();
            rules.push(meant(rule).map_err(|why| format!("rule {name:?}: {why}"))?);
        }
        Ok(Self { default: written.default, rules })
    }

    /// Whether a decision looks at more than the user: then every process that holds the socket counts.
    pub fn needs_processes(&self) -> bool {
        let looks = |r: &Rule| r.groups.is_some() || r.executables.is_some() || r.units.is_some();
        self.rules.iter().any(looks)
    }

    /// Every process that holds the connection must be allowed: any of them can read the answer.
    ///
    /// # Errors
    /// The rule that refuses, and whom.
    pub fn decide(&self, caller: &Caller, wish: &Wish<'_>) -> Result<(), Forbidden> {
        let unknown = [Process { user: caller.socket_user, ..Process::default() }];
        let all: &[Process] = if caller.processes.is_empty() { &unknown } else { &caller.processes };
        for process in all {
            let (effect, rule) = self.effect(caller.socket_user, process, wish);
            if effect == Effect::Deny {
                return Err(Forbidden { rule: rule.to_owned(), who: process.to_string() });
            }
        }
        Ok(())
    }

    fn effect(&self, socket_user: Option<u32>, process: &Process, wish: &Wish<'_>) -> (Effect, &str) {
        for rule in &self.rules {
            match (rule.fits(socket_user, process, wish), rule.effect) {
                (Fits::Yes, effect) => return (effect, &rule.name),
                (Fits::Unknown, Effect::Deny) => return (Effect::Deny, &rule.name),
                (Fits::Unknown, Effect::Allow) | (Fits::No, _) => {}
            }
        }
        (self.default, "default")
    }
}

impl Rule {
    fn fits(&self, socket_user: Option<u32>, process: &Process, wish: &Wish<'_>) -> Fits {
        let any = |list: &Option<Vec<String>>, is: &dyn Fn(&str) -> bool| {
            Fits::of(Some(list.as_ref().is_none_or(|all| all.iter().any(|one| is(one)))))
        };
        let wished = any(&self.sources, &|s| s == wish.source)
            .and(any(&self.identities, &|id| names(wish.identity, id)))
            .and(any(&self.audiences, &|a| folded(a) == folded(wish.resource)));
        let users = self.users.as_ref().map_or(Fits::Yes, |all| {
            let of = |user: Option<u32>| user.map(|u| all.contains(&u));
            match (of(socket_user), of(process.user)) {
                (Some(a), Some(b)) if a == b => Fits::of(Some(a)),
                // The process has another user than whoever made the socket, or one of them is not known.
                _ => Fits::Unknown,
            }
        });
        let groups = self.groups.as_ref().map_or(Fits::Yes, |all| {
            Fits::of(process.groups.as_ref().map(|has| has.iter().any(|g| all.contains(g))))
        });
        let units = self
            .units
            .as_ref()
            .map_or(Fits::Yes, |all| Fits::of(process.unit.as_ref().map(|unit| all.contains(unit))));
        let executables = self.executables.as_ref().map_or(Fits::Yes, |all| {
            let is = |path: &Path| all.iter().any(|one| lies_at(path, one));
            match &process.executable {
                Some(Executable::Is(path)) => Fits::of(Some(is(path))),
                // It may have been the file that is meant, or be another in its place.
                Some(Executable::WasAt(path)) if is(path) => Fits::Unknown,
                Some(Executable::WasAt(_)) => Fits::No,
                None => Fits::Unknown,
            }
        });
        wished.and(users).and(groups).and(units).and(executables)
    }
}

fn names(identity: &Identity, written: &str) -> bool {
    written == "system" && identity.system_assigned || identity.is_called(written)
}

fn folded(resource: &str) -> String {
    resource.trim_end_matches('/').to_ascii_lowercase()
}

/// `/usr/bin/x`, or `/opt/app/*` for all below a directory.
fn lies_at(path: &Path, written: &str) -> bool {
    match written.strip_suffix("/*") {
        Some(directory) => path.starts_with(directory) && path != Path::new(directory),
        None => path == Path::new(written),
    }
}

fn meant(rule: WrittenRule) -> Result<Rule, String> {
    if rule.name.is_empty() || rule.name.len() > 64 || rule.name.chars().any(char::is_control) {
        return Err("a name has 1 to 64 characters, none of them a control character".to_owned());
    }
    let user = |name: &String| match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => User::from_name(name)
            .ok()
            .flatten()
            .map(|u| u.uid.as_raw())
            .ok_or_else(|| format!("there is no user {name:?}")),
    };
    let group = |name: &String| match name.parse() {
        Ok(id) => Ok(id),
        Err(_) => Group::from_name(name)
            .ok()
            .flatten()
            .map(|g| g.gid.as_raw())
            .ok_or_else(|| format!("there is no group {name:?}")),
    };
    let users = rule.users.map(|all| all.iter().map(user).collect::<Result<_, _>>()).transpose()?;
    let groups = rule.groups.map(|all| all.iter().map(group).collect::<Result<_, _>>()).transpose()?;
    for path in rule.executables.iter().flatten() {
        let plain = path.strip_suffix("/*").unwrap_or(path);
        if !plain.starts_with('/') || plain.contains('*') || plain.split('/').any(|s| s == "..") {
            return Err(format!("{path:?} is no absolute path, nor one that ends in /*"));
        }
    }
    for source in rule.sources.iter().flatten() {
        if !["himds", "imds", "app-service", "cloud-shell"].contains(&source.as_str()) {
            return Err(format!("{source:?} is no source"));
        }
    }
    let empty = [&rule.executables, &rule.units, &rule.identities, &rule.audiences, &rule.sources]
        .into_iter()
        .flatten()
        .any(Vec::is_empty);
    if empty || users.as_ref().is_some_and(Vec::is_empty) || groups.as_ref().is_some_and(Vec::is_empty) {
        return Err("an empty list fits nobody: leave it out to fit everybody".to_owned());
    }
    Ok(Rule {
        name: rule.name,
        effect: rule.effect,
        users,
        groups,
        executables: rule.executables,
        units: rule.units,
        identities: rule.identities,
        audiences: rule.audiences,
        sources: rule.sources,
    })
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        write!(f, "uid {}, pid {}", number(self.user), number(self.pid))?;
        match &self.executable {
            Some(Executable::Is(path)) => write!(f, ", {}", path.display())?,
            Some(Executable::WasAt(path)) => {
                write!(f, ", what was at {} and is not any more", path.display())?;
            }
            None => f.write_str(", executable unknown")?,
        }
        match self.unit.as_deref() {
            Some("") | None => Ok(()),
            Some(unit) => write!(f, ", unit {unit}"),
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
