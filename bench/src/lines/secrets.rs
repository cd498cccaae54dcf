//! Secrets: read beside hello-world over TLS, written beside bare inserts that share their commits.

use std::{sync::mpsc, time::Duration, time::Instant};

use anyhow::{Result, anyhow};
use http::{Request, StatusCode, header};

use super::metadata::{beside_hello, rate};
use crate::{
    line::{Aim, Figure, Line, Outcome, in_turns},
    load::hammer,
    site::Site,
};

pub struct Get;
pub struct Set;

const WRITERS: usize = 64;
/// Each reading is on record durably before it is answered; how many share a commit is how many ask at once.
const READERS: usize = 64;
const TURN: Duration = Duration::from_millis(1500);

impl Line for Get {
    fn name(&self) -> &'static str {
        "secret-get"
    }

    fn about(&self) -> &'static str {
        "a secret read by 64 readers, each on record durably, beside hello-world over TLS"
    }

    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        let bearer = site.make_vault()?;
        let vault = site.vault()?;
        crate::load::block_on(async {
            vault.connect().await?.expect(set(0, &bearer), body(), StatusCode::OK).await
        })?;
        beside_hello(true, READERS, Aim::RatioAtLeast(0.5), || {
            rate(&site.process, &vault, READERS, async |connection, _, _| {
                let request =
                    Request::get("/secrets/w0?api-version=7.4").header(header::AUTHORIZATION, &bearer);
                connection.expect(request, "", StatusCode::OK).await.map(drop)
            })
        })
    }
}

impl Line for Set {
    fn name(&self) -> &'static str {
        "secret-set"
    }

    fn about(&self) -> &'static str {
        "secrets written by 64 writers, beside bare inserts of 64 writers that share commits"
    }

    fn measure(&self) -> Result<Outcome> {
        let site = Site::start()?;
        let bearer = site.make_vault()?;
        let vault = site.vault()?;
        let ours = || {
            let run = hammer(&vault, WRITERS, TURN, async |connection, writer, _| {
                connection.expect(set(writer, &bearer), body(), StatusCode::OK).await.map(drop)
            })?;
            Ok(run.per_second())
        };
        let rounds = in_turns(inserts, ours)?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "/s", Aim::RatioAtLeast(0.5))))
    }
}

fn set(writer: usize, bearer: &str) -> http::request::Builder {
    Request::put(format!("/secrets/w{writer}?api-version=7.4"))
        .header(header::AUTHORIZATION, bearer)
        .header(header::CONTENT_TYPE, "application/json")
}

fn body() -> &'static str {
    r#"{"value":"correct horse battery staple"}"#
}

/// Durable inserts a second: one thread writes what has queued up in one transaction, the others wait for it.
fn inserts() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut database = rusqlite::Connection::open(folder.path().join("floor.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, value BLOB);",
    )?;
    let (wants, queue) = mpsc::channel::<mpsc::Sender<()>>();
    let started = Instant::now();
    let mut count = 0;
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            let wants = wants.clone();
            scope.spawn(move || {
                let (done, mine) = mpsc::channel();
                while started.elapsed() < TURN && wants.send(done.clone()).is_ok() && mine.recv().is_ok() {}
            });
        }
        drop(wants);
        while let Ok(first) = queue.recv() {
            let waiting: Vec<_> = std::iter::once(first).chain(queue.try_iter().take(WRITERS)).collect();
            commit(&mut database, waiting.len())?;
            count += waiting.len();
            for done in &waiting {
                let _ = done.send(());
            }
        }
        anyhow::Ok(())
    })
    .map_err(|error| anyhow!("the floor's inserts failed: {error}"))?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

fn commit(database: &mut rusqlite::Connection, rows: usize) -> Result<()> {
    let transaction = database.transaction()?;
    for _ in 0..rows {
        transaction.prepare_cached("INSERT INTO t (value) VALUES (?1)")?.execute([[7_u8; 256]])?;
    }
    Ok(transaction.commit()?)
}
