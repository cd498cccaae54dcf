//! Where the two SQL dialects differ.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{LazyLock, RwLock},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Spells a migration.
    pub(crate) fn schema(self, text: &str) -> String {
        let (bytes, binary, identity) = match self {
            Self::Sqlite => ("BLOB", "", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            Self::Postgres => ("BYTEA", "COLLATE \"C\"", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
        };
        let vm_id = match self {
            Self::Sqlite => "lower(coalesce(json_extract(properties, '$.vmId'), ''))",
            Self::Postgres => "lower(coalesce(properties::json ->> 'vmId', ''))",
        };
        let text = text.replace("{bytes}", bytes).replace("{binary}", binary);
        text.replace("{sequence}", identity).replace("{vm_id}", vm_id)
    }
}

/// `$2 … $1` as SQLite must read it, `?2 … ?1`: it numbers `$n` by first appearance. Remembered per statement.
pub(crate) fn for_sqlite(sql: &'static str) -> Cow<'static, str> {
    static REWRITTEN: LazyLock<RwLock<HashMap<usize, &'static str>>> = LazyLock::new(RwLock::default);
    if !sql.contains('$') {
        return Cow::Borrowed(sql);
    }
    let key = sql.as_ptr() as usize ^ sql.len().rotate_left(48);
    if let Some(known) = REWRITTEN.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key) {
        return Cow::Borrowed(known);
    }
    // Statements are literals of this crate, so what is leaked here is bounded by its source.
    let rewritten: &'static str = Box::leak(sql.replace('$', "?").into_boxed_str());
    REWRITTEN.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key, rewritten);
    Cow::Borrowed(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers() {
        assert_eq!(for_sqlite("SELECT $2, $1"), "SELECT ?2, ?1");
        assert_eq!(for_sqlite("SELECT $2, $1"), "SELECT ?2, ?1");
    }

    #[test]
    fn schema_words() {
        assert_eq!(Dialect::Sqlite.schema("a {bytes}, b TEXT {binary}"), "a BLOB, b TEXT ");
        assert_eq!(Dialect::Postgres.schema("a {bytes}, b TEXT {binary}"), "a BYTEA, b TEXT COLLATE \"C\"");
    }
}
