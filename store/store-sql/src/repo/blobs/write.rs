//! Writes of blobs and blocks, each inside the transaction of its caller.

use cs_store::{
    AccountPlace, BlobExpect, BlobNote, BlobRow, BlockRow, Expected, Lease, LeaseKey, StoreError,
    UNCOMMITTED_MAX,
};
use cs_time::Timestamp;

use super::{
    and, at, key,
    leases::{lease_to, read_lease},
    rows::{properties_from, properties_to, segments_to},
};
use crate::{Conn, Value, repo::tags, values};

/// What a write finds: whether something is there, and the lease that goes on after it.
struct Found {
    there: bool,
    lease: Option<Lease>,
}

/// Checks what is there against what was expected.
async fn meets(c: &mut Conn<'_>, params: &[Value], expect: &Expected) -> Result<Found, StoreError> {
    let sql = "SELECT etag, lease FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
    let row = c.row(sql, params).await?;
    let etag = row.as_ref().map(|row| row.string(0)).transpose()?;
    let lease = row.as_ref().map(|row| read_lease(row, 1)).transpose()?.flatten();
    match (&expect.blob, &etag) {
        (BlobExpect::Any, _) | (BlobExpect::Absent, None) => {}
        (BlobExpect::Etag(wanted), Some(found)) if wanted == found => {}
        _ => return Err(StoreError::Conflict("the blob".to_owned())),
    }
    expect.lease.opens(lease.as_ref())?;
    Ok(Found { there: etag.is_some(), lease: lease.filter(|lease| lease.holds(expect.lease.at)) })
}

async fn container_is_there(c: &mut Conn<'_>, place: &AccountPlace, name: &str) -> Result<(), StoreError> {
    let sql = "SELECT name FROM containers WHERE tenant = $1 AND account_key = $2 AND name = $3";
    match c.row(sql, &and(at(place), values![name])).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Missing(format!("container {name}"))),
    }
}

/// Gives up every object of the place but those named.
async fn give_up_others(
    c: &mut Conn<'_>,
    params: &[Value],
    kept: &[&str],
    time: Timestamp,
) -> Result<(), StoreError> {
    c.run(
        "UPDATE objects SET given_up = $5 WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4
           AND given_up IS NULL",
        &and(params.to_vec(), values![time]),
    )
    .await?;
    for object in kept {
        c.run("UPDATE objects SET given_up = NULL WHERE object = $1", &values![*object]).await?;
    }
    Ok(())
}

async fn know(c: &mut Conn<'_>, params: &[Value], object: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO objects (tenant, account_key, container, name, object, given_up)
               VALUES ($1, $2, $3, $4, $5, NULL) ON CONFLICT (object) DO NOTHING";
    c.run(sql, &and(params.to_vec(), values![object])).await.map(drop)
}

pub(super) async fn put(
    c: &mut Conn<'_>,
    place: &AccountPlace,
    blob: &BlobRow,
    expect: &Expected,
) -> Result<(), StoreError> {
    container_is_there(c, place, &blob.container).await?;
    let params = key(place, &blob.container, &blob.name);
    let found = meets(c, &params, expect).await?;
    // A new blob of inline content touches no objects: the common small put stays two statements.
    let has_blocks = !blob.segments.is_empty()
        || found.there
        || {
            let sql = "SELECT id FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4 LIMIT 1";
            c.row(sql, &params).await?.is_some()
        };
    if has_blocks {
        // Blocks are known since they were put.
        for segment in blob.segments.iter().filter(|s| s.id.is_empty()) {
            know(c, &params, &segment.key).await?;
        }
        let kept: Vec<&str> = blob.segments.iter().map(|s| s.key.as_str()).collect();
        give_up_others(c, &params, &kept, blob.modified).await?;
        let sql =
            "DELETE FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
        c.run(sql, &params).await?;
    }
    let length = i64::try_from(blob.length).unwrap_or(i64::MAX);
    c.run(
        "INSERT INTO blobs (tenant, account_key, container, name, etag, created, modified, length, properties, metadata,
           segments, content, lease)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (tenant, account_key, container, name) DO UPDATE SET etag = excluded.etag,
           created = excluded.created, modified = excluded.modified, length = excluded.length,
           properties = excluded.properties, metadata = excluded.metadata, segments = excluded.segments,
           content = excluded.content, lease = excluded.lease",
        &and(
            params,
            values![
                &blob.etag, blob.created, blob.modified, length, properties_to(&blob.properties),
                tags::to_json(&blob.metadata), segments_to(&blob.segments), blob.inline.clone(),
                lease_to(found.lease.as_ref())
            ],
        ),
    )
    .await
    .map(drop)
}

