//! Checksums of content while it passes.

use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use md5::{Digest, Md5};

use crate::BlobError;

/// What was computed of content: base64, as headers carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Where it was computed: it costs more than everything else about a large upload.
    pub md5: Option<String>,
    /// Of the eight bytes of CRC-64/NVME, lowest first (blob.md 5, Integrity).
    pub crc64: String,
}

impl Checks {
    /// Of something short.
    pub fn of(bytes: &[u8]) -> Self {
        let crc = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes);
        Self { md5: Some(STANDARD.encode(Md5::digest(bytes))), crc64: STANDARD.encode(crc.to_le_bytes()) }
    }

    /// Compares with what the client announced.
    ///
    /// # Errors
    /// [`BlobError::Md5Mismatch`], [`BlobError::Crc64Mismatch`].
    pub fn meet(self, (md5, crc64): (Option<String>, Option<String>)) -> Result<(), BlobError> {
        match (md5, self.md5) {
            (Some(given), Some(computed)) if given != computed => {
                return Err(BlobError::Md5Mismatch { given, computed });
            }
            _ => {}
        }
        match crc64 {
            Some(given) if given != self.crc64 => {
                Err(BlobError::Crc64Mismatch { given, computed: self.crc64 })
            }
            _ => Ok(()),
        }
    }
}

pub(crate) struct Running {
    md5: Option<Md5>,
    crc: crc_fast::Digest,
}

impl Running {
    pub(crate) fn new(with_md5: bool) -> Self {
        Self { md5: with_md5.then(Md5::new), crc: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.crc.update(bytes);
    }

    /// Compares with what the client announced; answers the raw CRC beside the texts.
    pub(crate) fn finish(
        self,
        given_md5: Option<String>,
        given_crc64: Option<String>,
    ) -> Result<(Checks, u64), BlobError> {
        let crc = self.crc.finalize();
        let computed = Checks {
            md5: self.md5.map(|md5| STANDARD.encode(md5.finalize())),
            crc64: STANDARD.encode(crc.to_le_bytes()),
        };
        match (given_md5, &computed.md5) {
            (Some(given), Some(md5)) if given != *md5 => {
                return Err(BlobError::Md5Mismatch { given, computed: md5.clone() });
            }
            _ => {}
        }
        match given_crc64 {
            Some(given) if given != computed.crc64 => {
                Err(BlobError::Crc64Mismatch { given, computed: computed.crc64 })
            }
            _ => Ok((computed, crc)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_document() {
        let mut running = Running::new(true);
        running.update(b"1234");
        running.update(b"56789");
        let (checks, crc) = running.finish(None, None).unwrap();
        assert_eq!((checks.crc64.as_str(), crc), ("iJh5CoYUi64=", 0xAE8B_1486_0A79_9888));
        assert_eq!(checks.md5.as_deref(), Some("JfnnlDI7RTiF9RgfG2JNCw=="));
    }
}
