//! PostgreSQL: a pool of connections, serializable transactions, bounded repeats.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use cs_store::StoreError;
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::{
    NoTls,
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{Conn, Dialect, JobFuture, migration_texts};
use crate::{Row, Value};

/// Connections a replica holds at most.
const POOL_MAX: usize = 16;
/// A connection that is not made within this time is not made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What was sent and is not acknowledged for so long was sent to nobody.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// With every connection at work, a request waits this long for one before it is told to come again.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);
/// A transaction that collides is repeated this often before its caller hears of it.
const ATTEMPTS: u32 = 20;
/// The longest pause before a repeat.
const PAUSE_MAX_MILLIS: u64 = 256;
/// The advisory lock under which one replica at a time migrates ("countrsn" as bytes).
const MIGRATION_LOCK: i64 = 0x636f_756e_7472_736e;

pub(super) struct Postgres {
    pool: Pool,
}

impl Postgres {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|e: tokio_postgres::Error| fails("reading the database address", &e))?;
        // A server that is gone without a word must be noticed, at the start and later.
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_TIMEOUT);
        }
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(POOL_MAX)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .build();
        let pool = pool.map_err(|e| StoreError::Unavailable {
            attempt: "connecting to the database",
            cause: e.to_string(),
        })?;
        let engine = Self { pool };
        engine.migrate().await?;
        Ok(engine)
    }

    async fn client(&self, attempt: &'static str) -> Result<Client, StoreError> {
        self.pool.get().await.map_err(|e| StoreError::Unavailable { attempt, cause: e.to_string() })
    }

    pub(super) async fn write<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T>,
    {
        let mut lent = Lent(Some(self.client(name).await?));
        let Some(client) = &lent.0 else {
            return Err(StoreError::Unavailable { attempt: name, cause: "no connection".to_owned() });
        };
        let outcome = repeated(client, name, &job).await;
        // Its transaction is over: it may serve others.
        drop(lent.0.take());
        outcome
    }

    pub(super) async fn read<T, F>(&self, name: &'static str, job: F) -> Result<T, StoreError>
    where
        F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T>,
    {
        let client = self.client(name).await?;
        job(Conn::Postgres(&client)).await
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        const ATTEMPT: &str = "migrating the database";
        let mut client = self.client(ATTEMPT).await?;
        let fails = |e: tokio_postgres::Error| fails(ATTEMPT, &e);
        let transaction = client.transaction().await.map_err(fails)?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(fails)?;
        transaction
            .batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
            .await
            .map_err(fails)?;
        let have: i64 = transaction
            .query_one("SELECT COALESCE(MAX(version), 0) FROM schema_version", &[])
            .await
            .map_err(fails)?
            .get(0);
        let mut newest = 0;
        for (number, text) in migration_texts(Dialect::Postgres) {
            if number > have {
                transaction.batch_execute(&text).await.map_err(fails)?;
                transaction
                    .execute("INSERT INTO schema_version VALUES ($1)", &[&number])
                    .await
                    .map_err(fails)?;
            }
            newest = number;
        }
        if have > newest {
            let cause =
                format!("its schema is version {have}, this program knows {newest}: use a newer program");
            return Err(StoreError::Unavailable { attempt: ATTEMPT, cause });
        }
        transaction.commit().await.map_err(fails)
    }
}

/// Marks an error that repeating the transaction may cure.
const COLLISION: &str = "two transactions collided";

/// A connection while a transaction may be open on it. Dropped before the end (the request was given up), it leaves
/// the pool and is closed, and the server rolls back; the next borrower would carry on in that transaction.
struct Lent(Option<Client>);

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(unfinished) = self.0.take() {
            drop(Client::take(unfinished));
        }
    }
}

