//! Documents of other parties, fetched for callers who may have chosen the address (B17).
//!
//! Whoever writes down an issuer decides where the site connects to. So a name is resolved once and what it resolved to
//! is what is connected to; addresses inside a network are refused unless the operator has named the host; redirects
//! are not followed, plain HTTP is not spoken, proxies from the environment are not asked, certificates are verified,
//! and both time and size are bounded.

mod address;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

pub use address::is_public;

/// A whole fetch takes no longer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A discovery document has a few kilobytes, a list of keys some tens.
const BODY_MAX_BYTES: usize = 256 * 1024;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("'{0}' is not an https address")]
    BadAddress(String),
    #[error("'{0}' is inside a network that the site does not reach into; the operator can allow the host")]
    Private(String),
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer is larger than 256 KiB")]
    TooLarge,
    #[error("it cannot be fetched: {0}")]
    Failed(String),
}

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hosts that may be inside a network: the issuer of an own Kubernetes cluster, say.
    pub private_hosts: Vec<String>,
    /// PEM of one more CA to trust, beside the system's.
    pub extra_ca: Option<Vec<u8>>,
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { private_hosts: Vec::new(), extra_ca: None, timeout: TIMEOUT }
    }
}

/// Fetches documents.
pub struct Outbound {
    client: reqwest::Client,
    private_hosts: Arc<[String]>,
}

impl Outbound {
    /// # Errors
    /// [`OutboundError::Failed`] when the CA cannot be read or TLS cannot be prepared.
    pub fn new(settings: Settings) -> Result<Self, OutboundError> {
        let folded = settings.private_hosts.iter().map(|h| h.to_ascii_lowercase());
        let private_hosts: Arc<[String]> = folded.collect();
        let mut builder = reqwest::Client::builder()
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .no_proxy()
            .dns_resolver(Arc::new(Guard { private_hosts: Arc::clone(&private_hosts) }));
        if let Some(pem) = settings.extra_ca {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem).map_err(failed)?);
        }
        Ok(Self { client: builder.build().map_err(failed)?, private_hosts })
    }

    /// The body behind an address.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, OutboundError> {
        let bad = || OutboundError::BadAddress(url.chars().take(200).collect());
        let parsed = reqwest::Url::parse(url).map_err(|_| bad())?;
        if parsed.scheme() != "https" || !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(bad());
        }
        // A literal address never comes by the resolver.
        let host = parsed.host_str().ok_or_else(bad)?;
        let literal = host.trim_matches(['[', ']']).parse().ok();
        if literal.is_some_and(|ip| !is_public(ip) && !is_allowed(&self.private_hosts, host)) {
            return Err(OutboundError::Private(host.to_owned()));
        }
        let mut response = self.client.get(parsed).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(OutboundError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > BODY_MAX_BYTES {
                return Err(OutboundError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn is_allowed(private_hosts: &[String], host: &str) -> bool {
    private_hosts.iter().any(|h| h.eq_ignore_ascii_case(host))
}

/// The error with its causes, a refusal of [`Guard`] among them; the address is the caller's and is not repeated.
fn failed(error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    OutboundError::Failed(text)
}

/// Resolves names once, and hands out only what may be connected to.
struct Guard {
    private_hosts: Arc<[String]>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = is_allowed(&self.private_hosts, name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among public ones is how a name reaches inside.
            if !allowed && found.iter().any(|at| !is_public(at.ip())) {
                return Err(Box::new(OutboundError::Private(name.as_str().to_owned())) as _);
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
