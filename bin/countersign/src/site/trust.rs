//! The site's private CA and the bundles made of it.

use std::path::PathBuf;

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
    pub ca_file: PathBuf,
}

/// Opens the CA of these names, made at first use. The public cloud's names have a CA of their own, which never
/// leaves `countersign run`.
///
/// One file holds what belongs together (the suffix, the key, the certificate), so that no crash can part them; the file
/// for clients is a copy of the certificate.
pub fn open(data: &DataDirectory, names: &SiteNames) -> Result<Trust, Failure> {
    let (copy, file) = if names.is_cloud() { ("ca-azure.pem", "ca-azure.key") } else { ("ca.pem", "ca.key") };
    let stored =
        data.read(file)?.map(String::from_utf8).transpose().attempt("reading the certificate authority")?;
    // A CA is constrained to the names it was made for: others need another CA.
    let (ca, pem) = match stored.as_deref().and_then(|text| kept_for(text, &names.subtrees().join(" "))) {
        Some((key_pem, pem)) => {
            let ca = CertificateAuthority::load(pem, key_pem).attempt("opening the certificate authority")?;
            (ca, pem.to_owned())
        }
        None => make(data, names, file)?,
    };
    let ca_file = match data.read(copy)? {
        Some(text) if text == pem.as_bytes() => data.file(copy),
        _ => data.write(copy, pem.as_bytes(), 0o644)?,
    };
    Ok(Trust { ca, ca_file })
}

fn make(
    data: &DataDirectory,
    names: &SiteNames,
    file: &str,
) -> Result<(CertificateAuthority, String), Failure> {
    let title = format!("Countersign private CA for {}", names.suffix());
    let (ca, pem, key_pem) = CertificateAuthority::make(&title, &names.subtrees(), MachineClock.now())
        .attempt("making the certificate authority")?;
    let text = format!("{}{}\n{key_pem}{pem}", SUFFIX_LINE, names.subtrees().join(" "));
    data.write(file, text.as_bytes(), 0o600)?;
    Ok((ca, pem))
}

/// The first line of the CA's file; text outside of PEM's blocks means nothing to other programs.
const SUFFIX_LINE: &str = "suffix: ";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Key and certificate of a CA's file, where it is of this suffix.
fn kept_for<'t>(text: &'t str, suffix: &str) -> Option<(&'t str, &'t str)> {
    let (first, rest) = text.split_once('\n')?;
    let split = rest.find(CERTIFICATE)?;
    (first.strip_prefix(SUFFIX_LINE) == Some(suffix)).then(|| rest.split_at(split))
}

/// Files for clients that replace their roots by what they are given: the system's and ours.
pub struct Bundles {
    pub pem: PathBuf,
    pub java: PathBuf,
}

/// Writes them, anew at each start: the system's roots change.
pub fn write_bundles(data: &DataDirectory, ca: &CertificateAuthority) -> Result<Bundles, Failure> {
    let pem = bundle(ca.certificate_pem());
    Ok(Bundles {
        java: data.write("ca-bundle.jks", &cs_pki::java_trust_store(&pem), 0o644)?,
        pem: data.write("ca-bundle.pem", &pem, 0o644)?,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_certificate_are_never_parted() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(dir.path()).unwrap();
        let names = SiteNames::under("s.example").unwrap();
        let made = open(&data, &names).unwrap().ca.certificate_pem().to_owned();
        // As after a crash before the copy was written, and with the copy of an earlier CA.
        std::fs::write(data.file("ca.pem"), "of another time").unwrap();
        assert_eq!(open(&data, &names).unwrap().ca.certificate_pem(), made);
        assert_eq!(std::fs::read_to_string(data.file("ca.pem")).unwrap(), made);
        let others = SiteNames::under("t.example").unwrap();
        assert_ne!(open(&data, &others).unwrap().ca.certificate_pem(), made);
    }
}
