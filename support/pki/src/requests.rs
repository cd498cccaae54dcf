//! Requests for client certificates (PKCS#10, RFC 2986), made where the private key is and stays.
//!
//! What a certificate says is the signer's business: nothing but the public key is taken from a request. A request
//! that asks for more than it will get (C05) is refused and not trimmed, so that nobody believes to have been given it.

use rcgen::SubjectPublicKeyInfo;
use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::{ExtendedKeyUsage, KeyUsage, ParsedExtension},
    pem::parse_x509_pem,
    prelude::FromDer,
    public_key::PublicKey,
};

/// A request with an RSA key of 4,096 bits has about 1.7 KiB in PEM.
const PEM_MAX_BYTES: usize = 16 * 1024;
/// Sizes of RSA keys that are signed, in bits: shorter ones are weak, longer ones cost every login dearly.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// Curves by the size of their numbers, in bits.
const EC_BITS: [usize; 3] = [256, 384, 521];

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    #[error("must be one PKCS#10 request in PEM, at most 16 KiB")]
    Form,
    #[error("is not signed by the key it is for")]
    Signature,
    #[error("must be for a key on the curves P-256, P-384 or P-521, or for an RSA key of 2048 to 4096 bits")]
    Key,
    #[error("must name the role as its common name, and nothing else")]
    Subject,
    #[error("asks for {0}, which client certificates of database servers do not have")]
    Extension(&'static str),
}

/// A request whose sender holds the private key.
#[derive(Debug)]
pub struct ClientRequest {
    key: SubjectPublicKeyInfo,
}

impl ClientRequest {
    /// Reads a request for a certificate of `role`.
    ///
    /// # Errors
    /// [`BadRequest`].
    pub fn read(pem: &str, role: &str) -> Result<Self, BadRequest> {
        if pem.len() > PEM_MAX_BYTES {
            return Err(BadRequest::Form);
        }
        let (rest, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| BadRequest::Form)?;
        // Older programs write NEW before it.
        let is_request = matches!(&*block.label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        if !is_request || !rest.iter().all(u8::is_ascii_whitespace) {
            return Err(BadRequest::Form);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(&block.contents).map_err(|_| BadRequest::Form)?;
        if !rest.is_empty() {
            return Err(BadRequest::Form);
        }
        check_key(&request)?;
        request.verify_signature().map_err(|_| BadRequest::Signature)?;
        check_subject(&request, role)?;
        check_attributes(&request)?;
        let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw);
        Ok(Self { key: key.map_err(|_| BadRequest::Key)? })
    }

    pub fn key(&self) -> &impl rcgen::PublicKeyData {
        &self.key
    }
}

fn check_key(request: &X509CertificationRequest<'_>) -> Result<(), BadRequest> {
    let good = match request.certification_request_info.subject_pki.parsed() {
        Ok(PublicKey::RSA(key)) => RSA_BITS.contains(&key.key_size()),
        Ok(PublicKey::EC(point)) => EC_BITS.iter().any(|bits| point.key_size().abs_diff(*bits) < 8),
        _ => false,
    };
    if good { Ok(()) } else { Err(BadRequest::Key) }
}

/// The role or nothing: whoever asks says by other means which role they want.
fn check_subject(request: &X509CertificationRequest<'_>, role: &str) -> Result<(), BadRequest> {
    let subject = &request.certification_request_info.subject;
    let mut names = subject.iter_attributes();
    let Some(first) = names.next() else { return Ok(()) };
    let is_role = *first.attr_type() == x509_parser::oid_registry::OID_X509_COMMON_NAME
        && first.as_str().is_ok_and(|name| name == role);
    if is_role && names.next().is_none() { Ok(()) } else { Err(BadRequest::Subject) }
}

fn check_attributes(request: &X509CertificationRequest<'_>) -> Result<(), BadRequest> {
    for attribute in request.certification_request_info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(asked) => {
                asked.extensions.iter().try_for_each(|one| check_extension(one.parsed_extension()))?;
            }
            // A password for whoever signs; nobody here asks for one.
            ParsedCriAttribute::ChallengePassword(_) => {}
            _ => return Err(BadRequest::Extension("an attribute that is not known here")),
        }
    }
    Ok(())
}

/// What the certificate will say anyway may be asked for.
fn check_extension(asked: &ParsedExtension<'_>) -> Result<(), BadRequest> {
    let refused = match asked {
        ParsedExtension::BasicConstraints(constraints) if !constraints.ca => return Ok(()),
        ParsedExtension::BasicConstraints(_) => "CA:TRUE",
        ParsedExtension::KeyUsage(usage) if is_for_signatures(usage) => return Ok(()),
        ParsedExtension::KeyUsage(_) => "a key usage beyond digital signatures",
        ParsedExtension::ExtendedKeyUsage(usage) if is_for_clients(usage) => return Ok(()),
        ParsedExtension::ExtendedKeyUsage(_) => "an extended key usage beyond client authentication",
        ParsedExtension::SubjectKeyIdentifier(_) => return Ok(()),
        ParsedExtension::SubjectAlternativeName(_) => "other names",
        _ => "an extension",
    };
    Err(BadRequest::Extension(refused))
}

