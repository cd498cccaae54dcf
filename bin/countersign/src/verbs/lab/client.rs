//! The lab's HTTP client: trusts the site's CA, finds the site's names on loopback, and nothing else.

use std::{net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::call::{Answer, Call};
use crate::{
    failure::{Attempt, Failure, Kind},
    site::ready::Ready,
};

pub struct Client(reqwest::Client);

/// Names at and below the suffix are on this host.
struct OnLoopback(String);

impl Resolve for OnLoopback {
    fn resolve(&self, name: Name) -> Resolving {
        let ours = name.as_str().ends_with(&self.0);
        Box::pin(async move {
            if !ours {
                return Err("not a name of this site".into());
            }
            let here: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
            Ok(here)
        })
    }
}

impl Client {
    pub fn new(ready: &Ready) -> Result<Self, Failure> {
        let pem = std::fs::read(&ready.ca_file).attempt("reading the site's certificate authority")?;
        let ca = reqwest::Certificate::from_pem(&pem).attempt("reading the site's certificate authority")?;
        let client = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(OnLoopback(format!(".{}", ready.suffix))))
            .build()
            .attempt("preparing the lab's client")?;
        Ok(Self(client))
    }

    pub async fn send(&self, call: Call) -> Result<Answer, Failure> {
        let mut request = self.0.request(call.method.clone(), &call.url).body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let unreachable = |error: reqwest::Error| {
            Failure::new(
                Kind::Unreachable,
                format!("asking {}: {error}: {:?}", call.url, std::error::Error::source(&error)),
            )
        };
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(unreachable)?.to_vec();
        Ok(call.answered(status, headers, body))
    }
}
