//! The site over HTTPS.

use std::{path::Path, time::Duration};

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    config::Settings,
    failure::{Attempt, Failure, Kind, chain},
};

/// Nothing a machine waits for takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers are a few kilobytes; a list of subscriptions is the longest.
const ANSWER_MAX_BYTES: usize = 1 << 20;
/// Of the resource manager's machines.
pub const API_VERSION: &str = "2024-07-31-preview";

/// What a resource manager says of its cloud.
pub struct Cloud {
    pub name: String,
    pub authority: String,
    pub audience: String,
    pub site: String,
}

/// The authority that somebody named to trust, PEM text.
pub fn ca_file(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let what = format!("reading --ca-file {}", path.display());
    let bad = |why: String| {
        Failure::new(Kind::Usage, format!("{what}: {why}"))
            .code("AZCM0023")
            .hint("it is the site's ca.pem: certificates in PEM, as whoever runs the site hands it out")
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let read = reqwest::Certificate::from_pem_bundle(text.as_bytes()).map_err(|error| bad(chain(&error)))?;
    if read.is_empty() { Err(bad("it holds no certificate".to_owned())) } else { Ok(Some(text)) }
}

/// A client that trusts the system's roots and one CA more, follows no redirects and takes the configured proxy.
pub fn client(ca: Option<&str>, settings: &Settings) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true);
    if let Some(pem) = ca {
        let all = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .attempt("reading the CA that is kept here")?;
        builder = builder.tls_certs_merge(all);
    }
    if settings.is_direct() {
        builder = builder.no_proxy();
    } else if let Some(url) = settings.proxy() {
        let proxy = reqwest::Proxy::all(url).attempt("using proxy.url of the configuration")?;
        let around = settings.proxy_bypass().join(",");
        builder = builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_string(&around)));
    }
    builder.build().attempt("preparing the connection to the site")
}

/// The proxy on the way to an address, found as [`client`] finds it: by the configuration, else by the environment.
pub fn proxy_to(url: &str, settings: &Settings) -> Option<Intercept> {
    let rules = match settings.proxy() {
        _ if settings.is_direct() => return None,
        Some(proxy) => Matcher::builder().all(proxy).no(settings.proxy_bypass().join(",")).build(),
        None => Matcher::from_env(),
    };
    rules.intercept(&url.parse().ok()?)
}

/// What names the hosts that are reached without the proxy; `None` where there is no proxy at all.
pub fn passed_by(settings: &Settings) -> Option<&'static str> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match settings.proxy() {
        _ if settings.is_direct() => None,
        Some(_) => Some("proxy.bypass"),
        None if ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(set) => {
            Some("NO_PROXY")
        }
        None => None,
    }
}

/// C08: a site is asked over TLS or not at all.
pub fn checked_address(site: &str) -> Result<String, Failure> {
    let site = site.trim().trim_end_matches('/');
    let url = reqwest::Url::parse(site).ok();
    let plain =
        url.as_ref().is_some_and(|u| u.path() == "/" && u.query().is_none() && u.username().is_empty());
    if url.as_ref().is_some_and(|u| u.scheme() == "https" && u.has_host()) && plain {
        return Ok(site.to_owned());
    }
    let why = match url.as_ref().map(reqwest::Url::scheme) {
        Some("https") => "this is no address of a site",
        _ => "a site is reached over https only",
    };
    let failure = Failure::new(Kind::Usage, format!("--site {site}: {why}"));
    Err(failure.code("AZCM0023").hint("it looks like https://management.example.com, without a path"))
}

/// An authority may have a path; a name before the host would only hide whose it is.
fn is_https(address: &str) -> bool {
    let url = reqwest::Url::parse(address).ok();
    url.is_some_and(|u| {
        u.scheme() == "https" && u.has_host() && u.username().is_empty() && u.password().is_none()
    })
}

pub fn unreachable(what: &str, error: &reqwest::Error) -> Failure {
    let text = chain(error);
    let hint = explain(&text).unwrap_or(
        "look at the address, at the clock and at the proxy's settings; `csagent check --site URL --ca-file FILE` tests them",
    );
    Failure::new(Kind::Unreachable, format!("{what}: {text}")).code("AZCM0026").hint(hint)
}

/// What is wrong with a certificate, in words that say what helps.
pub fn explain(text: &str) -> Option<&'static str> {
    let has = |part: &str| text.contains(part);
    if has("UnknownIssuer") || has("self-signed") || has("SelfSigned") {
        return Some(
            "its certificate is signed by nobody we trust: name the site's CA with --ca-file, or something in between breaks TLS open",
        );
    }
    if has("Expired") || has("expired") || has("NotValidYet") {
        return Some("its certificate is not valid at this machine's time: look at the clock first");
    }
    if has("NotValidForName") || has("not valid for name") {
        return Some(
            "its certificate is for another name: the address is wrong, or something in between answers",
        );
    }
    has("certificate").then_some("its certificate is refused")
}

/// A reply's status and JSON (null where it is none).
pub async fn read(what: &str, response: reqwest::Response) -> Result<(StatusCode, Value), Failure> {
    let status = response.status();
    let mut response = response;
    let mut all = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|e| unreachable(what, &e))? {
        all.extend_from_slice(&piece);
        if all.len() > ANSWER_MAX_BYTES {
            return Err(Failure::failed(format!("{what}: the answer is too long")));
        }
    }
    Ok((status, serde_json::from_slice(&all).unwrap_or(Value::Null)))
}