fn is_for_signatures(usage: &KeyUsage) -> bool {
    // Bit 0 is digitalSignature (RFC 5280 4.2.1.3).
    usage.flags == 1
}

fn is_for_clients(usage: &ExtendedKeyUsage<'_>) -> bool {
    let others = usage.any
        || usage.server_auth
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    usage.client_auth && !others
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
        KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType,
    };

    use super::*;

    fn params(role: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, role);
        params
    }

    fn request(params: &CertificateParams) -> String {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn a_request_for_the_role_or_without_a_name_is_taken() {
        assert!(ClientRequest::read(&request(&params("Data Team")), "Data Team").is_ok());
        let mut unnamed = params("");
        unnamed.distinguished_name = DistinguishedName::new();
        assert!(ClientRequest::read(&request(&unnamed), "Data Team").is_ok());
        let mut explicit = params("r");
        explicit.is_ca = IsCa::ExplicitNoCa;
        explicit.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        explicit.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        assert!(ClientRequest::read(&request(&explicit), "r").is_ok());
    }

    #[test]
    fn c05_a_request_that_asks_for_more_is_refused() {
        let read = |change: fn(&mut CertificateParams)| {
            let mut params = params("r");
            change(&mut params);
            ClientRequest::read(&request(&params), "r").unwrap_err()
        };
        let asks = BadRequest::Extension;
        assert_eq!(read(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), asks("CA:TRUE"));
        let login = || SanType::DnsName("login.countersign.localhost".try_into().unwrap());
        let mut named = params("r");
        named.subject_alt_names = vec![login()];
        assert_eq!(ClientRequest::read(&request(&named), "r").unwrap_err(), asks("other names"));
        for usage in [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::Any] {
            let mut params = params("r");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, usage];
            assert_eq!(
                ClientRequest::read(&request(&params), "r").unwrap_err(),
                asks("an extended key usage beyond client authentication")
            );
        }
        assert_eq!(
            read(|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign]),
            asks("a key usage beyond digital signatures")
        );
        assert_eq!(
            read(|p| p.distinguished_name.push(DnType::OrganizationName, "Contoso")),
            BadRequest::Subject
        );
        assert_eq!(ClientRequest::read(&request(&params("other")), "r").unwrap_err(), BadRequest::Subject);
    }

    #[test]
    fn c05_whoever_does_not_hold_the_key_gets_no_certificate() {
        let pem = request(&params("r"));
        let (_, block) = parse_x509_pem(pem.as_bytes()).unwrap();
        let mut der = block.contents;
        // Another name under the old signature: the CN's last byte.
        let at = der.windows(3).position(|w| w == [0x0c, 1, b'r']).unwrap() + 2;
        der[at] = b's';
        let forged = pem_of("CERTIFICATE REQUEST", &der);
        assert_eq!(ClientRequest::read(&forged, "s").unwrap_err(), BadRequest::Signature);
    }

    #[test]
    fn what_is_no_request_or_of_an_unknown_key_is_refused() {
        let good = request(&params("r"));
        let double = format!("{good}{good}");
        let label = good.replace("CERTIFICATE REQUEST", "CERTIFICATE");
        let long = format!("{good}{}", "\n".repeat(PEM_MAX_BYTES));
        for bad in ["", "x", &double, &label, &long] {
            assert_eq!(ClientRequest::read(bad, "r").unwrap_err(), BadRequest::Form);
        }
        let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let pem = params("r").serialize_request(&ed).unwrap().pem().unwrap();
        assert_eq!(ClientRequest::read(&pem, "r").unwrap_err(), BadRequest::Key);
    }

    fn pem_of(label: &str, der: &[u8]) -> String {
        let text = base64(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    /// Base64 in one line, which PEM readers take.
    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |n: u32| char::from(DIGITS[n as usize & 63]);
        let group = |three: &[u8]| {
            let word = three.iter().fold(0, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            let all = [18, 12, 6, 0].map(|shift| digit(word >> shift));
            let said: String = all[..=three.len()].iter().collect();
            format!("{said:=<4}")
        };
        bytes
            .chunks(3)
            .map(group)
            .collect::<Vec<_>>()
            .chunks(16)
            .map(|l| l.concat())
            .collect::<Vec<_>>()
            .join("\n")
    }

    proptest! {
        #[test]
        fn c05_no_bytes_end_the_process(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = ClientRequest::read(&pem_of("CERTIFICATE REQUEST", &bytes), "r");
        }

        #[test]
        fn c05_a_request_with_one_byte_changed_is_refused(at in 0usize..200, to in any::<u8>()) {
            let pem = request(&params("r"));
            let (_, block) = parse_x509_pem(pem.as_bytes()).unwrap();
            let mut der = block.contents;
            // Within what is signed; its own form may be written in other ways.
            let (_, read) = X509CertificationRequest::from_der(&der).unwrap();
            let signed = read.certification_request_info.raw.len();
            let at = der.windows(signed).position(|w| w == read.certification_request_info.raw).unwrap() + at % signed;
            let same = der[at] == to;
            der[at] = to;
            prop_assert_eq!(ClientRequest::read(&pem_of("CERTIFICATE REQUEST", &der), "r").is_ok(), same);
        }
    }
}
