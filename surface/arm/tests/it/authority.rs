//! A certificate authority, as an operator gives it for a database server.

use std::sync::LazyLock;

/// Its certificate, PEM.
pub static AUTHORITY: LazyLock<String> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(vec!["db1.lan".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
});
