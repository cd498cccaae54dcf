//! Checking a site: every sealed value opens where it lies, every object is what was put there.

use std::{collections::HashMap, fmt, sync::Arc};

use crc_fast::CrcAlgorithm;
use cs_bytes::{BlobBytes, BytesError};
use cs_ids::TenantId;
use cs_seal::{Aad, Key};
use cs_store::{BlobRow, BlockRow, SealedSecret, Site, Survey, WrappedKey};
use futures_util::TryStreamExt;

use crate::{BackupError, every};

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub keys: u64,
    pub secrets: u64,
    pub blobs: u64,
    pub blob_bytes: u64,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    SigningKey { kid: String },
    DataKey { resource: String },
    Secret { vault: String, name: String, version: String },
    Blob { container: String, name: String, why: &'static str },
    Block { key: String, why: &'static str },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SigningKey { kid } => write!(f, "the token signing key {kid} does not open"),
            Self::DataKey { resource } => write!(f, "the data key of {resource} does not open"),
            Self::Secret { vault, name, version } => {
                write!(f, "version {version} of the secret {name} in {vault} does not open")
            }
            Self::Blob { container, name, why } => {
                write!(f, "the blob {name} in the container {container} {why}")
            }
            Self::Block { key, why } => write!(f, "the uncommitted block {key} {why}"),
        }
    }
}

/// Looks at everything; `found` hears of each problem as it is met.
///
/// # Errors
/// [`BackupError`] where the database or the blobs' store cannot be read at all.
pub async fn verify(
    store: &(impl Survey + Site),
    bytes: &dyn BlobBytes,
    tenants: &HashMap<TenantId, Arc<Key>>,
    found: &mut (dyn FnMut(Problem) + Send),
) -> Result<Checked, BackupError> {
    let mut checked = Checked::default();
    for (tenant, key) in tenants {
        for row in store.signing_keys(*tenant).await? {
            checked.keys += 1;
            if key.open(&Aad::of_signing_key(tenant, &row.kid), &row.sealed_key).is_err() {
                found(Problem::SigningKey { kid: row.kid });
            }
        }
    }
    let data_keys = data_keys(store, tenants, &mut checked, found).await?;
    secrets(store, &data_keys, &mut checked, found).await?;
    blobs(store, bytes, &mut checked, found).await?;
    blocks(store, bytes, &mut checked, found).await?;
    Ok(checked)
}

/// By tenant and resource: the key, and the id values were sealed for.
type DataKeys = HashMap<(TenantId, String), (Key, String)>;

async fn data_keys(
    survey: &impl Survey,
    tenants: &HashMap<TenantId, Arc<Key>>,
    checked: &mut Checked,
    found: &mut (dyn FnMut(Problem) + Send),
) -> Result<DataKeys, BackupError> {
    let mut keys = DataKeys::new();
    let page = async |mark, limit| survey.all_data_keys(mark, limit).await;
    let look = async |WrappedKey { tenant, resource, sealed_as, wrapped, .. }| {
        checked.keys += 1;
        let opened = tenants.get(&tenant).map(|key| key.unwrap(&Aad::of_data_key(tenant), &wrapped));
        match opened {
            Some(Ok(key)) => drop(keys.insert((tenant, resource), (key, sealed_as))),
            _ => found(Problem::DataKey { resource }),
        }
        Ok::<_, BackupError>(())
    };
    every(page, look).await?;
    Ok(keys)
}

async fn secrets(
    survey: &impl Survey,
    keys: &DataKeys,
    checked: &mut Checked,
    found: &mut (dyn FnMut(Problem) + Send),
) -> Result<(), BackupError> {
    let look = async |s: SealedSecret| {
        checked.secrets += 1;
        let opens = |(key, sealed_as): &(Key, String)| {
            let place = Aad::of_secret(s.tenant, sealed_as, &s.name, &s.version);
            key.open(&place, &s.sealed).is_ok()
        };
        if !keys.get(&(s.tenant, s.vault.clone())).is_some_and(opens) {
            found(Problem::Secret { vault: s.vault, name: s.name, version: s.version });
        }
        Ok(())
    };
    every(async |mark, limit| survey.all_secrets(mark, limit).await, look).await
}

async fn blobs(
    survey: &impl Survey,
    bytes: &dyn BlobBytes,
    checked: &mut Checked,
    found: &mut (dyn FnMut(Problem) + Send),
) -> Result<(), BackupError> {
    let look = async |row: BlobRow| {
        checked.blobs += 1;
        checked.blob_bytes += row.length;
        if let Some(why) = blob(&row, bytes).await? {
            found(Problem::Blob { container: row.container, name: row.name, why });
        }
        Ok(())
    };
    every(async |mark, limit| survey.all_blobs(mark, limit).await, look).await
}

async fn blocks(
    survey: &impl Survey,
    bytes: &dyn BlobBytes,
    checked: &mut Checked,
    found: &mut (dyn FnMut(Problem) + Send),
) -> Result<(), BackupError> {
    let look = async |block: BlockRow| {
        checked.blob_bytes += block.length;
        if let Some(why) = object(&block.key, (block.length, block.crc), bytes).await? {
            found(Problem::Block { key: block.key, why });
        }
        Ok(())
    };
    every(async |mark, limit| survey.all_blocks(mark, limit).await, look).await
}

async fn blob(row: &BlobRow, bytes: &dyn BlobBytes) -> Result<Option<&'static str>, BackupError> {
    let kept = match &row.inline {
        Some(content) => content.len() as u64,
        None => row.segments.iter().map(|s| s.length).sum(),
    };
    if kept != row.length {
        return Ok(Some("is not as long as its row says"));
    }
    for segment in &row.segments {
        if let Some(why) = object(&segment.key, (segment.length, segment.crc), bytes).await? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

async fn object(
    key: &str,
    (length, crc): (u64, u64),
    bytes: &dyn BlobBytes,
) -> Result<Option<&'static str>, BackupError> {
    const GONE: Option<&str> = Some("has lost content");
    let mut chunks = match bytes.read(key, 0..length).await {
        Ok(chunks) => chunks,
        Err(BytesError::Missing | BytesError::Io { .. }) => return Ok(GONE),
        // A bucket that cannot be reached says nothing about its objects.
        Err(error) => return Err(error.into()),
    };
    let (mut digest, mut met) = (crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme), 0);
    loop {
        match chunks.try_next().await {
            Ok(Some(chunk)) => {
                met += chunk.len() as u64;
                digest.update(&chunk);
            }
            Ok(None) => break,
            Err(BytesError::Io { .. } | BytesError::Missing) => return Ok(GONE),
            Err(error) => return Err(error.into()),
        }
    }
    if met != length {
        return Ok(GONE);
    }
    // Rows of early versions know no checksum.
    Ok((crc != 0 && digest.finalize() != crc).then_some("has other content than was put there"))
}
