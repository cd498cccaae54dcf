//! Leaves by name: made when first asked for, kept until they grow old.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use cs_names::SiteNames;
use cs_time::{Clock, Timestamp};
use quick_cache::sync::Cache;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{CertificateAuthority, ClientRequest, PkiError, authority::LEAF_DAYS, signed};

/// Leaves kept at once; clients choose the names, so their number is bounded.
const KEPT: usize = 1024;
/// A leaf with less than this left is made anew, in seconds: two days.
const RENEW_BEFORE_SECONDS: i64 = 2 * 86_400;

/// The certificates of a listener.
pub struct Leaves {
    ca: CertificateAuthority,
    names: SiteNames,
    clock: Arc<dyn Clock>,
    key: KeyPair,
    signing: Arc<dyn rustls::sign::SigningKey>,
    made: Cache<String, (Timestamp, Arc<CertifiedKey>)>,
    /// Signs documents, see `signed.rs`.
    documents: Mutex<Option<(Timestamp, CertificateDer<'static>)>>,
}

impl Leaves {
    /// One key for all leaves of the process; it is never kept.
    ///
    /// # Errors
    /// [`PkiError`] when no key can be made.
    pub fn new(ca: CertificateAuthority, names: SiteNames, clock: Arc<dyn Clock>) -> Result<Self, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Make)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der).map_err(PkiError::Tls)?;
        Ok(Self { ca, names, clock, key, signing, made: Cache::new(KEPT), documents: Mutex::default() })
    }

    /// A PKCS#7 SignedData of a text, with the text and the signer's certificate inside, signed by a leaf of the CA
    /// whose name is `metadata.` and the suffix.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn sign_document(&self, content: &[u8]) -> Result<Vec<u8>, PkiError> {
        signed::document(content, &self.document_leaf()?, &self.key)
    }

    fn document_leaf(&self) -> Result<CertificateDer<'static>, PkiError> {
        let now = self.clock.now();
        let mut kept = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, leaf)) = kept.as_ref().filter(|(until, _)| now < *until) {
            return Ok(leaf.clone());
        }
        let below = self.names.subtrees().into_iter().next().unwrap_or_else(|| "localhost".to_owned());
        let leaf = self.ca.document_leaf(format!("metadata.{below}"), &self.key, now)?;
        let until = now.plus_seconds(LEAF_DAYS * 86_400 - RENEW_BEFORE_SECONDS);
        *kept = Some((until, leaf.clone()));
        Ok(leaf)
    }

    /// A leaf for one of the site's names and somebody else's key, PEM, with the CA behind it.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn certify(&self, host: &str, request: &ClientRequest) -> Result<String, PkiError> {
        let leaf = self.ca.leaf_of(host, request.key(), self.clock.now())?;
        Ok(format!("{leaf}{}", self.ca.certificate_pem()))
    }

    /// The leaf for a host: one of ours by its exact name, anything else (and no name) the loopback leaf.
    pub fn for_host(&self, host: Option<&str>) -> Result<Arc<CertifiedKey>, PkiError> {
        let host = host.map(str::to_ascii_lowercase).filter(|h| self.names.route(h).is_some());
        let cached = host.clone().unwrap_or_default();
        let now = self.clock.now();
        if let Some((_, leaf)) = self.made.get(&cached).filter(|(until, _)| now < *until) {
            return Ok(leaf);
        }
        let names = match host {
            Some(host) => vec![host],
            None => ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        };
        let leaf = self.ca.leaf(names, &self.key, now)?;
        let leaf = Arc::new(CertifiedKey::new(vec![leaf, self.ca.certificate()], Arc::clone(&self.signing)));
        let until = now.plus_seconds(LEAF_DAYS * 86_400 - RENEW_BEFORE_SECONDS);
        self.made.insert(cached, (until, Arc::clone(&leaf)));
        Ok(leaf)
    }
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaves({})", self.names.suffix())
    }
}

impl ResolvesServerCert for Leaves {
    /// SNI only picks the certificate; which surface answers is decided by `Host`.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.for_host(hello.server_name())
            .inspect_err(|error| tracing::error!(%error, "a certificate could not be made"))
            .ok()
    }
}

/// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
///
/// # Errors
/// [`PkiError::Tls`].
pub fn server_config(leaves: Arc<Leaves>) -> Result<Arc<ServerConfig>, PkiError> {
    let mut config = bare(leaves)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if let Ok(ticketer) = rustls::crypto::aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(Arc::new(config))
}

/// TLS 1.2 and 1.3 for PostgreSQL's protocol. No session is resumed, as with PostgreSQL itself: whoever connects
/// proves himself anew, and clients ask for no tickets.
///
/// # Errors
/// [`PkiError::Tls`].
pub fn database_server_config(
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, PkiError> {
    let mut config = bare(certificates)?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn bare(certificates: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, PkiError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(PkiError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(certificates))
}
