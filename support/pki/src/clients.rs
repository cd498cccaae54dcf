//! Client certificates by which a gateway logs in to database servers.
//!
//! Every server has an authority of its own, which its PostgreSQL trusts and nothing else does; it is never the CA of
//! the site's names (C05). Its key is derived from the server's data key, so it is stored nowhere and every replica
//! has the same one. What it signs names one role and lives for minutes.

use std::sync::Arc;

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    encoding::{AsDer, Pkcs8V1Der},
    hkdf,
};
use cs_time::{Chance, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use crate::PkiError;

/// The authority lives this long, in days; a new one means to tell the server's PostgreSQL.
const AUTHORITY_DAYS: i64 = 3650;
/// A client certificate of the gateway's lives this long, in seconds. Servers look at it once, when a session begins.
pub const CLIENT_SECONDS: i64 = 600;
/// And begins this much earlier: the clocks of servers differ.
const BACKDATE_SECONDS: i64 = 300;
/// Scalars above the curve's order are drawn again; that happens once in four billion times.
const DRAWS: u8 = 8;

/// The authority of one server.
pub struct ClientAuthority {
    issuer: Issuer<'static, KeyPair>,
}

impl ClientAuthority {
    /// Makes the certificate of a server's authority (PEM), to be kept with the server and given to its PostgreSQL.
    ///
    /// # Errors
    /// [`PkiError::Make`].
    pub fn make(seed: &[u8; 32], server: &str, now: Timestamp) -> Result<String, PkiError> {
        let key = derive(seed)?;
        let mut params = CertificateParams::default();
        let title: String = format!("Countersign clients of {server}").chars().take(64).collect();
        params.distinguished_name.push(DnType::CommonName, title);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) =
            (at(now.plus_seconds(-BACKDATE_SECONDS)), at(now.plus_seconds(AUTHORITY_DAYS * 86_400)));
        Ok(params.self_signed(&key).map_err(PkiError::Make)?.pem())
    }

    /// Opens the authority whose certificate was made with this seed.
    ///
    /// # Errors
    /// [`PkiError::Read`].
    pub fn open(seed: &[u8; 32], certificate_pem: &str) -> Result<Self, PkiError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|e| PkiError::Read(rcgen::Error::PemError(e.to_string())))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, derive(seed)?).map_err(PkiError::Read)?;
        Ok(Self { issuer })
    }

    /// A certificate for a key of somebody's that says nothing but the role, and lives for `seconds`.
    ///
    /// # Errors
    /// [`PkiError::Make`].
    pub fn sign(
        &self,
        role: &str,
        key: &impl rcgen::PublicKeyData,
        serial: &[u8; 16],
        (now, seconds): (Timestamp, i64),
    ) -> Result<rcgen::Certificate, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        // PostgreSQL compares the common name with the role byte by byte, so it must be UTF-8 as it stands.
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(role.to_owned()));
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) =
            (at(now.plus_seconds(-BACKDATE_SECONDS)), at(now.plus_seconds(seconds)));
        params.signed_by(key, &self.issuer).map_err(PkiError::Make)
    }
}

/// A certificate's number: positive, and in its shortest form (RFC 5280 4.1.2.2).
pub fn serial_number(chance: &dyn Chance) -> [u8; 16] {
    let mut serial = [0; 16];
    chance.fill(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// The gateway's own key: one for the process, never kept.
pub struct ClientKey {
    key: KeyPair,
    signing: Arc<dyn rustls::sign::SigningKey>,
}

impl ClientKey {
    /// # Errors
    /// [`PkiError`].
    pub fn draw() -> Result<Self, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Make)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der).map_err(PkiError::Tls)?;
        Ok(Self { key, signing })
    }

    /// A request for a certificate of this key, PEM.
    ///
    /// # Errors
    /// [`PkiError::Make`].
    pub fn request(&self, name: &str) -> Result<String, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
        let request = params.serialize_request(&self.key).map_err(PkiError::Make)?;
        request.pem().map_err(PkiError::Make)
    }

    /// This key with certificates that somebody signed for it, PEM, its own first.
    ///
    /// # Errors
    /// [`PkiError::Read`].
    pub fn with(&self, pem: &str) -> Result<Arc<CertifiedKey>, PkiError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let all = all.map_err(|e| PkiError::Read(rcgen::Error::PemError(e.to_string())))?;
        Ok(Arc::new(CertifiedKey::new(all, Arc::clone(&self.signing))))
    }

    /// A certificate of this key for a role.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn certified(
        &self,
        authority: &ClientAuthority,
        role: &str,
        serial: &[u8; 16],
        now: Timestamp,
    ) -> Result<Arc<CertifiedKey>, PkiError> {
        let certificate = authority.sign(role, &self.key, serial, (now, CLIENT_SECONDS))?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate.into()], Arc::clone(&self.signing))))
    }
}

/// A P-256 key from a seed: HKDF-SHA-256, drawn again where it is no scalar of the curve.
fn derive(seed: &[u8; 32]) -> Result<KeyPair, PkiError> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign").extract(seed);
    for draw in 0..DRAWS {
        let mut scalar = [0; 32];
        let info: [&[u8]; 2] = [b"database client authority", &[draw]];
        if prk.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut scalar)).is_err() {
            break;
        }
        let Ok(key) = PrivateKey::from_private_key(&ECDH_P256, &scalar) else { continue };
        let Ok(pkcs8): Result<Pkcs8V1Der<'_>, _> = key.as_der() else { continue };
        let der = PrivatePkcs8KeyDer::from(pkcs8.as_ref());
        return KeyPair::try_from(&der).map_err(PkiError::Make);
    }
    Err(PkiError::Make(rcgen::Error::KeyGenerationUnavailable))
}

fn at(time: Timestamp) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.seconds()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn one_seed_is_one_authority() {
        let pem = ClientAuthority::make(&[7; 32], "db1", NOW).unwrap();
        let (one, two) = (derive(&[7; 32]).unwrap(), derive(&[7; 32]).unwrap());
        assert_eq!(one.public_key_raw(), two.public_key_raw());
        assert_ne!(one.public_key_raw(), derive(&[8; 32]).unwrap().public_key_raw());
        assert!(ClientAuthority::open(&[7; 32], &pem).is_ok());
    }

    #[test]
    fn c05_a_client_certificate_says_one_role_for_minutes() {
        let pem = ClientAuthority::make(&[7; 32], "db1", NOW).unwrap();
        let authority = ClientAuthority::open(&[7; 32], &pem).unwrap();
        let role = "\"; DROP ROLE ü; --";
        let key = ClientKey::draw().unwrap();
        let certified = key.certified(&authority, role, &[1; 16], NOW).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&certified.cert[0]).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        let (_, ca) = x509_parser::parse_x509_certificate(&pem.contents).unwrap();
        assert!(certificate.verify_signature(Some(ca.public_key())).is_ok());
        let names: Vec<_> = certificate.subject().iter_common_name().map(|n| n.as_str().unwrap()).collect();
        assert_eq!(names, [role]);
        assert!(!certificate.is_ca() && certificate.subject_alternative_name().unwrap().is_none());
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert_eq!(certificate.validity().not_after.timestamp(), NOW.seconds() + CLIENT_SECONDS);
    }
}
