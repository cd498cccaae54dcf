//! What SQLite means to do, for tests that no list grows with what lies beside it.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use crate::{SqlStore, Value};

/// What SQLite would do, a line a step.
pub(super) async fn plan(sql: &'static str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&dir.path().join("site.db")).unwrap();
    let asked: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
    let steps = store.read("planning", move |mut c| {
        Box::pin(async move {
            let params = vec![Value::from(""); highest(sql)];
            c.rows(asked, &params).await?.iter().map(|r| r.string(3)).collect::<Result<Vec<_>, _>>()
        })
    });
    steps.await.unwrap().join("\n")
}

fn highest(sql: &str) -> usize {
    (1..=20).rev().find(|n| sql.contains(&format!("${n}"))).unwrap_or(0)
}
