//! TLS towards database servers: their certificates checked, ours made for one role at a time.

use std::sync::Arc;

use cs_database::{Backend, RoleName};
use cs_databases::Server;
use cs_pki::{CLIENT_SECONDS, ClientKey, PkiError};
use cs_time::Timestamp;
use quick_cache::sync::Cache;
use rustls::{
    ClientConfig, RootCertStore,
    client::{ResolvesClientCert, Resumption},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

use crate::{Shared, Unknown};

/// Configurations remembered: one a server and role.
const KEPT: usize = 1024;
/// A certificate is used in its first half only, so that it is good for as long as a handshake may take, in seconds.
const USED_SECONDS: i64 = CLIENT_SECONDS / 2;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("no client certificate: {0}")]
    Unknown(#[from] Unknown),
    #[error("the server's certificate authority cannot be read: {0}")]
    Authority(String),
    #[error("setting up TLS")]
    Tls(#[from] rustls::Error),
}

pub(crate) struct Certificates {
    key: Arc<ClientKey>,
    made: Cache<Name, (Timestamp, Arc<Dial>)>,
}

/// How to reach a server as one role.
pub(crate) struct Dial {
    pub host: String,
    pub port: u16,
    pub name: ServerName<'static>,
    pub as_role: Arc<ClientConfig>,
    /// Without a client certificate: for cancel requests, which prove themselves by their key.
    pub unnamed: Arc<ClientConfig>,
}

/// What a configuration is good for: any change of the server makes another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Name {
    server: String,
    generation: i64,
    role: RoleName,
}

impl Certificates {
    pub fn new() -> Result<Self, PkiError> {
        Ok(Self { key: Arc::new(ClientKey::draw()?), made: Cache::new(KEPT) })
    }

    /// How to speak TLS with this server as this role.
    pub async fn for_role(
        &self,
        server: &Arc<Server>,
        backend: &Backend,
        role: &RoleName,
        shared: &Shared,
    ) -> Result<Arc<Dial>, CertificateError> {
        let now = shared.parts.clock.now();
        let server_key = format!("{}{}", server.tenant, server.id.key());
        let name = Name { server: server_key, generation: server.generation, role: role.clone() };
        if let Some((_, dial)) = self.made.get(&name).filter(|(until, _)| now < *until) {
            return Ok(dial);
        }
        let certified = self.certify(server, role, shared).await?;
        let dial = Arc::new(Dial::new(backend, Some(certified))?);
        self.made.insert(name, (now.plus_seconds(USED_SECONDS), Arc::clone(&dial)));
        Ok(dial)
    }
}

impl Dial {
    /// For cancel requests of sessions that are not ours.
    pub fn without_role(backend: &Backend) -> Result<Self, CertificateError> {
        Self::new(backend, None)
    }

    fn new(backend: &Backend, certified: Option<Arc<CertifiedKey>>) -> Result<Self, CertificateError> {
        let roots = Arc::new(roots(&backend.certificate_authority)?);
        Ok(Self {
            host: backend.host.clone(),
            port: backend.port,
            name: ServerName::try_from(backend.server_name.clone())
                .map_err(|e| CertificateError::Authority(e.to_string()))?,
            as_role: client_config(&roots, certified)?,
            unnamed: client_config(&roots, None)?,
        })
    }
}

impl Certificates {
    /// On the site's own threads: it may have to be asked over the network.
    async fn certify(
        &self,
        server: &Arc<Server>,
        role: &RoleName,
        shared: &Shared,
    ) -> Result<Arc<CertifiedKey>, Unknown> {
        let knowledge = Arc::clone(&shared.parts.knowledge);
        let (server, role, key) = (Arc::clone(server), role.clone(), Arc::clone(&self.key));
        let asked = shared.home.spawn(async move { knowledge.certify(&server, &role, &key).await });
        asked.await.map_err(|stopped| Unknown(stopped.to_string()))?
    }
}

/// Every session is proven by its own certificate, so none is resumed; PostgreSQL resumes none either.
fn client_config(
    roots: &Arc<RootCertStore>,
    certified: Option<Arc<CertifiedKey>>,
) -> Result<Arc<ClientConfig>, CertificateError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match certified {
        Some(certified) => config.with_client_cert_resolver(Arc::new(Always(certified))),
        None => config.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn roots(pem: &str) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| CertificateError::Authority(e.to_string()))?;
        roots.add(certificate).map_err(|e| CertificateError::Authority(e.to_string()))?;
    }
    // Without one, no certificate is good, and the reason would be looked for at the server.
    if roots.is_empty() {
        Err(CertificateError::Authority("it holds no certificate".to_owned()))
    } else {
        Ok(roots)
    }
}

/// The one certificate, whatever issuers the server names.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
