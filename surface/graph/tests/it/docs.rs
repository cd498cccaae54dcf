//! docs/directory.md is made of the tables.

use std::fmt::Write;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/directory.md");
const MARK: &str = "<!-- Below this line: made of the tables by `COUNTERSIGN_WRITE_DOCS=1 cargo test -p cs-graph docs` -->\n";

fn described() -> String {
    let mut text = "\n| method and path | needs |\n| --- | --- |\n".to_owned();
    for (method, path, writes) in cs_graph::doors() {
        let needs = if writes { "administrator or owner" } else { "a token of the tenant" };
        writeln!(text, "| {method} `{path}` | {needs} |").unwrap();
    }
    text
}

#[test]
fn the_docs_say_what_the_tables_say() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let (by_hand, made) = text.split_once(MARK).expect("the mark stands in docs/directory.md");
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        std::fs::write(FILE, format!("{by_hand}{MARK}{}", described())).unwrap();
        return;
    }
    assert!(made == described(), "docs/directory.md is old: its mark says how to make it anew");
}
