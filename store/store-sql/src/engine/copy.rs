//! Copies of SQLite files that others may be writing to, and what SQLite itself says of a file.

use std::path::Path;

use cs_store::StoreError;
use rusqlite::{OpenFlags, params};

use super::sqlite::{connect, explain, make_private_file};

/// Copies the database as it is at one moment; whoever writes to it goes on meanwhile. `to` must be empty or not there.
///
/// # Errors
/// [`StoreError`]; then `to` is not to be used.
pub fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    make_private_file(to)?;
    let source = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let copied = source.execute("VACUUM INTO ?1", params![to.to_string_lossy()]);
    copied.map(drop).map_err(|e| explain("copying the database", &e))
}

/// What SQLite finds wrong with a file; nothing where it is whole.
///
/// # Errors
/// [`StoreError`] where it cannot be looked at.
pub fn check_sqlite(file: &Path) -> Result<Vec<String>, StoreError> {
    let fails = |e: rusqlite::Error| explain("checking the database", &e);
    let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare("PRAGMA integrity_check(100)").map_err(fails)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0)).map_err(fails)?;
    let found: Vec<String> = found.collect::<Result<_, _>>().map_err(fails)?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}
