//! The gateway's own TLS certificate: signed by the site's CA for the server's name, or from the operator's files.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use cs_pki::ClientKey;
use cs_wire_arm::GatewayQuestion;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::client::SiteClient;
use crate::failure::{Attempt, Failure};

/// The site's leaves live for a week.
const RENEW_EVERY: Duration = Duration::from_secs(86_400);
/// Files are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(60);

/// Certificates (PEM, the leaf first) and the key.
pub struct OwnFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub struct ServerTls {
    files: Option<OwnFiles>,
    /// For certificates of the site's: drawn for this process, never kept.
    key: ClientKey,
    now: RwLock<Arc<CertifiedKey>>,
}

impl ServerTls {
    pub async fn open(files: Option<OwnFiles>, host: &str, site: &SiteClient) -> Result<Self, Failure> {
        let key = ClientKey::draw().attempt("making a key")?;
        let first = match &files {
            Some(files) => files.load()?,
            None => signed(&key, host, site).await?,
        };
        Ok(Self { files, key, now: RwLock::new(first) })
    }

    /// Follows the files, or has the site sign anew, for ever.
    pub async fn renew(&self, host: &str, site: &SiteClient) {
        let mut seen = self.files.as_ref().map(OwnFiles::changed);
        loop {
            tokio::time::sleep(if self.files.is_some() { LOOK_EVERY } else { RENEW_EVERY }).await;
            let renewed = match &self.files {
                Some(files) if seen == Some(files.changed()) => continue,
                Some(files) => {
                    seen = Some(files.changed());
                    files.load()
                }
                None => self.signed_at_last(host, site).await,
            };
            match renewed {
                Ok(new) => *self.now.write().unwrap_or_else(PoisonError::into_inner) = new,
                Err(failure) => tracing::error!(cause = failure.message, "the certificate stays as it was"),
            }
        }
    }

    async fn signed_at_last(&self, host: &str, site: &SiteClient) -> Result<Arc<CertifiedKey>, Failure> {
        loop {
            match signed(&self.key, host, site).await {
                Ok(new) => return Ok(new),
                Err(failure) => tracing::warn!(cause = failure.message, "the site signed no certificate"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn signed(key: &ClientKey, host: &str, site: &SiteClient) -> Result<Arc<CertifiedKey>, Failure> {
    let question = GatewayQuestion {
        known: String::new(),
        wait_milliseconds: 0,
        principals: Vec::new(),
        certificate_request: Some(key.request(host).attempt("asking for a certificate")?),
    };
    let reply = site.state(&question).await?;
    let pem = reply.certificate.ok_or_else(|| {
        Failure::failed("the site signed no certificate")
            .hint("give one with --tls-certificate and --tls-key")
    })?;
    key.with(&pem).attempt("reading the site's certificate")
}

impl OwnFiles {
    fn load(&self) -> Result<Arc<CertifiedKey>, Failure> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.certificate)
            .attempt(format_args!("reading {certificate}"))?
            .collect();
        let chain = chain.attempt(format_args!("reading {certificate}"))?;
        let private = PrivateKeyDer::from_pem_file(&self.key).attempt(format_args!("reading {key}"))?;
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private)
            .attempt(format_args!("using {key}"))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().attempt(format_args!("{certificate} and {key} are no pair"))?;
        Ok(Arc::new(certified))
    }

    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|file| file.metadata().and_then(|m| m.modified()).ok())
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ResolvesServerCert for ServerTls {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
