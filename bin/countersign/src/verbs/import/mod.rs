//! `countersign import`: a site as the twin of a subscription.
//!
//! What is read are the lists that people have anyway, `az … list -o json`. Ids come along: of subscriptions, principals,
//! roles and assignments, so that what was decided there is decided here. What is there already stays as it is; whatever
//! cannot come is named with the reason.

mod element;
mod steps;

use std::{collections::BTreeMap, path::Path, process::ExitCode, sync::Arc};

use cs_time::{MachineChance, MachineClock};
use serde_json::{Value, json};

use self::{element::Element, steps::Importer};
use crate::{
    cli::{ImportArgs, Output},
    failure::{Attempt, Failure, Kind},
    site::{
        compose,
        data::{self, DataDirectory},
        keys,
        open::{self, Opened},
    },
};

/// What became of one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Made,
    /// The same is there.
    There,
    Skipped(String),
}

pub(super) struct Line {
    what: &'static str,
    id: String,
    outcome: Outcome,
    /// What of it did not come along.
    note: Option<&'static str>,
}

pub async fn import(args: ImportArgs) -> Result<ExitCode, Failure> {
    let mut elements = Vec::new();
    for file in &args.files {
        elements.extend(read(file)?);
    }
    elements.sort_by_key(Element::phase);
    let directory = data::path_of(args.store.data.data.as_deref())?;
    let url = args.store.database.as_deref();
    let lines = if args.dry_run {
        if url.is_some() {
            let text =
                "--dry-run plays the import on a copy of the SQLite file, and --database names no file";
            return Err(Failure::new(Kind::Usage, text).hint("import into a copy of that database instead"));
        }
        // In the directory's place a copy of it; its lock is held while it is read.
        let held = directory.exists().then(|| DataDirectory::open(&directory)).transpose()?;
        let copy = tempfile::tempdir().attempt("making a folder for the dry run")?;
        if held.is_some() {
            copy_files(&directory, copy.path())?;
        }
        play(&DataDirectory::open(copy.path())?, None, &elements).await?
    } else {
        play(&DataDirectory::open(&directory)?, url, &elements).await?
    };
    print(&lines, &args);
    Ok(ExitCode::SUCCESS)
}

/// The elements of one list: an array, or the resource manager's own `{"value": […]}`.
fn read(file: &Path) -> Result<Vec<Element>, Failure> {
    let shown = file.display();
    let text = std::fs::read(file).attempt(format_args!("reading {shown}"))?;
    let list = match serde_json::from_slice(&text).attempt(format_args!("reading {shown}"))? {
        Value::Array(list) => list,
        Value::Object(mut one) => match one.remove("value") {
            Some(Value::Array(list)) => list,
            _ => vec![Value::Object(one)],
        },
        _ => return Err(Failure::failed(format!("{shown} holds no list of resources"))),
    };
    list.into_iter().map(|one| Element::of(one, file)).collect()
}

async fn play(data: &DataDirectory, url: Option<&str>, elements: &[Element]) -> Result<Vec<Line>, Failure> {
    let known_root = keys::root(data.path())?;
    let store = open::store(data, url).await?;
    let bytes = open::bytes(data, None).await?;
    let Opened { store, root, seed } = Opened::of(data, store, known_root).await?;
    let (clock, chance) = (Arc::new(MachineClock), Arc::new(MachineChance));
    let ground = compose::Ground { store, bytes, root, clock, chance, development: false };
    let (site, background) = compose::site(ground).await?;
    // Nobody asks this site anything: it is only written to.
    background.iter().for_each(tokio::task::JoinHandle::abort);
    let mut importer = Importer::new(&site, &seed);
    for element in elements {
        importer.take(element).await?;
    }
    site.flush().await;
    Ok(importer.into_lines())
}

