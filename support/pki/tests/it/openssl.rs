//! Certificates as an independent reader sees them: the `openssl` program.

use std::{io::Write, path::Path, process::Command, sync::Arc};

use cs_names::SiteNames;
use cs_pki::{CertificateAuthority, Leaves};
use cs_time::{Clock, FakeClock, MachineClock};

fn pem(der: &[u8], path: &Path) {
    let mut child = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-out"])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(der).unwrap();
    assert!(child.wait().unwrap().success());
}

fn verify(ca: &Path, leaf: &Path, host: &str) -> (bool, String) {
    let out = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile"])
        .args([ca, leaf])
        .output()
        .unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn leaves_verify_for_their_name_only_and_the_ca_is_constrained() {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(MachineClock);
    let names = SiteNames::under("countersign.localhost").unwrap();
    let (ca, ca_pem, key_pem) =
        CertificateAuthority::make("Countersign test", &names.subtrees(), clock.now()).unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, &ca_pem).unwrap();
    let leaves = Leaves::new(ca, names, Arc::clone(&clock)).unwrap();
    for host in [
        "login.countersign.localhost",
        "kv.vault.countersign.localhost",
        "sa.blob.core.countersign.localhost",
    ] {
        let file = dir.path().join("leaf.pem");
        pem(&leaves.for_host(Some(host)).unwrap().cert[0], &file);
        let (good, text) = verify(&ca_file, &file, host);
        assert!(good, "{host}: {text}");
        assert!(!verify(&ca_file, &file, "graph.countersign.localhost").0);
    }
    // The same CA under other names: the constraint makes its leaves worthless there.
    let elsewhere = SiteNames::under("bank.example").unwrap();
    let stolen =
        Leaves::new(CertificateAuthority::load(&ca_pem, &key_pem).unwrap(), elsewhere, clock).unwrap();
    let file = dir.path().join("stolen.pem");
    pem(&stolen.for_host(Some("login.bank.example")).unwrap().cert[0], &file);
    let (good, text) = verify(&ca_file, &file, "login.bank.example");
    assert!(!good && text.contains("subtree"), "{text}");
}

#[test]
fn leaves_are_kept_and_renewed_and_strangers_get_the_loopback_leaf() {
    let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
    let names = SiteNames::under("s.example").unwrap();
    let (ca, ..) = CertificateAuthority::make("test", &names.subtrees(), clock.now()).unwrap();
    let leaves = Leaves::new(ca, names, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let leaf = || leaves.for_host(Some("LOGIN.s.example")).unwrap().cert[0].clone();
    let first = leaf();
    clock.advance(4 * 86_400);
    assert_eq!(leaf(), first);
    clock.advance(86_401);
    assert_ne!(leaf(), first);
    let local = leaves.for_host(None).unwrap().cert[0].clone();
    assert_eq!(leaves.for_host(Some("evil.example")).unwrap().cert[0], local);
}
