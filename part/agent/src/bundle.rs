//! From what a vault keeps (PKCS#12 in base64, or PEM) to one PEM text: the leaf, the certificates above it in their
//! order, the root if it is there, the private key last.

use p12_keystore::{Certificate, KeyStore, Pkcs12ImportPolicy};
use rustls_pki_types::{
    PrivateKeyDer,
    pem::{PemObject, SectionKind},
};

pub fn pem(value: &str) -> Result<String, String> {
    let (certificates, (label, key)) = match value.contains("-----BEGIN ") {
        true => from_pem(value)?,
        false => from_pfx(value)?,
    };
    let mut text: String =
        ordered(certificates)?.iter().map(|c| armoured("CERTIFICATE", c.as_der())).collect();
    text.push_str(&armoured(label, &key));
    Ok(text)
}

type Found = (Vec<Certificate>, (&'static str, Vec<u8>));

fn from_pfx(value: &str) -> Result<Found, String> {
    let bytes = cs_jose::decode_any(value.trim()).ok_or("it is neither PEM nor PKCS#12 in base64")?;
    let store = KeyStore::from_pkcs12(&bytes, "", Pkcs12ImportPolicy::Relaxed)
        .map_err(|e| format!("the PKCS#12 cannot be opened: {e}"))?;
    let (_, chain) = store.private_key_chain().ok_or("the PKCS#12 holds no private key")?;
    Ok((chain.certs().to_vec(), ("PRIVATE KEY", chain.key().as_der().to_vec())))
}

fn from_pem(value: &str) -> Result<Found, String> {
    let (mut certificates, mut key) = (Vec::new(), None);
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(value.as_bytes()) {
        let (kind, der) = section.map_err(|e| format!("the PEM cannot be read: {e}"))?;
        match kind {
            SectionKind::Certificate => {
                let read =
                    Certificate::from_der(&der).map_err(|e| format!("a certificate cannot be read: {e}"))?;
                certificates.push(read);
            }
            SectionKind::PrivateKey => key = Some(("PRIVATE KEY", der)),
            SectionKind::RsaPrivateKey => key = Some(("RSA PRIVATE KEY", der)),
            SectionKind::EcPrivateKey => key = Some(("EC PRIVATE KEY", der)),
            _ => {}
        }
    }
    let key = key.ok_or("it holds no private key")?;
    PrivateKeyDer::try_from(key.1.clone()).map_err(|e| format!("the private key cannot be read: {e}"))?;
    Ok((certificates, key))
}

/// The leaf is the one that has issued none of the others; each is followed by its issuer, and what belongs to nobody
/// stands where it stood, before the root.
fn ordered(mut left: Vec<Certificate>) -> Result<Vec<Certificate>, String> {
    let is_root = |c: &Certificate| c.subject() == c.issuer();
    let issued = |by: &Certificate, all: &[Certificate]| {
        all.iter().any(|c| c.issuer() == by.subject() && c.as_der() != by.as_der())
    };
    if left.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    let leaf = (0..left.len()).find(|&at| !issued(&left[at], &left)).unwrap_or(0);
    let mut chain = vec![left.remove(leaf)];
    while let Some(at) = chain
        .last()
        .filter(|last| !is_root(last))
        .and_then(|last| left.iter().position(|c| c.subject() == last.issuer()))
    {
        chain.push(left.remove(at));
    }
    let root = chain.pop_if(|last| is_root(last) && !left.is_empty());
    chain.extend(left);
    chain.extend(root);
    Ok(chain)
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