/// Sends a request and reads its JSON; refusals are told in the site's words.
pub async fn call(
    client: &reqwest::Client,
    what: &str,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(|e| unreachable(what, &e))?;
    let (status, value) = read(what, response).await?;
    if status.is_success() {
        return Ok(value);
    }
    Err(refusal(what, status, &value))
}

fn refusal(what: &str, status: StatusCode, value: &Value) -> Failure {
    let said =
        value.pointer("/error/message").or_else(|| value.get("error_description")).and_then(Value::as_str);
    let kind = match status.as_u16() {
        401 | 403 => Kind::Refused,
        // It may do better later, and it may have done what was asked.
        408 | 429 | 500..=599 => Kind::Unreachable,
        _ => Kind::Failed,
    };
    let text = said.map_or_else(|| status.to_string(), |s| s.lines().next().unwrap_or_default().to_owned());
    let failure = Failure::new(kind, format!("{what}: {text}"));
    match kind {
        Kind::Unreachable => failure.code("AZCM0061"),
        _ => failure,
    }
}

/// What cloud a resource manager belongs to.
pub async fn discover(client: &reqwest::Client, site: &str) -> Result<Cloud, Failure> {
    let url = format!("{site}/metadata/endpoints?api-version=2022-09-01");
    let found = call(client, "asking the site for its endpoints", Method::GET, &url, None, None).await;
    let found = found.map_err(|failure| match failure.kind {
        Kind::Unreachable => failure,
        // Nobody needs a right to ask for them.
        _ => Failure::failed(format!("{site} is no resource manager: {}", failure.message))
            .hint("--site is the address of the site's resource manager, as https://management.example.com"),
    })?;
    let text = |pointer: &str| {
        found.pointer(pointer).and_then(Value::as_str).map(|t| t.trim_end_matches('/').to_owned())
    };
    let missing =
        || Failure::failed(format!("{site} is not a resource manager: its endpoints cannot be read"));
    let cloud = Cloud {
        name: text("/name").unwrap_or_default(),
        authority: text("/authentication/loginEndpoint").ok_or_else(missing)?,
        audience: text("/authentication/audiences/0").ok_or_else(missing)?,
        site: text("/resourceManager").ok_or_else(missing)?,
    };
    // C08: what the site names is asked over TLS as well.
    for address in [&cloud.authority, &cloud.site] {
        if !is_https(address) {
            return Err(Failure::failed(format!("{site} names {address}, which is not reached over https")));
        }
    }
    Ok(cloud)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cs_serve::{Limits, Listener, Peer, Protocol, Request, Response, Router, Shutdown};
    use cs_time::{Clock as _, MachineClock};

    use super::*;

    /// A site of the attacker's liking, with a certificate that the agent trusts.
    struct Named(Value);

    #[async_trait::async_trait]
    impl Router for Named {
        async fn answer(&self, _: Request, _: Peer) -> Response {
            cs_serve::json(StatusCode::OK, &self.0)
        }
    }

    async fn discovered(endpoints: Value) -> Result<Cloud, Failure> {
        let names = cs_names::SiteNames::under("s.localhost").unwrap();
        let (ca, pem, _) =
            cs_pki::CertificateAuthority::make("CA", &names.subtrees(), MachineClock.now()).unwrap();
        let leaves = cs_pki::Leaves::new(ca, names, Arc::new(MachineClock)).unwrap();
        let tls = cs_pki::server_config(Arc::new(leaves)).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shutdown = Shutdown::new();
        let router = Arc::new(Named(endpoints));
        Listener::Tcp(listener).serve(Protocol::Https(tls), router, Limits::default(), &shutdown);
        let client = client(Some(&pem), &Settings::default()).unwrap();
        discover(&client, &format!("https://localhost:{port}")).await
    }

    #[tokio::test]
    async fn c08_a_site_that_names_plain_http_endpoints_is_refused() {
        let endpoints = |login: &str, manager: &str| {
            serde_json::json!({"name": "S", "resourceManager": manager,
                "authentication": {"loginEndpoint": login, "audiences": ["https://a"]}})
        };
        let good = discovered(endpoints("https://login.s/adfs/", "https://management.s/")).await.unwrap();
        assert_eq!(
            (good.authority.as_str(), good.site.as_str()),
            ("https://login.s/adfs", "https://management.s")
        );
        for (login, manager) in [
            ("http://login.s/", "https://management.s/"),
            ("https://login.s/", "http://management.s/"),
            ("HTTP://login.s/adfs", "https://management.s"),
            ("login.s", "https://management.s"),
            ("https://", "https://management.s"),
            ("https://login.s@evil.example", "https://management.s"),
            ("https://login.s", "file:///etc/passwd"),
        ] {
            let refused = discovered(endpoints(login, manager)).await;
            let why = refused.err().map(|f| f.message).unwrap_or_default();
            assert!(why.contains("not reached over https"), "{login} {manager}: {why}");
        }
    }

    #[test]
    fn c08_a_plain_http_site_is_refused() {
        for bad in
            ["http://management.s.example", "management.s.example", "https://", "ftp://a", "https://a/b?c"]
        {
            assert_eq!(checked_address(bad).unwrap_err().kind, Kind::Usage, "{bad}");
        }
        assert_eq!(checked_address("https://management.s.example/").unwrap(), "https://management.s.example");
        assert_eq!(checked_address("https://m.localhost:8443").unwrap(), "https://m.localhost:8443");
    }

    #[test]
    fn what_may_have_been_done_is_not_called_refused() {
        let kind = |status| refusal("x", StatusCode::from_u16(status).unwrap(), &Value::Null).kind;
        assert_eq!((kind(403), kind(409), kind(503)), (Kind::Refused, Kind::Failed, Kind::Unreachable));
    }
}
