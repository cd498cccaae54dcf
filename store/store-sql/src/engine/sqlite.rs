//! SQLite: one writer thread with group commit, a few readers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use cs_store::StoreError;
use futures_util::FutureExt;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, types::ValueRef};
use tokio::sync::oneshot;

use super::{Conn, Dialect, JobFuture, RaisedAtTheEnd, dialect, migration_texts};
use crate::{Row, Value};

/// One commit carries at most this many jobs, so that the first of them does not wait for ever.
const GROUP_MAX_JOBS: usize = 512;
/// Jobs that may wait for the writer before callers are held back by the channel.
const QUEUE_MAX_JOBS: usize = 4096;
/// How long SQLite waits for a lock another process holds (a backup, say) before it gives up, in milliseconds.
const BUSY_TIMEOUT_MS: u32 = 5000;
/// The log is folded into the database once it holds this many pages, 16 MiB: a page is then written once however often it
/// was committed since, and the pages that every commit touches are most of the log.
const CHECKPOINT_PAGES: u32 = 4096;
/// Prepared statements each connection keeps.
const STATEMENTS_KEPT: usize = 256;

/// Tells the asker how its job ended, once the commit is durable or has failed.
type Acknowledge = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs a job on the writer thread. Answers whether its changes stay, and how to tell the asker.
type Job = Box<dyn FnOnce(&mut Connection) -> (bool, Acknowledge) + Send>;

pub(super) struct Sqlite {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    jobs: Option<mpsc::SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        make_private_file(path)?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        migrate(&mut connection)?;
        let (jobs, waiting) = mpsc::sync_channel::<Job>(QUEUE_MAX_JOBS);
        let writer = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_in_groups(&mut connection, &waiting))
            .map_err(|e| StoreError::Unavailable { attempt: "starting the writer", cause: e.to_string() })?;
        Ok(Self { path: path.to_owned(), readers: Mutex::default(), jobs: Some(jobs), writer: Some(writer) })
    }

    /// For reading beside the process whose database it is: nothing is made, migrated or written.
    pub(super) fn reader(path: &Path) -> Result<Self, StoreError> {
        let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let attempt = "opening the database";
        let have: i64 =
            reader.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(|e| explain(attempt, &e))?;
        let newest = migration_texts(Dialect::Sqlite).map(|(number, _)| number).max().unwrap_or_default();
        if have != newest {
            let cause = format!(
                "its schema is version {have}, this program reads {newest}: use the site's own program"
            );
            return Err(StoreError::Unavailable { attempt, cause });
        }
        Ok(Self { path: path.to_owned(), readers: Mutex::new(vec![reader]), jobs: None, writer: None })
    }

    pub(super) fn is_writer(&self) -> bool {
        self.jobs.is_some()
    }

    pub(super) async fn write<T, F>(
        &self,
        name: &'static str,
        job: F,
        raised: RaisedAtTheEnd,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync + 'static,
    {
        let gone = || StoreError::Unavailable { attempt: name, cause: "the writer has stopped".to_owned() };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A panic costs its own asker an answer, not every later one the writer.
            let ran = catch_unwind(AssertUnwindSafe(|| at_once(name, job(Conn::Sqlite(connection)))));
            let panicked =
                |_| Err(StoreError::Unavailable { attempt: name, cause: "the write panicked".to_owned() });
            let outcome = ran.unwrap_or_else(panicked);
            let keep = outcome.is_ok();
            let tell: Acknowledge = Box::new(move |committed| {
                // Before the asker hears of it: what it asks next must not come from a cache.
                drop(raised);
                // The asker may have gone away; its change stands all the same.
                drop(answer.send(outcome.and_then(|v| committed.map(|()| v))));
            });
            (keep, tell)
        });
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Disconnected(_)) => return Err(gone()),
            Err(mpsc::TrySendError::Full(_)) => {
                return Err(StoreError::Unavailable {
                    attempt: name,
                    cause: "too many writes are waiting".to_owned(),
                });
            }
        }
        answered.await.map_err(|_| gone())?
    }

    pub(super) fn read<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T>,
    {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            // As many as threads ask at once; each stays for the next asker.
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let outcome = at_once(name, job(Conn::Sqlite(&mut reader)));
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        outcome
    }
}

impl Drop for Sqlite {
    /// Waits for the writer, so that the file is closed (and its log folded in) when the store is gone.
    fn drop(&mut self) {
        self.jobs = None;
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

/// The futures of jobs only wait for SQLite, which answers at once.
fn at_once<T>(name: &'static str, future: JobFuture<'_, T>) -> Result<T, StoreError> {
    future.now_or_never().unwrap_or_else(|| {
        Err(StoreError::Unavailable {
            attempt: name,
            cause: "a job waited for something else than its database".to_owned(),
        })
    })
}

fn write_in_groups(connection: &mut Connection, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut told: Vec<Acknowledge> = Vec::new();
        let committed = (|| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut next = Some(first);
            while let Some(job) = next {
                let (tell, ended) = run_one(connection, job);
                told.push(tell);
                ended?;
                next = if told.len() < GROUP_MAX_JOBS { waiting.try_recv().ok() } else { None };
            }
            connection.execute_batch("COMMIT")
        })();
        if committed.is_err() && !connection.is_autocommit() {
            drop(connection.execute_batch("ROLLBACK"));
        }
        let committed = committed.map_err(|e| explain("committing", &e));
        for tell in told {
            tell(committed.clone());
        }
    }
}

