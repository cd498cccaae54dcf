//! From what a vault keeps (PKCS#12 in base64, or PEM) to one PEM text: the leaf, the certificates above it in their
//! order, the root if it is there, the private key last.

use aws_lc_rs::{
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    },
};
use p12_keystore::{Certificate, KeyStore, Pkcs12ImportPolicy};
use rustls_pki_types::{
    PrivateKeyDer,
    pem::{PemObject, SectionKind},
};

/// Makes one.
///
/// # Errors
/// What is missing, cannot be read, or does not belong together: a server that reads its files anew would end with a key
/// that is another certificate's.
pub fn pem(value: &str) -> Result<String, String> {
    let (certificates, keys) = match value.contains("-----BEGIN ") {
        true => from_pem(value)?,
        false => from_pfx(value)?,
    };
    let (leaf, (label, key)) = pair(&certificates, keys)?;
    let chain = ordered(certificates, leaf);
    let mut text: String = chain.iter().map(|c| armoured("CERTIFICATE", c.as_der())).collect();
    text.push_str(&armoured(label, &key));
    Ok(text)
}

/// A private key with its PEM label.
type Key = (&'static str, Vec<u8>);
type Found = (Vec<Certificate>, Vec<Key>);

/// The certificate that is served, by its place, and the key it is served with: one of the keys is its own. Where several have
/// theirs, it is one that has issued none of the others. A key of a kind that is not known here is believed.
fn pair(certificates: &[Certificate], keys: Vec<Key>) -> Result<(usize, Key), String> {
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let last = |at: &usize| !has_issued(&certificates[*at], certificates);
    let halves: Vec<_> = keys.iter().map(|(_, key)| public_halves(key)).collect();
    let key_of = |at: &usize| halves.iter().position(|of| holds_one(certificates[*at].as_der(), of));
    let all = || 0..certificates.len();
    let found =
        all().find(|at| last(at) && key_of(at).is_some()).or_else(|| all().find(|at| key_of(at).is_some()));
    let (leaf, key) = match found {
        Some(leaf) => (leaf, key_of(&leaf)),
        None => (all().find(last).unwrap_or(0), halves.iter().position(Vec::is_empty)),
    };
    let key = key.and_then(|key| keys.into_iter().nth(key));
    Ok((leaf, key.ok_or("its private key is not that of its certificate")?))
}

/// Whether a certificate holds the public half of a key, written in one of these ways.
fn holds_one(certificate: &[u8], halves: &[Vec<u8>]) -> bool {
    halves.iter().any(|half| certificate.windows(half.len()).any(|piece| piece == half))
}

fn is_root(certificate: &Certificate) -> bool {
    certificate.subject() == certificate.issuer()
}

fn has_issued(by: &Certificate, all: &[Certificate]) -> bool {
    all.iter().any(|c| c.issuer() == by.subject() && c.as_der() != by.as_der())
}

/// The public half of a key as certificates write it: of elliptic curves there are two ways (SEC 1, 2.3.3).
fn public_halves(key: &[u8]) -> Vec<Vec<u8>> {
    if let Ok(rsa) = rsa::KeyPair::from_pkcs8(key).or_else(|_| rsa::KeyPair::from_der(key)) {
        return vec![rsa.public_key().as_ref().to_vec()];
    }
    if let Ok(edwards) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key) {
        return vec![edwards.public_key().as_ref().to_vec()];
    }
    let curves = [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
        &ECDSA_P521_SHA512_ASN1_SIGNING,
        &ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ];
    let pair = curves.into_iter().find_map(|curve| {
        let read = EcdsaKeyPair::from_pkcs8(curve, key);
        read.or_else(|_| EcdsaKeyPair::from_private_key_der(curve, key)).ok()
    });
    let Some(pair) = pair else { return Vec::new() };
    let whole = pair.public_key().as_ref().to_vec();
    let (x, y) = whole.get(1..).unwrap_or_default().split_at(whole.len() / 2);
    let sign = 2 + (y.last().copied().unwrap_or_default() & 1);
    let short = std::iter::once(sign).chain(x.iter().copied()).collect();
    vec![whole, short]
}

