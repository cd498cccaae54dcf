//! The architecture as a test: folders are rooms, and dependencies between rooms only go the way this table says.
//!
//! `part/vault` may use `store/store` (traits) but not `store/store-sql` (SQL), no surface may see a store, and `core/`
//! sees nothing but itself. The answer comes from `cargo metadata`, so a renamed dependency or one behind a feature counts.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::ground::Ground;

/// What a room may use: rooms (`core/`) or single crates (`cs-store`), and what it must not know of the world's crates.
struct Room {
    folder: &'static str,
    may_use: &'static [&'static str],
    must_not_know: &'static [&'static str],
}

const HTTP: &[&str] = &["http", "hyper", "hyper-util", "axum", "reqwest"];
const SQL: &[&str] = &["rusqlite", "tokio-postgres", "deadpool-postgres"];
const HTTP_AND_SQL: &[&str] =
    &["http", "hyper", "hyper-util", "axum", "reqwest", "rusqlite", "tokio-postgres", "deadpool-postgres"];

/// The one place that says who may use whom. ARCHITECTURE.md explains it; this decides.
const ROOMS: &[Room] = &[
    Room { folder: "core", may_use: &["core/"], must_not_know: HTTP_AND_SQL },
    Room { folder: "wire", may_use: &["core/"], must_not_know: SQL },
    Room { folder: "store", may_use: &["core/", "cs-store"], must_not_know: &["hyper", "axum"] },
    Room { folder: "part", may_use: &["core/", "cs-store", "cs-bytes"], must_not_know: HTTP_AND_SQL },
    Room { folder: "support", may_use: &["core/", "cs-telemetry"], must_not_know: SQL },
    Room { folder: "surface", may_use: &["part/", "wire/", "core/", "support/"], must_not_know: SQL },
    Room {
        folder: "bin",
        may_use: &["surface/", "part/", "store/", "wire/", "core/", "support/"],
        must_not_know: SQL,
    },
    Room {
        folder: "bench",
        may_use: &["surface/", "part/", "store/", "wire/", "core/", "support/"],
        must_not_know: &[],
    },
    Room {
        folder: "fuzz",
        may_use: &["surface/", "part/", "store/", "wire/", "core/", "support/"],
        must_not_know: &[],
    },
    Room { folder: "packaging", may_use: &[], must_not_know: HTTP },
    // Chores look at the product from outside, as the tests of real clients do.
    Room { folder: "xtask", may_use: &[], must_not_know: HTTP },
];

/// Tests may also stand on these: a part is tested on a real store, a surface with the test kit around it.
const TESTS_MAY_ALSO_USE: &[&str] = &["support/", "store/"];

/// A crate of the workspace and the arrows that leave it.
pub struct Member {
    name: String,
    /// Its folder below the root, `part/vault`.
    place: String,
    uses: Vec<Arrow>,
}

impl Member {
    /// The crate's name where it lies in one of these rooms.
    pub fn name_in(&self, rooms: &[&str]) -> Option<&str> {
        rooms.iter().any(|room| self.place.starts_with(room)).then_some(self.name.as_str())
    }
}

struct Arrow {
    to: String,
    for_tests: bool,
}

/// Every crate of this workspace, from `cargo metadata`.
pub fn workspace(ground: &Ground) -> Result<Vec<Member>> {
    let output = ground.cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]).output()?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let root = metadata["workspace_root"].as_str().context("cargo metadata without a root")?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    packages.iter().map(|package| member(package, root)).collect()
}

fn member(package: &Value, root: &str) -> Result<Member> {
    let text = |field: &str| package[field].as_str().with_context(|| format!("a package without {field}"));
    let manifest = text("manifest_path")?;
    let place = manifest.strip_prefix(root).and_then(|rest| rest.strip_suffix("/Cargo.toml"));
    let uses = package["dependencies"].as_array().context("a package without dependencies")?;
    Ok(Member {
        name: text("name")?.to_owned(),
        place: place.context("a crate outside the workspace")?.trim_start_matches('/').to_owned(),
        uses: uses.iter().filter_map(arrow).collect(),
    })
}

fn arrow(dependency: &Value) -> Option<Arrow> {
    let to = dependency["name"].as_str()?.to_owned();
    Some(Arrow { to, for_tests: dependency["kind"] == "dev" })
}

