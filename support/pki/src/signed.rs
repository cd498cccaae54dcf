//! Signed documents: PKCS#7 (CMS, RFC 5652) SignedData with the content and the signer's certificate inside.
//!
//! Without signed attributes, so the signature is over the content itself (RFC 5652 5.4); that is allowed for content
//! of the type `data`, and every verifier takes it.

use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{
        CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
    },
};
use der::{
    Any, Decode, Encode,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use rcgen::{KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;
use x509_cert::{Certificate, spki::AlgorithmIdentifierOwned};

use crate::PkiError;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Signs `content` with a P-256 key and its certificate.
pub(crate) fn document(
    content: &[u8],
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
) -> Result<Vec<u8>, PkiError> {
    let signature = key.sign(content).map_err(PkiError::Make)?;
    assemble(content, certificate, signature).map_err(PkiError::Sign)
}

fn assemble(content: &[u8], certificate: &CertificateDer<'_>, signature: Vec<u8>) -> der::Result<Vec<u8>> {
    let certificate = Certificate::from_der(certificate)?;
    let algorithm = |oid| AlgorithmIdentifierOwned { oid, parameters: None };
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.tbs_certificate().issuer().clone(),
            serial_number: certificate.tbs_certificate().serial_number().clone(),
        }),
        digest_alg: algorithm(SHA256),
        signed_attrs: None,
        signature_algorithm: algorithm(ECDSA_WITH_SHA256),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![algorithm(SHA256)])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: DATA,
            econtent: Some(Any::encode_from(&OctetString::new(content)?)?),
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(vec![CertificateChoices::Certificate(
            certificate,
        )])?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
    };
    ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? }.to_der()
}

#[cfg(test)]
mod tests {
    use std::{process::Command, sync::Arc};

    use cs_names::SiteNames;
    use cs_time::{Clock, MachineClock};

    use crate::{CertificateAuthority, Leaves};

    /// Another program's word: openssl takes the signature for what it is, and refuses a changed one.
    #[test]
    fn openssl_verifies_a_signed_document() {
        let dir = tempfile::tempdir().unwrap();
        for names in [SiteNames::under("countersign.localhost").unwrap(), SiteNames::azure()] {
            let (ca, pem, _) =
                CertificateAuthority::make("Test CA", &names.subtrees(), MachineClock.now()).unwrap();
            let leaves = Leaves::new(ca, names, Arc::new(MachineClock)).unwrap();
            let der = leaves.sign_document(br#"{"nonce":"1234567890"}"#).unwrap();
            let other = CertificateAuthority::make("Test CA", &["x.example".to_owned()], MachineClock.now());
            std::fs::write(dir.path().join("ca.pem"), &pem).unwrap();
            std::fs::write(dir.path().join("other.pem"), other.unwrap().1).unwrap();
            let verify = |der: &[u8], ca: &str, verb: &str| {
                std::fs::write(dir.path().join("signed"), der).unwrap();
                let arguments = [verb, "-verify", "-inform", "DER", "-in", "signed", "-CAfile", ca];
                Command::new("openssl").args(arguments).current_dir(dir.path()).output().unwrap()
            };
            for verb in ["smime", "cms"] {
                let good = verify(&der, "ca.pem", verb);
                assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
                assert_eq!(good.stdout, br#"{"nonce":"1234567890"}"#);
                assert!(!verify(&der, "other.pem", verb).status.success(), "another CA's");
                let at = der.windows(10).position(|w| w == b"1234567890").unwrap();
                let mut changed = der.clone();
                changed[at] = b'9';
                assert!(!verify(&changed, "ca.pem", verb).status.success(), "changed");
            }
        }
    }
}
