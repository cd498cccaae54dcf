//! The site's private CA and the bundles made of it.

use cs_names::SiteNames;
use cs_pki::CertificateAuthority;
use cs_time::{Clock, MachineClock};

use super::data::DataDirectory;
use crate::failure::{Attempt, Failure};

/// Where systems keep their roots, in the order they are looked for.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub struct Trust {
    pub ca: CertificateAuthority,
    pub ca_file: std::path::PathBuf,
}

/// Opens the CA of these names, made at first use. The public cloud's names have a CA of their own, which never
/// leaves `countersign run`.
pub fn open(data: &DataDirectory, names: &SiteNames) -> Result<Trust, Failure> {
    let (certificate, key) =
        if names.is_cloud() { ("ca-azure.pem", "ca-azure.key") } else { ("ca.pem", "ca.key") };
    let stored = data.read(certificate)?.zip(data.read(key)?);
    if let Some((pem, key_pem)) = stored {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).attempt("reading the certificate authority");
        let ca = CertificateAuthority::load(&text(pem)?, &text(key_pem)?)
            .attempt("opening the certificate authority")?;
        if ca_covers(&data.read("ca.names")?, names) {
            return Ok(Trust { ca, ca_file: data.file(certificate) });
        }
    }
    let title = format!("Countersign private CA for {}", names.suffix());
    let (ca, pem, key_pem) = CertificateAuthority::make(&title, &names.subtrees(), MachineClock.now())
        .attempt("making the certificate authority")?;
    data.write(key, key_pem.as_bytes(), 0o600)?;
    if !names.is_cloud() {
        data.write("ca.names", names.suffix().as_bytes(), 0o644)?;
    }
    let ca_file = data.write(certificate, pem.as_bytes(), 0o644)?;
    Ok(Trust { ca, ca_file })
}

/// A CA is constrained to the suffix it was made for: another suffix needs another CA.
fn ca_covers(made_for: &Option<Vec<u8>>, names: &SiteNames) -> bool {
    names.is_cloud() || made_for.as_deref() == Some(names.suffix().as_bytes())
}

/// The system's roots and ours, as one PEM text.
pub fn bundle(ca_pem: &str) -> Vec<u8> {
    let mut all = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read(path).ok()).unwrap_or_default();
    if !all.is_empty() && !all.ends_with(b"\n") {
        all.push(b'\n');
    }
    all.extend_from_slice(ca_pem.as_bytes());
    all
}
