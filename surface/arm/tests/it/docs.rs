//! docs/resource-types.md and the list of providers are made of the tables.

use std::fmt::Write;

use cs_arm::{Body, Entry};
use cs_serve::Needs;
use serde_json::json;

use crate::world::{S, World};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/resource-types.md");
const MARK: &str =
    "<!-- Below this line: made of the tables by `COUNTERSIGN_WRITE_DOCS=1 cargo test -p cs-arm docs` -->\n";

/// A section a type, a line a row.
fn described() -> String {
    let mut text = String::new();
    let mut last = "";
    for Entry { kind, about, versions, method, path, body, needs } in cs_arm::entries() {
        if kind != last {
            last = kind;
            let versions = versions.join(", ");
            write!(text, "\n## {kind}\n\n{about} Versions: {versions}.\n\n").unwrap();
            text.push_str("| method and path | body | needs |\n| --- | --- | --- |\n");
        }
        let body = match body {
            Body::Nothing => "-".to_owned(),
            Body::Resource => "resource".to_owned(),
            Body::Json(members) => format!("`{members}`"),
        };
        let needs = match needs {
            Needs::Action(action) => format!("`{action}`"),
            Needs::Token(why) => format!("a token; {why}"),
            Needs::Credentials => "credentials in the body".to_owned(),
            other => panic!("{path}: a door of the resource manager needs {other:?}"),
        };
        writeln!(text, "| {method} `{path}` | {body} | {needs} |").unwrap();
    }
    text
}

#[test]
fn the_docs_say_what_the_tables_say() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let (by_hand, made) = text.split_once(MARK).expect("the mark stands in docs/resource-types.md");
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        std::fs::write(FILE, format!("{by_hand}{MARK}{}", described())).unwrap();
        return;
    }
    assert!(made == described(), "docs/resource-types.md is old: its mark says how to make it anew");
}

#[tokio::test]
async fn providers_list_every_type_with_its_versions() {
    let world = World::new().await;
    let all = world.get("reader", &format!("{S}/providers")).await.ok();
    let all = all["value"].as_array().unwrap();
    for Entry { kind, versions, .. } in cs_arm::entries() {
        let (namespace, name) = kind.split_once('/').unwrap();
        let provider = all.iter().find(|p| p["namespace"] == json!(namespace)).unwrap();
        let types = provider["resourceTypes"].as_array().unwrap();
        let listed: Vec<_> = types.iter().filter(|t| t["resourceType"] == json!(name)).collect();
        assert_eq!((listed.len(), &listed[0]["apiVersions"]), (1, &json!(versions)), "{kind}");
        assert!(!versions.is_empty() && versions.is_sorted_by(|a, b| a > b), "{kind}: newest first");
    }
    // What lies at a place of a provider is found by the versions of its places.
    let vaults = all.iter().find(|p| p["namespace"] == json!("Microsoft.KeyVault")).unwrap();
    let of = |name: &str| {
        let kind =
            vaults["resourceTypes"].as_array().unwrap().iter().find(|t| t["resourceType"] == json!(name));
        kind.unwrap()["apiVersions"].clone()
    };
    assert_eq!(of("locations"), of("deletedVaults"));
}

/// What a catalogue names, with whether it is over data.
fn named(operations: &serde_json::Value) -> Vec<(String, bool)> {
    let one = |o: &serde_json::Value| {
        assert!(!o["description"].as_str().or(o["display"]["description"].as_str()).unwrap().is_empty());
        (o["name"].as_str().unwrap().to_owned(), o["isDataAction"].as_bool().unwrap())
    };
    operations.as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn the_catalogue_names_what_every_door_asks_for() {
    let world = World::new().await;
    let at = "/providers/Microsoft.Authorization/providerOperations";
    let all = world.get("nobody", &format!("{at}?$expand=resourceTypes")).await.ok();
    let mut found = Vec::new();
    for provider in all["value"].as_array().unwrap() {
        let name = provider["name"].as_str().unwrap();
        let mut own = named(&provider["operations"]);
        for kind in provider["resourceTypes"].as_array().unwrap() {
            let prefix = format!("{name}/{}/", kind["name"].as_str().unwrap()).to_lowercase();
            let of_kind = named(&kind["operations"]);
            assert!(of_kind.iter().all(|(o, _)| o.to_lowercase().starts_with(&prefix)), "{prefix}");
            own.extend(of_kind);
        }
        let one = world.get("nobody", &format!("{at}/{}?$expand=resourceTypes", name.to_lowercase())).await;
        assert_eq!(&one.ok(), provider);
        let bare = world.get("nobody", &format!("{at}/{name}")).await.ok();
        assert_eq!(bare["resourceTypes"], json!([]));
        let mut listed =
            named(&world.get("nobody", &format!("/providers/{name}/operations")).await.ok()["value"]);
        listed.sort();
        own.sort();
        assert_eq!(listed, own, "{name}");
        found.extend(own);
    }
    for Entry { needs, path, .. } in cs_arm::entries() {
        let Needs::Action(action) = needs else { continue };
        let hits = found.iter().filter(|(o, data)| o.eq_ignore_ascii_case(action) && !data).count();
        assert_eq!(hits, 1, "{action} of {path}");
    }
    for (action, is_data) in cs_rbac::SERVED_OPERATIONS {
        let hits = found.iter().filter(|(o, data)| o.eq_ignore_ascii_case(action) && data == is_data).count();
        assert_eq!(hits, 1, "{action}");
    }
    for nowhere in [format!("{at}/Microsoft.None"), "/providers/Microsoft.None/operations".to_owned()] {
        let refused = world.get("nobody", &nowhere).await.refusal();
        assert_eq!(refused, (404, "InvalidResourceNamespace".into()), "{nowhere}");
    }
}

#[tokio::test]
async fn a_version_that_is_none_is_answered_with_those_of_the_type() {
    let world = World::with_group().await;
    let vault = format!("{S}/resourceGroups/lab/providers/Microsoft.KeyVault/vaults/kv1");
    for bad in ["x", "2020-1-1", "2020-13-01", "1999-01-01", "2020-01-01x", "latest"] {
        let reply = world.raw("owner", "GET", &format!("{vault}?api-version={bad}"), "").await;
        assert_eq!(reply.refusal(), (400, "InvalidApiVersionParameter".into()), "{bad}");
        assert!(reply.text.contains(&format!("The api-version '{bad}' is invalid.")), "{}", reply.text);
        assert!(reply.text.contains("2026-02-01,2024-11-01") && !reply.text.contains("2015-04-01"));
    }
}