fn from_pfx(value: &str) -> Result<Found, String> {
    // `base64` and openssl break lines.
    let value: String = value.split_ascii_whitespace().collect();
    let bytes = cs_jose::decode_any(&value).ok_or("it is neither PEM nor PKCS#12 in base64")?;
    let store = KeyStore::from_pkcs12(&bytes, "", Pkcs12ImportPolicy::Relaxed)
        .map_err(|e| format!("the PKCS#12 cannot be opened without a password: {e}"))?;
    let (_, chain) = store.private_key_chain().ok_or("the PKCS#12 holds no private key")?;
    Ok((chain.certs().to_vec(), vec![("PRIVATE KEY", chain.key().as_der().to_vec())]))
}

fn from_pem(value: &str) -> Result<Found, String> {
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(value.as_bytes()) {
        let (kind, der) = section.map_err(|e| format!("the PEM cannot be read: {e}"))?;
        match kind {
            SectionKind::Certificate => {
                let read =
                    Certificate::from_der(&der).map_err(|e| format!("a certificate cannot be read: {e}"))?;
                certificates.push(read);
            }
            SectionKind::PrivateKey => keys.push(("PRIVATE KEY", der)),
            SectionKind::RsaPrivateKey => keys.push(("RSA PRIVATE KEY", der)),
            SectionKind::EcPrivateKey => keys.push(("EC PRIVATE KEY", der)),
            _ => {}
        }
    }
    if keys.is_empty() && value.contains("ENCRYPTED") {
        return Err("its private key is encrypted, and nobody here has the password".to_owned());
    }
    if keys.is_empty() {
        return Err("it holds no private key".to_owned());
    }
    for (_, key) in &keys {
        PrivateKeyDer::try_from(key.as_slice())
            .map_err(|e| format!("the private key cannot be read: {e}"))?;
    }
    Ok((certificates, keys))
}

/// The leaf first; each is followed by its issuer, and what belongs to nobody stands where it stood, before the root.
fn ordered(mut left: Vec<Certificate>, leaf: usize) -> Vec<Certificate> {
    let mut chain = vec![left.remove(leaf)];
    while let Some(at) = chain
        .last()
        .filter(|last| !is_root(last))
        .and_then(|last| left.iter().position(|c| c.subject() == last.issuer()))
    {
        chain.push(left.remove(at));
    }
    let has_leaf_alone = chain.len() == 1;
    let root = chain.pop_if(|last| !has_leaf_alone && is_root(last) && !left.is_empty());
    chain.extend(left);
    chain.extend(root);
    chain
}

