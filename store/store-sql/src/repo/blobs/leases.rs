//! Leases, in a column of what they are about.

use cs_store::{Lease, LeaseChange, LeaseKey, StoreError};
use cs_time::Timestamp;
use serde_json::{Value as Json, json};

use super::and;
use crate::{Conn, Row, Value, values};

/// `["id",seconds,ends,breaking]`, absent numbers as null.
pub(super) fn lease_to(lease: Option<&Lease>) -> Option<String> {
    lease.map(|l| json!([l.id, l.seconds, l.ends.map(Timestamp::micros), l.breaking]).to_string())
}

pub(super) fn read_lease(row: &Row, column: usize) -> Result<Option<Lease>, StoreError> {
    let Some(json) = row.optional(column, Row::json)? else { return Ok(None) };
    let read = || {
        Some(Lease {
            id: json.get(0)?.as_str()?.to_owned(),
            seconds: json.get(1)?.as_u64().and_then(|n| u32::try_from(n).ok()),
            ends: json.get(2)?.as_i64().map(Timestamp::from_micros),
            breaking: json.get(3).and_then(Json::as_bool)?,
        })
    };
    let damaged = || StoreError::Damaged { what: "lease", cause: "not as written".to_owned() };
    read().ok_or_else(damaged).map(Some)
}

const OF_BLOB: (&str, &str) = (
    "SELECT lease FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
    "UPDATE blobs SET lease = $5 WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
);
const OF_CONTAINER: (&str, &str) = (
    "SELECT lease FROM containers WHERE tenant = $1 AND account_key = $2 AND name = $3",
    "UPDATE containers SET lease = $4 WHERE tenant = $1 AND account_key = $2 AND name = $3",
);

/// Checks the lease of a blob (four parameters) or container (three) that may not be there.
pub(super) async fn opens(c: &mut Conn<'_>, params: &[Value], key: &LeaseKey) -> Result<(), StoreError> {
    let (read, _) = if params.len() == 4 { OF_BLOB } else { OF_CONTAINER };
    let lease = c.row(read, params).await?.map(|row| read_lease(&row, 0)).transpose()?.flatten();
    Ok(key.opens(lease.as_ref())?)
}

pub(super) async fn change(
    c: &mut Conn<'_>,
    params: &[Value],
    change: &LeaseChange,
) -> Result<bool, StoreError> {
    let (read, write) = if params.len() == 4 { OF_BLOB } else { OF_CONTAINER };
    let Some(row) = c.row(read, params).await? else { return Ok(false) };
    if read_lease(&row, 0)? != change.was {
        return Err(StoreError::Conflict("the lease".to_owned()));
    }
    c.run(write, &and(params.to_vec(), values![lease_to(change.becomes.as_ref())])).await?;
    Ok(true)
}