fn copy_files(from: &Path, to: &Path) -> Result<(), Failure> {
    let attempt = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let is_lock = entry.file_name() == "lock";
            if entry.file_type()?.is_file() && !is_lock {
                std::fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    attempt().attempt(format_args!("copying {} for the dry run", from.display()))
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
fn print(lines: &[Line], args: &ImportArgs) {
    match args.output {
        Output::Json => {
            let all: Vec<Value> = lines.iter().map(as_json).collect();
            println!("{:#}", json!({"dryRun": args.dry_run, "items": all}));
        }
        Output::Table => {
            for line in lines {
                println!("{}", as_text(line));
            }
            let mut counts = BTreeMap::new();
            for line in lines {
                *counts.entry(word(&line.outcome)).or_insert(0) += 1;
            }
            let counts: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
            let would = if args.dry_run { "Nothing was changed; it would be: " } else { "" };
            println!("{would}{}", counts.join(", "));
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Made => "made",
        Outcome::There => "there already",
        Outcome::Skipped(_) => "skipped",
    }
}

fn as_text(line: &Line) -> String {
    let why = match (&line.outcome, line.note) {
        (Outcome::Skipped(why), _) => format!(": {why}"),
        (_, Some(note)) => format!(" ({note})"),
        (_, None) => String::new(),
    };
    let text = format!("{:<13}  {} {}{why}", word(&line.outcome), line.what, line.id);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn as_json(line: &Line) -> Value {
    let why = if let Outcome::Skipped(why) = &line.outcome { Some(why) } else { None };
    json!({"kind": line.what, "id": line.id, "outcome": word(&line.outcome), "why": why, "note": line.note})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{DataArgs, StoreArgs};

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verbs/import/azure")
    }

    /// Lists as az prints them of the original, with invented ids.
    fn azure() -> Vec<Element> {
        let files =
            ["assignments", "definitions", "resources", "machines", "identities", "groups", "accounts"];
        let mut all: Vec<Element> =
            files.iter().flat_map(|name| read(&folder().join(format!("{name}.json"))).unwrap()).collect();
        all.sort_by_key(Element::phase);
        all
    }

    fn outcomes(lines: &[Line]) -> Vec<String> {
        let last = |line: &Line| line.id.rsplit('/').next().unwrap_or_default().to_owned();
        let mut all: Vec<_> =
            lines.iter().map(|l| format!("{} {} {}", l.what, last(l), word(&l.outcome))).collect();
        all.sort_unstable();
        all
    }

    const MADE: &[&str] = &[
        "assignment a0000000-0000-4000-8000-000000000001 made",
        "assignment a0000000-0000-4000-8000-000000000002 made",
        "assignment a0000000-0000-4000-8000-000000000003 made",
        "assignment a0000000-0000-4000-8000-000000000004 skipped",
        "assignment a0000000-0000-4000-8000-000000000005 skipped",
        "group NetworkWatcherRG made",
        "group Prod-Rg made",
        "identity deployer made",
        // From the list of resources, which does not say its principal.
        "identity deployer skipped",
        "machine web-01 made",
        "machine web-01 there already",
        "resource prod-kv-7731 made",
        "resource prodsa7731 made",
        "resource vnet-1 skipped",
        "role 6d1f4a3e-8f7a-4a25-9d11-3c5e7f9a1b66 made",
        "subscription 0b1f6471-1bf0-4dda-aec3-cb9272f09590 made",
    ];

    #[tokio::test]
    async fn a_subscription_comes_with_its_ids_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        let found = play(&data, None, &azure()).await.unwrap();
        assert_eq!(outcomes(&found), MADE);
        let why =
            |line: &Line| if let Outcome::Skipped(why) = &line.outcome { Some(why.clone()) } else { None };
        let why: Vec<_> = found.iter().filter_map(why).collect();
        assert!(why.len() == 4 && why.iter().all(|w| !w.is_empty()), "{why:?}");
        let again = play(&data, None, &azure()).await.unwrap();
        assert!(again.iter().all(|l| l.outcome != Outcome::Made), "{:?}", outcomes(&again));
        assert_eq!(again.iter().filter(|l| l.outcome == Outcome::There).count(), 12);
    }

    #[tokio::test]
    async fn what_no_client_could_list_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        let mut all = azure();
        let group = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/Prod-Rg/providers";
        let odd = [
            (
                "sku",
                serde_json::json!({
                    "id": format!("{group}/Microsoft.KeyVault/vaults/odd-kv"),
                    "type": "Microsoft.KeyVault/vaults", "location": "local", "sku": [],
                }),
            ),
            // As some lists write it.
            (
                "enablePurgeProtection",
                serde_json::json!({
                    "id": format!("{group}/microsoft.keyvault/vaults/other-kv"),
                    "type": "microsoft.keyvault/vaults", "location": "local", "properties": {"enablePurgeProtection": "yes"},
                }),
            ),
            // What `az connectedmachine list` prints has no `properties`.
            (
                "lastStatusChange",
                serde_json::json!({
                    "id": format!("{group}/Microsoft.HybridCompute/machines/odd"), "type": "Microsoft.HybridCompute/machines",
                    "location": "local", "identity": {"principalId": "0b1f6471-1bf0-4dda-aec3-cb9272f09599"}, "lastStatusChange": 5,
                }),
            ),
        ];
        all.extend(odd.iter().map(|(_, value)| Element::of(value.clone(), dir.path()).unwrap()));
        let found = play(&data, None, &all).await.unwrap();
        for (member, value) in odd {
            let line = found.iter().find(|line| line.id == value["id"]).unwrap();
            assert!(
                matches!(&line.outcome, Outcome::Skipped(why) if why.contains(member)),
                "{:?}",
                line.outcome
            );
        }
    }

    #[tokio::test]
    async fn a_dry_run_says_the_same_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("site");
        let args = || ImportArgs {
            store: StoreArgs { data: DataArgs { data: Some(data.clone()) }, database: None },
            files: vec![folder().join("groups.json")],
            dry_run: true,
            output: Output::Json,
        };
        import(args()).await.unwrap();
        assert!(!data.exists(), "not even a first start");
        play(&DataDirectory::open(&data).unwrap(), None, &[]).await.unwrap();
        import(args()).await.unwrap();
        let elements = read(&args().files[0]).unwrap();
        let real = play(&DataDirectory::open(&data).unwrap(), None, &elements).await.unwrap();
        assert!(real.iter().all(|l| l.outcome == Outcome::Made), "{:?}", outcomes(&real));
    }

    #[test]
    fn d07_what_is_no_list_of_az_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.json");
        for bad in ["", "7", "[7]", "[{\"id\":\"x\"}]", "{\"value\": 1}", &"[".repeat(10_000)] {
            std::fs::write(&file, bad).unwrap();
            assert!(read(&file).is_err(), "{bad:.40}");
        }
    }

    #[tokio::test]
    async fn h06_an_element_cannot_write_lines_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.json");
        let odd = r#"{"value": [{"type": "Microsoft.X/y", "id": "../../etc\n\u001b[31mmade  group x"}]}"#;
        std::fs::write(&file, odd).unwrap();
        let data = DataDirectory::open(&dir.path().join("site")).unwrap();
        let lines = play(&data, None, &read(&file).unwrap()).await.unwrap();
        let text = as_text(&lines[0]);
        assert!(text.starts_with("skipped") && !text.contains(char::is_control), "{text:?}");
    }
}
