//! Blocks and block lists.

use base64::{Engine, engine::general_purpose::STANDARD};
use cs_blob::{BlockUse, CommittedBlock, NewBlock};
use cs_serve::{Body, BodyError, Response, read_body};
use cs_wire_blob::{BlockEntry, parse_block_list, write_block_list};
use http::{HeaderValue, StatusCode};

use crate::{
    Call,
    account::{plain, xml},
    blobs::{created, incoming, new_blob, put_checks},
    copy,
    failure::{Code, Failure},
    headers, leases,
};

/// A list of 50,000 ids of 88 characters with their elements is below this.
const LIST_MAX_BYTES: usize = 8 << 20;
/// A block id decodes to at most this many bytes.
const ID_MAX_BYTES: usize = 64;

fn fits(id: &str) -> bool {
    STANDARD.decode(id).is_ok_and(|bytes| (1..=ID_MAX_BYTES).contains(&bytes.len()))
}

/// The block a request names.
pub(crate) fn new_block(call: &Call<'_>) -> Result<NewBlock, Failure> {
    let id = call.query.get("blockid").ok_or(Code::MISSING_QUERY)?;
    // A plus in base64 arrives as a blank where a client did not encode it.
    let id = id.replace(' ', "+");
    if !fits(&id) {
        return Err(Code::INVALID_BLOCK_ID.into());
    }
    let lease = leases::id(call.headers, "x-ms-lease-id")?;
    Ok(NewBlock { container: call.container.clone(), name: call.blob.clone(), id, lease })
}

pub(crate) async fn put_block(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    let checks = match &call.source {
        Some(source) => copy::block(call, source).await?,
        None => {
            let (new, incoming) = (new_block(call)?, incoming(call, body)?);
            call.blobs.put_block(call.op, &call.allowed, call.account, new, incoming).await?
        }
    };
    let mut response = plain(StatusCode::CREATED);
    response.headers_mut().insert("x-ms-request-server-encrypted", HeaderValue::from_static("true"));
    put_checks(response.headers_mut(), &checks);
    Ok(response)
}

pub(crate) async fn put_list(call: &Call<'_>, body: Body) -> Result<Response, Failure> {
    let new = new_blob(call, false)?;
    let bytes = read_body(body, LIST_MAX_BYTES).await.map_err(|error| match error {
        BodyError::TooLarge(_) => Failure::from(Code::BODY_TOO_LARGE),
        BodyError::Broken(_) => Code::INCOMPLETE_BODY.into(),
    })?;
    content_is_whole(call, &bytes)?;
    let entries = parse_block_list(&bytes).ok_or(Code::INVALID_XML)?;
    if entries.iter().any(|e| !fits(&e.id)) {
        return Err(Code::INVALID_BLOCK_LIST.into());
    }
    let list: Vec<BlockUse> = entries.into_iter().map(use_of).collect();
    let blob = call.blobs.commit_blocks(call.op, &call.allowed, call.account, new, &list).await?;
    Ok(created(&blob, None))
}

/// The checksums of a list are of the list, not of the blob it makes.
fn content_is_whole(call: &Call<'_>, bytes: &[u8]) -> Result<(), Failure> {
    let given = (headers::md5(call.headers, "content-md5")?, headers::crc64(call.headers)?);
    Ok(cs_blob::Checks::of(bytes).meet(given)?)
}

fn use_of(entry: BlockEntry) -> BlockUse {
    match entry.kind.as_str() {
        "Committed" => BlockUse::Committed(entry.id),
        "Uncommitted" => BlockUse::Uncommitted(entry.id),
        _ => BlockUse::Latest(entry.id),
    }
}

pub(crate) async fn get_list(call: &Call<'_>) -> Result<Response, Failure> {
    let wanted = call.query.get("blocklisttype").unwrap_or("committed").to_ascii_lowercase();
    let (with_committed, with_uncommitted) = match wanted.as_str() {
        "committed" => (true, false),
        "uncommitted" => (false, true),
        "all" => (true, true),
        other => return Err(Failure::query(Code::INVALID_QUERY, "blocklisttype", other)),
    };
    let (blob, committed, uncommitted) =
        call.blobs.blocks(&call.allowed, call.account, &call.container, &call.blob).await?;
    let pairs =
        |blocks: Vec<CommittedBlock>| blocks.into_iter().map(|b| (b.id, b.length)).collect::<Vec<_>>();
    let (committed, uncommitted) = (pairs(committed), pairs(uncommitted));
    let mut response = xml(write_block_list(
        with_committed.then_some(committed.as_slice()),
        with_uncommitted.then_some(uncommitted.as_slice()),
    ));
    if let Some(blob) = blob {
        headers::stamp(response.headers_mut(), &blob.etag, blob.modified);
        headers::put(response.headers_mut(), "x-ms-blob-content-length", &blob.length.to_string());
    }
    Ok(response)
}