async fn repeated<T, F>(client: &Client, name: &'static str, job: &F) -> Result<T, StoreError>
where
    F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T>,
{
    for tried in 1..ATTEMPTS {
        match attempt(client, name, job).await {
            Err(StoreError::Unavailable { cause, .. }) if cause == COLLISION => {
                tokio::time::sleep(pause(tried)).await;
            }
            other => return other,
        }
    }
    attempt(client, name, job).await
}

/// Whoever collided moves apart: the pause is drawn, from a span that doubles with each repeat.
fn pause(repeat: u32) -> Duration {
    // Chance of the hasher's kind is enough: it only keeps two tasks from knocking in step.
    let drawn = RandomState::new().build_hasher().finish();
    Duration::from_millis(drawn % (1 << repeat.min(8)).min(PAUSE_MAX_MILLIS))
}

async fn attempt<T, F>(client: &Client, name: &'static str, job: &F) -> Result<T, StoreError>
where
    F: for<'c> Fn(Conn<'c>) -> JobFuture<'c, T>,
{
    client.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE").await.map_err(|e| fails(name, &e))?;
    let outcome = job(Conn::Postgres(client)).await;
    match outcome {
        Ok(value) => client.batch_execute("COMMIT").await.map(|()| value).map_err(|e| fails(name, &e)),
        Err(error) => {
            // A connection that cannot even roll back is closed by the pool's recycling check.
            drop(client.batch_execute("ROLLBACK").await);
            Err(error)
        }
    }
}

pub(super) async fn rows(
    client: &Client,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let fails = |e: tokio_postgres::Error| fails("reading", &e);
    let statement = client.prepare_cached(sql).await.map_err(fails)?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| p as _).collect();
    client.query(&statement, &params).await.map_err(fails)?.iter().map(read_row).collect()
}

pub(super) async fn run(client: &Client, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
    let fails = |e: tokio_postgres::Error| fails("writing", &e);
    let statement = client.prepare_cached(sql).await.map_err(fails)?;
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| p as _).collect();
    client.execute(&statement, &params).await.map_err(fails)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(x) if *kind == Type::INT4 => i32::try_from(*x)?.to_sql(kind, out),
            Self::Int(x) => x.to_sql(&Type::INT8, out),
            Self::Text(x) => x.to_sql(&Type::TEXT, out),
            Self::Bytes(x) => x.to_sql(&Type::BYTEA, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::INT4 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }

    to_sql_checked!();
}

fn read_row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let fails = |e: tokio_postgres::Error| fails("reading a column", &e);
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => {
                row.try_get::<_, Option<i64>>(index).map_err(fails)?.map_or(Value::Null, Value::Int)
            }
            Type::INT4 => row
                .try_get::<_, Option<i32>>(index)
                .map_err(fails)?
                .map_or(Value::Null, |x| Value::Int(x.into())),
            Type::BYTEA => {
                row.try_get::<_, Option<Vec<u8>>>(index).map_err(fails)?.map_or(Value::Null, Value::Bytes)
            }
            _ => row.try_get::<_, Option<String>>(index).map_err(fails)?.map_or(Value::Null, Value::Text),
        };
        values.push(value);
    }
    Ok(Row(values))
}

/// Where the server finds a row too long for an index (`nbtutils.c`, `indextuple.c`). It has the same code for limits that are
/// its operator's to mend, such as numbers of transactions that run out.
const TOO_LONG_FOR_AN_INDEX: [&str; 3] =
    ["_bt_check_third_page", "index_form_tuple", "index_form_tuple_context"];

/// Whether no later attempt can store it: a text that is too long to be looked for, or holds a NUL.
fn is_unstorable(error: &tokio_postgres::error::DbError) -> bool {
    match error.code() {
        code if *code == SqlState::PROGRAM_LIMIT_EXCEEDED => {
            error.routine().is_some_and(|routine| TOO_LONG_FOR_AN_INDEX.contains(&routine))
        }
        code => *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE || *code == SqlState::UNTRANSLATABLE_CHARACTER,
    }
}

fn fails(attempt: &'static str, error: &tokio_postgres::Error) -> StoreError {
    match error.code() {
        Some(code) if *code == SqlState::UNIQUE_VIOLATION => {
            StoreError::Exists(error.as_db_error().map_or_else(String::new, |e| e.message().to_owned()))
        }
        Some(code)
            if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED =>
        {
            StoreError::Unavailable { attempt, cause: COLLISION.to_owned() }
        }
        Some(code) if *code == SqlState::DISK_FULL => StoreError::Full { attempt },
        Some(_) if error.as_db_error().is_some_and(is_unstorable) => {
            let cause = error_chain(error);
            tracing::warn!(attempt, cause, "a caller's text cannot be stored");
            StoreError::Unstorable { attempt, cause }
        }
        _ => StoreError::Unavailable { attempt, cause: error_chain(error) },
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