/// Runs a job in a savepoint. Its asker hears how the job itself went even where the savepoint could not be ended: a
/// full disk makes SQLite give up the whole transaction.
fn run_one(connection: &mut Connection, job: Job) -> (Acknowledge, rusqlite::Result<()>) {
    let begun = savepoint(connection, "SAVEPOINT job");
    let (keep, tell) = job(connection);
    let ended = begun
        .and_then(|()| if keep { Ok(()) } else { savepoint(connection, "ROLLBACK TO job") })
        .and_then(|()| savepoint(connection, "RELEASE job"));
    (tell, ended)
}

fn savepoint(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

pub(super) fn rows(
    connection: &mut Connection,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let fails = |e: rusqlite::Error| explain("reading", &e);
    let mut statement = connection.prepare_cached(&dialect::for_sqlite(sql)).map_err(fails)?;
    let columns = statement.column_count();
    let mut found = statement.query(rusqlite::params_from_iter(params.iter().map(Bound))).map_err(fails)?;
    let mut answer = Vec::new();
    while let Some(row) = found.next().map_err(fails)? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(read_value(row.get_ref(column).map_err(fails)?)?);
        }
        answer.push(Row(values));
    }
    Ok(answer)
}

pub(super) fn run(
    connection: &mut Connection,
    sql: &'static str,
    params: &[Value],
) -> Result<u64, StoreError> {
    let fails = |e: rusqlite::Error| explain("writing", &e);
    let mut statement = connection.prepare_cached(&dialect::for_sqlite(sql)).map_err(fails)?;
    let touched = statement.execute(rusqlite::params_from_iter(params.iter().map(Bound))).map_err(fails)?;
    Ok(touched as u64)
}

struct Bound<'v>(&'v Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(x) => ValueRef::Integer(*x),
            Value::Text(x) => ValueRef::Text(x.as_bytes()),
            Value::Bytes(x) => ValueRef::Blob(x),
        }))
    }
}

fn read_value(value: ValueRef<'_>) -> Result<Value, StoreError> {
    let damaged = |cause: &str| StoreError::Damaged { what: "column", cause: cause.to_owned() };
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(x) => Value::Int(x),
        ValueRef::Text(x) => {
            Value::Text(String::from_utf8(x.to_vec()).map_err(|_| damaged("text is not UTF-8"))?)
        }
        ValueRef::Blob(x) => Value::Bytes(x.to_vec()),
        ValueRef::Real(_) => return Err(damaged("a fraction where none is kept")),
    })
}

pub(super) fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let fails = |e: rusqlite::Error| explain("opening the database", &e);
    let connection =
        Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fails)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into())).map_err(fails)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans must not depend on parameters: a table with a partial index would have every statement planned anew at
    // each call, which costs more than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fails)?;
    if mode.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // FULL: a commit that was acknowledged survives power loss, not only a crash of the process.
        connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;").map_err(fails)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(fails)?;
    }
    Ok(connection)
}

/// The file is made before SQLite opens it, readable by its owner only (H08); the log files follow its mode.
pub(super) fn make_private_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|e| StoreError::Unavailable {
            attempt: "opening the database",
            cause: format!("{}: {e}", path.display()),
        })
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let fails = |e: rusqlite::Error| explain("migrating the database", &e);
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fails)?;
    let have: i64 = transaction.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fails)?;
    let mut newest = 0;
    for (number, text) in migration_texts(Dialect::Sqlite) {
        if number > have {
            transaction.execute_batch(&text).map_err(fails)?;
        }
        newest = number;
    }
    if have > newest {
        let cause = format!("its schema is version {have}, this program knows {newest}: use a newer program");
        return Err(StoreError::Unavailable { attempt: "migrating the database", cause });
    }
    transaction.pragma_update(None, "user_version", newest).map_err(fails)?;
    transaction.commit().map_err(fails)
}

pub(super) fn explain(attempt: &'static str, error: &rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, text) = error {
        match code.code {
            ErrorCode::ConstraintViolation => {
                return StoreError::Exists(text.clone().unwrap_or_else(|| "a row with this key".to_owned()));
            }
            ErrorCode::DiskFull => return StoreError::Full { attempt },
            _ => {}
        }
    }
    StoreError::Unavailable { attempt, cause: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_panics_costs_nobody_else_anything() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&dir.path().join("site.db")).unwrap();
        let set = |text: &'static str| {
            store.write(
                "test",
                move |mut c| {
                    Box::pin(async move {
                        let insert = "INSERT INTO settings (name, value) VALUES ($1, $1)";
                        c.run(insert, &[Value::Text(text.to_owned())]).await?;
                        assert_ne!(text, "bad", "as planned");
                        Ok(())
                    })
                },
                RaisedAtTheEnd(None),
            )
        };
        assert!(set("before").await.is_ok());
        let error = set("bad").await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        assert!(set("after").await.is_ok());
        let names = store
            .read("test", |mut c| Box::pin(async move { c.rows("SELECT name FROM settings", &[]).await }));
        assert_eq!(names.unwrap().len(), 2);
    }
}