/// Lines of 64, as every reader of PEM takes them.
fn armoured(label: &str, der: &[u8]) -> String {
    let base64 = cs_jose::encode_std(der);
    let lines: String =
        base64.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use proptest::prelude::*;

    use super::*;

    fn openssl(arguments: &str, at: &Path) {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(at).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A root, an authority below it, and a leaf: PEM in the wrong order, and PKCS#12 in two encryptions.
    #[test]
    fn bundles_as_vaults_keep_them_come_out_in_one_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=root -keyout root.key -out root.pem", at);
        std::fs::write(at.join("middle.ext"), "basicConstraints=critical,CA:TRUE").unwrap();
        std::fs::write(at.join("leaf.ext"), "basicConstraints=CA:FALSE").unwrap();
        for (name, by) in [("middle", "root"), ("leaf", "middle")] {
            openssl(
                &format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"),
                at,
            );
            openssl(
                &format!(
                    "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -extfile {name}.ext -out {name}.pem"
                ),
                at,
            );
        }
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        let subjects = |pem: &str| -> Vec<String> {
            let (all, _) = from_pem(pem).unwrap();
            all.iter().map(|c| c.subject().to_owned()).collect()
        };
        let shuffled = read("root.pem") + &read("leaf.key") + &read("middle.pem") + &read("leaf.pem");
        let made = pem(&shuffled).unwrap();
        assert_eq!(subjects(&made), ["CN=leaf", "CN=middle", "CN=root"]);
        assert!(made.ends_with("-----END PRIVATE KEY-----\n"));
        std::fs::write(at.join("chain.pem"), read("middle.pem") + &read("root.pem")).unwrap();
        for more in ["", " -legacy"] {
            openssl(
                &format!(
                    "pkcs12 -export{more} -inkey leaf.key -in leaf.pem -certfile chain.pem -passout pass: -out a.pfx"
                ),
                at,
            );
            let value = cs_jose::encode_std(std::fs::read(at.join("a.pfx")).unwrap());
            assert_eq!(subjects(&pem(&value).unwrap()), ["CN=leaf", "CN=middle", "CN=root"], "{more}");
        }
        std::fs::write(at.join("made.pem"), &made).unwrap();
        openssl("verify -CAfile root.pem -untrusted middle.pem made.pem", at);
        openssl("pkey -in made.pem -noout", at);
    }

    /// People put two keys into one file, or one that they made anew; of every kind of key, in each way to write it.
    #[test]
    fn a_key_that_is_not_the_certificates_is_never_put_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        let kinds = [
            ("rsa", "rsa:2048"),
            ("p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
            ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
            ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
            ("ed", "ed25519"),
            ("ed448", "ed448"),
        ];
        for (name, kind) in kinds {
            for which in ["mine", "other"] {
                openssl(
                    &format!(
                        "req -x509 -newkey {kind} -nodes -subj /CN={name} -keyout {name}.{which}.key -out {name}.{which}.pem"
                    ),
                    at,
                );
            }
        }
        openssl("pkey -in rsa.mine.key -traditional -out old.key", at);
        openssl("pkey -in p256.mine.key -traditional -out old-ec.key", at);
        let all: Vec<_> = kinds.iter().map(|(name, _)| (*name, format!("{name}.mine.key"))).collect();
        let older = [("rsa", "old.key".to_owned()), ("p256", "old-ec.key".to_owned())];
        for (name, key) in all.into_iter().chain(older) {
            let (leaf, mine, other) =
                (read(&format!("{name}.mine.pem")), read(&key), read(&format!("{name}.other.key")));
            let wanted = pem(&(leaf.clone() + &mine)).unwrap_or_else(|why| panic!("{key}: {why}"));
            if name == "ed448" {
                continue; // Of a kind that cannot be looked at, so the first is believed.
            }
            for two in [leaf.clone() + &mine + &other, leaf.clone() + &other + &mine] {
                assert_eq!(pem(&two).as_ref(), Ok(&wanted), "{key}");
            }
            let said = pem(&(leaf + &other)).unwrap_err();
            assert!(said.contains("not that of its certificate"), "{key}: {said}");
        }
        // As some certificates write it.
        openssl("pkey -in p256.mine.key -pubout -ec_conv_form compressed -outform DER -out short.der", at);
        let short = std::fs::read(at.join("short.der")).unwrap();
        for (key, fits) in [("p256.mine.key", true), ("p256.other.key", false)] {
            let key = from_pem(&(read("p256.mine.pem") + &read(key))).unwrap().1.remove(0).1;
            assert_eq!((holds_one(&short, &public_halves(&key)), short.len() < 64), (fits, true));
        }
        // The one that was renewed is still there, of the same name.
        for order in [["mine", "other"], ["other", "mine"]] {
            let both: String = order.iter().map(|which| read(&format!("p256.{which}.pem"))).collect();
            let made = pem(&(both + &read("p256.mine.key"))).unwrap();
            assert!(
                made.starts_with(&read("p256.mine.pem")) && made.matches("BEGIN CERT").count() == 2,
                "{order:?}"
            );
        }
        openssl("rsa -aes256 -passout pass:x -in rsa.mine.key -out sealed.key", at);
        assert!(pem(&(read("rsa.mine.pem") + &read("sealed.key"))).unwrap_err().contains("encrypted"));
        openssl("pkcs12 -export -inkey rsa.mine.key -in rsa.mine.pem -passout pass: -out a.pfx", at);
        openssl("base64 -in a.pfx -out wrapped", at);
        assert!(read("wrapped").lines().count() > 2 && pem(&read("wrapped")).is_ok());
        openssl("pkcs12 -export -inkey rsa.mine.key -in rsa.mine.pem -passout pass:word -out b.pfx", at);
        let value = cs_jose::encode_std(std::fs::read(at.join("b.pfx")).unwrap());
        assert!(pem(&value).unwrap_err().contains("without a password"));
    }

    #[test]
    fn what_is_no_certificate_with_a_key_is_said() {
        for (value, why) in [
            ("", "cannot be opened"),
            ("the cake is in the kitchen", "neither PEM nor"),
            ("AAAA", "cannot be opened"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "a certificate cannot be read",
            ),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no private key"),
        ] {
            let said = pem(value).unwrap_err();
            assert!(said.contains(why), "{value}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_value_breaks_the_reader(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = pem(&text);
            let _ = pem(&cs_jose::encode_std(&bytes));
            let _ = pem(&format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", cs_jose::encode_std(&bytes)));
        }
    }
}
