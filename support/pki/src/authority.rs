//! The CA: made once, kept as two PEM texts by its owner.

use std::net::{Ipv4Addr, Ipv6Addr};

use cs_time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

/// The CA itself lives this long, in days; its owner replaces it by deleting its files.
const CA_DAYS: i64 = 3650;
/// A leaf lives this long, in days.
pub(crate) const LEAF_DAYS: i64 = 7;
/// Certificates start this much before now, in seconds: the clocks of clients differ.
const BACKDATE_SECONDS: i64 = 3600;

/// What went wrong with a key or certificate.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("making a certificate")]
    Make(#[source] rcgen::Error),
    #[error("reading the certificate authority's files")]
    Read(#[source] rcgen::Error),
    #[error("writing a signed document")]
    Sign(#[source] der::Error),
    #[error("setting up TLS")]
    Tls(#[source] rustls::Error),
}

/// A private CA.
pub struct CertificateAuthority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
}

impl CertificateAuthority {
    /// Makes a CA for names at and below `subtrees`, `localhost` and the loopback addresses. Answers it with the
    /// two texts to keep: certificate and private key (PEM).
    ///
    /// # Errors
    /// [`PkiError::Make`].
    pub fn make(name: &str, subtrees: &[String], now: Timestamp) -> Result<(Self, String, String), PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Make)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted(subtrees), excluded_subtrees: vec![] });
        (params.not_before, params.not_after) = validity(now, CA_DAYS);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.self_signed(&key).map_err(PkiError::Make)?;
        let (pem, key_pem) = (certificate.pem(), key.serialize_pem());
        Ok((Self::load(&pem, &key_pem)?, pem, key_pem))
    }

    /// Opens a CA from its two texts.
    ///
    /// # Errors
    /// [`PkiError::Read`].
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        use rustls_pki_types::pem::PemObject;
        let key = KeyPair::from_pem(key_pem).map_err(PkiError::Read)?;
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|e| PkiError::Read(rcgen::Error::PemError(e.to_string())))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(PkiError::Read)?;
        Ok(Self { issuer, certificate, certificate_pem: certificate_pem.to_owned() })
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Signs a server leaf for DNS names and IP addresses.
    pub(crate) fn leaf(
        &self,
        names: Vec<String>,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, PkiError> {
        Ok(self.sign(names, vec![ExtendedKeyUsagePurpose::ServerAuth], key, now)?.into())
    }

    /// The same for somebody else's key, PEM.
    pub(crate) fn leaf_of(
        &self,
        name: &str,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<String, PkiError> {
        Ok(self.sign(vec![name.to_owned()], vec![ExtendedKeyUsagePurpose::ServerAuth], key, now)?.pem())
    }

    /// Signs a leaf that signs documents: of no use for a server, its usages name none.
    pub(crate) fn document_leaf(
        &self,
        name: String,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, PkiError> {
        Ok(self.sign(vec![name], vec![ExtendedKeyUsagePurpose::EmailProtection], key, now)?.into())
    }

    fn sign(
        &self,
        names: Vec<String>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        key: &impl PublicKeyData,
        now: Timestamp,
    ) -> Result<rcgen::Certificate, PkiError> {
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).map_err(PkiError::Make)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        // X.520 allows 64 characters; longer names stand in the SAN only, where clients look.
        if common.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, LEAF_DAYS);
        params.signed_by(key, &self.issuer).map_err(PkiError::Make)
    }
}

fn permitted(subtrees: &[String]) -> Vec<GeneralSubtree> {
    let mut all: Vec<_> = subtrees.iter().cloned().map(GeneralSubtree::DnsName).collect();
    all.push(GeneralSubtree::DnsName("localhost".to_owned()));
    all.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv4Addr::LOCALHOST.into(), 8)));
    all.push(GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128)));
    all
}

fn validity(now: Timestamp, days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let at =
        |t: Timestamp| OffsetDateTime::from_unix_timestamp(t.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (at(now.plus_seconds(-BACKDATE_SECONDS)), at(now.plus_seconds(days * 86_400)))
}
