//! Roots in the form Java reads: JVMs know neither the system's bundle nor PEM.
//!
//! The format is Sun's first key store, JKS: a header, one entry a certificate, and a SHA-1 over a password, a phrase
//! and all of it. Every Java since 1.2 opens it, also where PKCS #12 is the default type
//! (`keystore.type.compat` in `java.security`), and needs no password to read certificates.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls_pki_types::{CertificateDer, pem::PemObject};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
/// The tag of an entry that holds a trusted certificate (1 holds a private key).
const TRUSTED: u32 = 2;
/// The password every key store of roots has; it keeps nothing secret and guards against damage alone.
const PASSWORD: &str = "changeit";
/// From `sun.security.provider.JavaKeyStore.getPreKeyedHash`.
const PHRASE: &[u8] = b"Mighty Aphrodite";
/// When an entry was added, in milliseconds since 1970: not known, and a fixed value gives equal files.
const ADDED: u64 = 0;

/// The certificates of a PEM bundle as a key store for `-Djavax.net.ssl.trustStore`. What is no certificate is left out.
pub fn java_trust_store(bundle: &[u8]) -> Vec<u8> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bundle).filter_map(Result::ok).collect();
    let count = u32::try_from(certificates.len()).unwrap_or(u32::MAX);
    let mut store = [MAGIC, VERSION, count].map(u32::to_be_bytes).concat();
    for (number, certificate) in certificates.iter().enumerate() {
        store.extend(TRUSTED.to_be_bytes());
        text(&mut store, &format!("root-{number}"));
        store.extend(ADDED.to_be_bytes());
        text(&mut store, "X.509");
        store.extend(u32::try_from(certificate.len()).unwrap_or(u32::MAX).to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let digest = digest(&store);
    store.extend(digest);
    store
}

/// `DataOutput.writeUTF`, which for ASCII is a length and the bytes.
fn text(store: &mut Vec<u8>, ascii: &str) {
    store.extend(u16::try_from(ascii.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend(ascii.as_bytes());
}

fn digest(store: &[u8]) -> Vec<u8> {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(PHRASE);
    digest.update(store);
    digest.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use cs_time::Timestamp;

    use super::*;
    use crate::CertificateAuthority;

    /// What Java 17 writes itself: `KeyStore.getInstance("JKS")`, loaded with nothing, stored with this password.
    #[test]
    fn an_empty_store_is_javas_own() {
        let store = java_trust_store(b"no certificate here");
        assert_eq!(store[..12], [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 0]);
        let digest: String = store[12..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "e2686e45fb43dfa4d992dd41ceb6b21c6330d792");
    }

    #[test]
    fn every_certificate_of_the_bundle_is_an_entry() {
        let made = |name: &str| {
            CertificateAuthority::make(name, &["s".to_owned()], Timestamp::from_seconds(1_800_000_000))
        };
        let (one, two) = (made("one").unwrap().1, made("two").unwrap().1);
        let store = java_trust_store(format!("{one}# talk\n{two}").as_bytes());
        assert_eq!(store[8..12], [0, 0, 0, 2]);
        for pem in [one, two] {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            assert!(store.windows(der.len()).any(|window| window == der.as_ref()));
        }
    }
}