pub(super) async fn describe(
    c: &mut Conn<'_>,
    place: &AccountPlace,
    blob: &BlobRow,
    expect: &Expected,
) -> Result<(), StoreError> {
    let place = key(place, &blob.container, &blob.name);
    let found = meets(c, &place, expect).await?;
    c.run(
        "UPDATE blobs SET etag = $5, modified = $6, properties = $7, metadata = $8, lease = $9
             WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
        &and(
            place,
            values![
                &blob.etag,
                blob.modified,
                properties_to(&blob.properties),
                tags::to_json(&blob.metadata),
                lease_to(found.lease.as_ref())
            ],
        ),
    )
    .await
    .map(drop)
}

/// Read and written in one transaction: tier and tags share a column.
pub(super) async fn note(
    c: &mut Conn<'_>,
    params: &[Value],
    note: &BlobNote,
    key: &LeaseKey,
) -> Result<bool, StoreError> {
    let sql = "SELECT properties, lease FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
    let Some(row) = c.row(sql, params).await? else { return Ok(false) };
    let lease = read_lease(&row, 1)?;
    // A tier may be changed beside a lease, tags may not.
    if note.tags.is_some() {
        key.opens(lease.as_ref())?
    } else {
        key.fits(lease.as_ref())?
    };
    let mut properties = properties_from(&row.json(0)?);
    if let Some(tier) = &note.tier {
        properties.access_tier = Some(tier.clone());
    }
    if let Some(tags) = &note.tags {
        properties.tags.clone_from(tags);
    }
    c.run(
        "UPDATE blobs SET properties = $5 WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
        &and(params.to_vec(), values![properties_to(&properties)]),
    )
    .await?;
    Ok(true)
}

pub(super) async fn remove(
    c: &mut Conn<'_>,
    place: &AccountPlace,
    container: &str,
    name: &str,
    expect: &Expected,
) -> Result<bool, StoreError> {
    let params = key(place, container, name);
    if !meets(c, &params, expect).await?.there {
        return Ok(false);
    }
    for sql in [
        "DELETE FROM blobs WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
        "DELETE FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4",
    ] {
        c.run(sql, &params).await?;
    }
    give_up_others(c, &params, &[], expect.lease.at).await?;
    Ok(true)
}

pub(super) async fn put_block(
    c: &mut Conn<'_>,
    place: &AccountPlace,
    (container, params): (&str, Vec<Value>),
    block: &BlockRow,
    time: Timestamp,
) -> Result<(), StoreError> {
    container_is_there(c, place, container).await?;
    // Keys are random: one put in 256 pays for counting, so that many blocks do not make each of them slow.
    if block.key.starts_with("00") {
        let sql = "SELECT COUNT(*) FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
        let count = c.row(sql, &params).await?.map(|row| row.int(0)).transpose()?;
        if count.is_some_and(|count| count >= i64::from(UNCOMMITTED_MAX)) {
            return Err(StoreError::Conflict("the list of uncommitted blocks, now too long,".to_owned()));
        }
    }
    let old = c
        .row(
            "SELECT object FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4 AND id = $5",
            &and(params.clone(), values![&block.id]),
        )
        .await?;
    if let Some(old) = old {
        c.run("UPDATE objects SET given_up = $2 WHERE object = $1", &values![old.text(0)?, time]).await?;
    }
    know(c, &params, &block.key).await?;
    c.run(
        "INSERT INTO blocks (tenant, account_key, container, name, id, object, length, made, crc)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant, account_key, container, name, id)
         DO UPDATE SET object = excluded.object, length = excluded.length, made = excluded.made, crc = excluded.crc",
        &and(
            params,
            values![
                &block.id,
                &block.key,
                i64::try_from(block.length).unwrap_or(i64::MAX),
                time,
                block.crc.cast_signed()
            ],
        ),
    )
    .await
    .map(drop)
}

/// Blobs looked at in one sweep.
const STALE_MAX: i64 = 100;

pub(super) async fn drop_stale(
    c: &mut Conn<'_>,
    before: Timestamp,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let stale = c
        .rows(
            "SELECT tenant, account_key, container, name FROM blocks
             GROUP BY tenant, account_key, container, name HAVING MAX(made) < $1 LIMIT $2",
            &values![before, STALE_MAX],
        )
        .await?;
    let mut dropped = 0;
    for row in stale {
        c.run(
            "UPDATE objects SET given_up = $5 WHERE given_up IS NULL AND object IN (SELECT object FROM blocks
               WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4)",
            &and(row.0.clone(), values![now]),
        )
        .await?;
        let sql =
            "DELETE FROM blocks WHERE tenant = $1 AND account_key = $2 AND container = $3 AND name = $4";
        dropped += c.run(sql, &row.0).await?;
    }
    Ok(dropped)
}
