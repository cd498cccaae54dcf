//! What an archive is made of: names, the manifest, the running digest.

use aws_lc_rs::digest::{Context, SHA256};
use cs_seal::{Aad, Key};
use serde::{Deserialize, Serialize};

pub(crate) const DATABASE: &str = "site.db";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MAC: &str = "manifest.mac";
/// A later version that is written otherwise has another number.
pub(crate) const FORMAT: u32 = 1;

/// What the last entries say about those before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub format: u32,
    /// RFC 3339.
    pub made: String,
    /// Whether blobs' content lies in the archive; otherwise it is in a bucket and stays there.
    pub with_objects: bool,
    pub objects: u64,
    pub object_bytes: u64,
    /// SHA-256 over all entries, in hexadecimal: see [`Chain`].
    pub digest: String,
}

/// Over each entry in order: its name, a zero, its length (8 bytes, big-endian), the SHA-256 of its content.
pub(crate) struct Chain(Context);

impl Chain {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn add(&mut self, name: &str, length: u64, content: &[u8]) {
        self.0.update(name.as_bytes());
        self.0.update(&[0]);
        self.0.update(&length.to_be_bytes());
        self.0.update(content);
    }

    pub(crate) fn finish(self) -> String {
        self.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// 32 bytes that only who has the root key can make of this manifest.
pub(crate) fn mac(root: &Key, manifest: &str) -> Vec<u8> {
    root.derive(&Aad::of("backup manifest").field(manifest))[..32].to_vec()
}

pub(crate) fn place_of_file(name: &str) -> Aad {
    Aad::of("backup file").field(name)
}