/// One line for each arrow that the table forbids; empty when the architecture holds.
pub fn violations(members: &[Member]) -> Vec<String> {
    members.iter().flat_map(|member| violations_of(member, members)).collect()
}

fn violations_of(member: &Member, members: &[Member]) -> Vec<String> {
    let folder = member.place.split('/').next().unwrap_or_default();
    let Some(room) = ROOMS.iter().find(|room| room.folder == folder) else {
        return vec![format!("{} lies in {}/, a room without a row in the table", member.name, folder)];
    };
    let wrong = member.uses.iter().filter(|arrow| !permitted(room, arrow, members));
    wrong.map(|arrow| complaint(member, arrow, members)).collect()
}

fn permitted(room: &Room, arrow: &Arrow, members: &[Member]) -> bool {
    let Some(target) = members.iter().find(|member| member.name == arrow.to) else {
        return arrow.for_tests || !room.must_not_know.contains(&arrow.to.as_str());
    };
    let named = |list: &[&str]| list.iter().any(|entry| covers(entry, target));
    named(room.may_use) || (arrow.for_tests && named(TESTS_MAY_ALSO_USE))
}

/// `core/` covers a whole room, `cs-store` one crate.
fn covers(entry: &str, target: &Member) -> bool {
    if entry.ends_with('/') { target.place.starts_with(entry) } else { target.name == entry }
}

fn complaint(member: &Member, arrow: &Arrow, members: &[Member]) -> String {
    let tests = if arrow.for_tests { " (in its tests)" } else { "" };
    match members.iter().find(|other| other.name == arrow.to) {
        Some(target) => format!("{} must not use {}{tests}", member.place, target.place),
        None => format!("{} must not know the crate {}", member.place, arrow.to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(name: &str, place: &str, uses: &[&str]) -> Member {
        let uses = uses.iter().map(|to| match to.strip_prefix("dev:") {
            Some(to) => Arrow { to: to.to_owned(), for_tests: true },
            None => Arrow { to: (*to).to_owned(), for_tests: false },
        });
        Member { name: name.to_owned(), place: place.to_owned(), uses: uses.collect() }
    }

    fn town(vault_uses: &[&str], ids_use: &[&str]) -> Vec<Member> {
        vec![
            a("cs-ids", "core/ids", ids_use),
            a("cs-store", "store/store", &["cs-ids"]),
            a("cs-store-sql", "store/store-sql", &["cs-store", "rusqlite"]),
            a("cs-vault", "part/vault", vault_uses),
            a("cs-pki", "support/pki", &["cs-ids"]),
        ]
    }

    #[test]
    fn arrows_down_are_fine() {
        assert_eq!(violations(&town(&["cs-store", "cs-ids", "dev:cs-pki"], &[])), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_is_caught() {
        assert_eq!(violations(&town(&[], &["cs-vault"])), ["core/ids must not use part/vault"]);
    }

    #[test]
    fn a_part_sees_the_traits_of_the_store_but_not_its_sql() {
        assert_eq!(violations(&town(&["cs-store-sql"], &[])), ["part/vault must not use store/store-sql"]);
        assert_eq!(violations(&town(&["rusqlite"], &[])), ["part/vault must not know the crate rusqlite"]);
    }

    #[test]
    fn a_test_may_stand_on_a_real_store() {
        assert_eq!(violations(&town(&["dev:cs-store-sql"], &[])), Vec::<String>::new());
        assert_eq!(
            violations(&town(&[], &["dev:cs-vault"])),
            ["core/ids must not use part/vault (in its tests)"]
        );
    }

    #[test]
    fn only_tests_may_use_the_test_kit() {
        assert_eq!(violations(&town(&["cs-pki"], &[])), ["part/vault must not use support/pki"]);
    }

    #[test]
    fn a_room_nobody_described_is_caught() {
        let stranger = vec![a("cs-misc", "misc/things", &[])];
        assert_eq!(violations(&stranger), ["cs-misc lies in misc/, a room without a row in the table"]);
    }

    #[test]
    fn this_workspace_keeps_to_the_table() {
        let members = workspace(&Ground::find().unwrap()).unwrap();
        assert!(members.len() > 20, "cargo metadata lists the crates");
        assert_eq!(violations(&members), Vec::<String>::new());
    }
}
