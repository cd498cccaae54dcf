//! Which rows, and how they are read.

use cs_store::{DeletedSecret, SecretRow, StoreError, VaultPlace};

use crate::{Conn, Row, Value, repo::tags, values};

/// Columns of a version with its value; `v` is the version, `s` the secret.
macro_rules! with_value {
    ($rest:literal) => {
        concat!(
            "SELECT s.name, v.version, v.sealed, v.content_type, v.tags, v.enabled, v.not_before, v.expires, v.created, ",
            "v.updated, s.deleted, s.purge FROM secrets s JOIN secret_versions v ON v.tenant = s.tenant ",
            "AND v.vault_key = s.vault_key AND v.name_key = s.name_key ",
            $rest
        )
    };
}

/// The same without the value.
macro_rules! without_value {
    ($rest:literal) => {
        concat!(
            "SELECT s.name, v.version, NULL, v.content_type, v.tags, v.enabled, v.not_before, v.expires, v.created, ",
            "v.updated, s.deleted, s.purge FROM secrets s JOIN secret_versions v ON v.tenant = s.tenant ",
            "AND v.vault_key = s.vault_key AND v.name_key = s.name_key ",
            $rest
        )
    };
}

pub(super) fn read(row: &Row) -> Result<SecretRow, StoreError> {
    Ok(SecretRow {
        name: row.string(0)?,
        version: row.string(1)?,
        sealed: row.optional(2, |r, c| r.bytes(c).map(<[u8]>::to_vec))?.unwrap_or_default(),
        content_type: row.optional(3, Row::string)?,
        tags: tags::from_json(&row.json(4)?),
        enabled: row.flag(5)?,
        not_before: row.optional(6, Row::int)?,
        expires: row.optional(7, Row::int)?,
        created: row.time(8)?,
        updated: row.time(9)?,
    })
}

pub(super) fn read_deleted(row: &Row) -> Result<DeletedSecret, StoreError> {
    Ok(DeletedSecret { newest: read(row)?, deleted: row.time(10)?, purge: row.time(11)? })
}

/// Tenant, vault and folded name: the key every statement begins with.
pub(super) fn key(place: &VaultPlace, name: &str) -> [Value; 3] {
    values![place.tenant, &place.vault, name.to_ascii_lowercase()]
}

pub(super) fn with<const N: usize>(key: [Value; 3], more: [Value; N]) -> Vec<Value> {
    key.into_iter().chain(more).collect()
}

/// The newest version without its value, deleted or not: column 10 tells.
pub(super) async fn newest(
    c: &mut Conn<'_>,
    place: &VaultPlace,
    name: &str,
) -> Result<Option<Row>, StoreError> {
    let sql = without_value!(
        "AND v.version = s.newest WHERE s.tenant = $1 AND s.vault_key = $2 AND s.name_key = $3"
    );
    c.row(sql, &key(place, name)).await
}

pub(super) use {with_value, without_value};
