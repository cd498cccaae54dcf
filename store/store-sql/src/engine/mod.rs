//! The two engines behind one connection type.

mod copy;
mod dialect;
mod postgres;
mod sqlite;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use cs_store::{Changes, StoreError};
use futures_util::future::BoxFuture;

pub use copy::{check_sqlite, copy_sqlite};
pub(crate) use dialect::Dialect;

use crate::{Row, Value, migrations};

/// What a job runs on: a connection inside a transaction (writes) or outside (reads).
pub enum Conn<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(&'c deadpool_postgres::Client),
}

/// The future of a job.
pub type JobFuture<'c, T> = BoxFuture<'c, Result<T, StoreError>>;

impl Conn<'_> {
    /// Runs a query and reads all its rows: keep answers bounded by `LIMIT`.
    pub async fn rows(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(c) => sqlite::rows(c, sql, params),
            Self::Postgres(c) => postgres::rows(c, sql, params).await,
        }
    }

    /// The first row of a query, if any.
    pub async fn row(&mut self, sql: &'static str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Runs a statement; answers how many rows it touched. A broken unique index is [`StoreError::Exists`].
    pub async fn run(&mut self, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(c) => sqlite::run(c, sql, params),
            Self::Postgres(c) => postgres::run(c, sql, params).await,
        }
    }
}

enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// Every repository of a site, on one database.
pub struct SqlStore {
    engine: Engine,
    pub(crate) changes: Changes,
}

impl SqlStore {
    /// Opens (or makes, mode 0600) the SQLite file and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or is of a newer version.
    pub fn sqlite(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(Engine::Sqlite(sqlite::Sqlite::open(path)?)))
    }

    /// Opens the SQLite file of a site that may be running, to read it as it is. Writes fail.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is not there or of another version.
    pub fn sqlite_reader(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::on(Engine::Sqlite(sqlite::Sqlite::reader(path)?)))
    }

    /// Connects to `postgres://…` and brings the schema up to date, one replica at a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached or the schema is of a newer version.
    pub async fn postgres(url: &str) -> Result<Self, StoreError> {
        Ok(Self::on(Engine::Postgres(postgres::Postgres::connect(url).await?)))
    }

    /// SQLite's file is one process's, which holds a lock on its folder, though others may read it; PostgreSQL is what replicas
    /// share.
    pub(crate) fn has_one_writer(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(engine) => engine.is_writer(),
            Engine::Postgres(_) => false,
        }
    }

    fn on(engine: Engine) -> Self {
        Self { engine, changes: Changes::default() }
    }

    /// Runs a job in a transaction and answers once it is durable. `name` shows up in errors and logs.
    pub(crate) async fn write<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync + 'static,
    {
        self.write_telling(name, &Changed::yes(), job).await
    }

    /// The same for a job that finds out by itself whether it changes anything that others keep in memory.
    pub(crate) async fn write_telling<T, F>(
        &self,
        name: &'static str,
        changed: &Changed,
        job: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync + 'static,
    {
        let raised = RaisedAtTheEnd(Some((self.changes.clone(), changed.clone())));
        self.write_then(name, job, raised).await
    }

    /// The same for what nobody keeps in memory (secrets, blobs, the audit log): no cache has to look again.
    pub(crate) async fn write_content<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync + 'static,
    {
        self.write_then(name, job, RaisedAtTheEnd(None)).await
    }

    async fn write_then<T, F>(
        &self,
        name: &'static str,
        job: F,
        raised: RaisedAtTheEnd,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.write(name, job, raised).await,
            Engine::Postgres(engine) => {
                let outcome = engine.write(name, job).await;
                drop(raised);
                outcome
            }
        }
    }

    /// Runs a job that only reads.
    pub(crate) async fn read<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T> + Send + Sync,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(name, job),
            Engine::Postgres(engine) => engine.read(name, job).await,
        }
    }
}

/// Whether a job has changed what others keep in memory.
#[derive(Clone, Default)]
pub(crate) struct Changed(Arc<AtomicBool>);

impl Changed {
    fn yes() -> Self {
        let changed = Self::default();
        changed.set();
        changed
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Raises the count of changes when dropped: however the write ended, and also when nobody waited for its end.
struct RaisedAtTheEnd(Option<(Changes, Changed)>);

impl Drop for RaisedAtTheEnd {
    fn drop(&mut self) {
        if let Some((changes, changed)) = &self.0
            && changed.0.load(Ordering::Acquire)
        {
            changes.raise();
        }
    }
}

/// Migration text for an engine.
pub(crate) fn migration_texts(dialect: Dialect) -> impl Iterator<Item = (i64, String)> {
    migrations::MIGRATIONS.iter().zip(1..).map(move |(text, number)| (number, dialect.schema(text)))
}
