//! Listing blobs.

use cs_blob::{BlobRow, Listed, Listing};
use cs_serve::Response;
use cs_time::Timestamp;
use cs_wire_blob::{BlobItem, BlobListing};

use crate::{
    Call,
    account::{marker, page_size, part_of_name, to_marker, wants, xml},
    failure::Failure,
    leases,
};

pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Failure> {
    let (size, max_results) = page_size(call)?;
    let listing = Listing {
        prefix: part_of_name(call, "prefix")?.unwrap_or_default().to_owned(),
        delimiter: part_of_name(call, "delimiter")?.map(str::to_owned),
        // A marker is behind where the listing was told to start.
        from: marker(call)?.max(part_of_name(call, "startfrom")?.unwrap_or_default().to_owned()),
        size: size as usize,
    };
    let (found, next) = call.blobs.list(&call.allowed, call.account, &call.container, &listing).await?;
    let (metadata, tags) = (wants(call, "metadata"), wants(call, "tags"));
    let answer = BlobListing {
        endpoint: &call.endpoint,
        container: &call.container,
        prefix: call.query.get("prefix"),
        marker: call.query.get("marker"),
        max_results,
        delimiter: call.query.get("delimiter"),
        items: found.into_iter().map(|listed| item(listed, metadata, tags, call.op.started)).collect(),
        next_marker: next.map(|name| to_marker(&name)),
    };
    Ok(xml(answer.to_xml()))
}

fn item(listed: Listed, metadata: bool, tags: bool, now: Timestamp) -> BlobItem {
    match listed {
        Listed::Prefix(name) => BlobItem::Prefix(name),
        Listed::Blob(blob) => BlobItem::Blob {
            properties: properties(&blob, now),
            metadata: metadata.then(|| blob.metadata.clone()),
            tags: if tags { blob.properties.tags.clone() } else { Vec::new() },
            name: blob.name,
        },
    }
}

/// In the order of the original; the ETag stands without quotes here.
fn properties(blob: &BlobRow, now: Timestamp) -> Vec<(&'static str, String)> {
    let p = &blob.properties;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let kind = p.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
    let fixed = |value: &str| value.to_owned();
    let mut all = vec![
        ("Creation-Time", blob.created.rfc1123()),
        ("Last-Modified", blob.modified.rfc1123()),
        ("Etag", blob.etag.clone()),
        ("Content-Length", blob.length.to_string()),
        ("Content-Type", kind),
        ("Content-Encoding", text(&p.content_encoding)),
        ("Content-Language", text(&p.content_language)),
        ("Content-CRC64", String::new()),
        ("Content-MD5", text(&p.content_md5)),
        ("Cache-Control", text(&p.cache_control)),
        ("Content-Disposition", text(&p.content_disposition)),
        ("BlobType", fixed("BlockBlob")),
        ("AccessTier", p.access_tier.clone().unwrap_or_else(|| fixed("Hot"))),
    ];
    if p.access_tier.is_none() {
        all.push(("AccessTierInferred", fixed("true")));
    }
    if !p.tags.is_empty() {
        all.push(("TagCount", p.tags.len().to_string()));
    }
    let (status, state, duration) = leases::words(blob.lease.as_ref(), now);
    all.extend([("LeaseStatus", fixed(status)), ("LeaseState", fixed(state))]);
    all.extend(duration.map(|kind| ("LeaseDuration", fixed(kind))));
    all.push(("ServerEncrypted", fixed("true")));
    all
}
