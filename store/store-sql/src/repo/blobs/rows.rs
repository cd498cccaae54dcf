//! Rows to models and back.

use cs_store::{BlobProperties, BlobRow, BlockRow, ContainerRow, Segment, StoreError};
use serde_json::{Value as Json, json};

use super::leases::read_lease;
use crate::{Row, repo::tags};

pub(super) fn read_container(row: &Row) -> Result<ContainerRow, StoreError> {
    Ok(ContainerRow {
        name: row.string(0)?,
        etag: row.string(1)?,
        modified: row.time(2)?,
        metadata: tags::from_json(&row.json(3)?),
        lease: read_lease(row, 4)?,
    })
}

pub(in crate::repo) fn read_blob(row: &Row) -> Result<BlobRow, StoreError> {
    Ok(BlobRow {
        container: row.string(0)?,
        name: row.string(1)?,
        etag: row.string(2)?,
        created: row.time(3)?,
        modified: row.time(4)?,
        length: length(row, 5)?,
        properties: properties_from(&row.json(6)?),
        metadata: tags::from_json(&row.json(7)?),
        segments: segments_from(&row.json(8)?)?,
        inline: row.optional(9, |r, c| r.bytes(c).map(<[u8]>::to_vec))?,
        lease: read_lease(row, 10)?,
    })
}

pub(in crate::repo) fn read_block(row: &Row) -> Result<BlockRow, StoreError> {
    Ok(BlockRow {
        id: row.string(0)?,
        key: row.string(1)?,
        length: length(row, 2)?,
        crc: row.int(3)?.cast_unsigned(),
    })
}

fn length(row: &Row, column: usize) -> Result<u64, StoreError> {
    let damaged = |_| StoreError::Damaged { what: "length", cause: "negative".to_owned() };
    u64::try_from(row.int(column)?).map_err(damaged)
}

/// `[["id","key",length,crc],…]`
pub(super) fn segments_to(segments: &[Segment]) -> String {
    Json::from(segments.iter().map(|s| json!([s.id, s.key, s.length, s.crc])).collect::<Vec<_>>()).to_string()
}

fn segments_from(json: &Json) -> Result<Vec<Segment>, StoreError> {
    let read = |s: &Json| {
        let text = |i: usize| s.get(i)?.as_str().map(str::to_owned);
        Some(Segment {
            id: text(0)?,
            key: text(1)?,
            length: s.get(2)?.as_u64()?,
            crc: s.get(3).map_or(Some(0), Json::as_u64)?,
        })
    };
    let all = json.as_array().and_then(|all| all.iter().map(read).collect::<Option<Vec<_>>>());
    all.ok_or_else(|| StoreError::Damaged { what: "list of segments", cause: "not as written".to_owned() })
}

/// `[["key","value"],…]`
fn pairs_from(json: &Json) -> Vec<(String, String)> {
    let text = |pair: &Json, i: usize| pair.get(i).and_then(Json::as_str).map(str::to_owned);
    let pairs = json.as_array().into_iter().flatten();
    pairs.filter_map(|pair| text(pair, 0).zip(text(pair, 1))).collect()
}

pub(super) fn properties_to(p: &BlobProperties) -> String {
    json!([
        p.content_type,
        p.content_encoding,
        p.content_language,
        p.content_disposition,
        p.cache_control,
        p.content_md5,
        p.access_tier,
        p.tags
    ])
    .to_string()
}

pub(super) fn properties_from(json: &Json) -> BlobProperties {
    let text = |i: usize| json.get(i).and_then(Json::as_str).map(str::to_owned);
    BlobProperties {
        content_type: text(0),
        content_encoding: text(1),
        content_language: text(2),
        content_disposition: text(3),
        cache_control: text(4),
        content_md5: text(5),
        access_tier: text(6),
        tags: json.get(7).map(pairs_from).unwrap_or_default(),
    }
}
