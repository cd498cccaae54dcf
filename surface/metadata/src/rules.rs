//! What a request must and must not carry: loopback services are asked by browsers and proxies too.

use cs_serve::{Response, single};
use cs_time::Chance;
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};

use crate::{Service, failure, siblings, token::Refusal};

const METADATA: HeaderName = HeaderName::from_static(cs_wire_metadata::METADATA);
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Hosts a request may name (A05); IMDS has its own address beside loopback.
const HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "169.254.169.254"];

/// What becomes of requests with `Forwarded`, `Via` or `X-Real-IP`, which the original takes (A04). IMDS takes them always,
/// and `X-Forwarded-For` is taken nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeaders {
    #[default]
    Refused,
    /// For hosts where something on the way to loopback adds them, a filter or an inspecting client.
    Accepted,
}

/// Traces of a proxy, beside `X-Forwarded-For` (A04).
fn is_of_a_proxy(name: &HeaderName) -> bool {
    matches!(name.as_str(), "forwarded" | "via" | "x-real-ip")
}

/// Traces of a browser (A06). `Sec-Fetch-Mode` is none by itself: Node's own `fetch` sends it, and msal-node asks with
/// that; a browser sends `Sec-Fetch-Site` and `Sec-Fetch-Dest` with every request beside it (Fetch Metadata, section 3).
fn is_of_a_browser(name: &HeaderName) -> bool {
    matches!(name.as_str(), "origin" | "sec-fetch-site" | "sec-fetch-dest" | "referer")
}

/// Which path a rule is broken on: the error bodies differ.
#[derive(Clone, Copy)]
pub(crate) enum Part<'r> {
    Identity,
    /// With what the id comes from that its errors name.
    AppService(&'r HeaderMap, &'r dyn Chance),
    CloudShell,
    Other,
}

pub(crate) fn refuse(part: Part<'_>, status: StatusCode, error: &'static str, text: &str) -> Response {
    match part {
        Part::Identity => failure::identity(status, error, text),
        Part::AppService(headers, chance) => {
            let correlation = cs_serve::correlation(headers).unwrap_or_else(|| chance.uuid().into());
            siblings::app_service_error(&Refusal::new(status, error, text), correlation)
        }
        Part::CloudShell => siblings::cloud_shell_error(&Refusal::new(status, error, text)),
        Part::Other => failure::plain(status, text),
    }
}

/// `Metadata: true`, in any case. Its absence is a 400 that clients take as "somebody is there".
pub(crate) fn metadata_header(service: Service, part: Part<'_>, headers: &HeaderMap) -> Result<(), Response> {
    let sent = single(headers, METADATA).ok().flatten();
    if sent.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return Ok(());
    }
    Err(match (service, part) {
        (_, Part::CloudShell) => {
            refuse(part, StatusCode::BAD_REQUEST, "invalid_request", "Required metadata header not specified")
        }
        (Service::Imds, Part::Other) => {
            failure::plain(StatusCode::BAD_REQUEST, "Bad request. Required metadata header not specified")
        }
        _ => failure::identity(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Required metadata header not specified",
        ),
    })
}

/// No request that was forwarded, comes from a page, or was meant for another host.
pub(crate) fn no_strangers(
    (service, proxies): (Service, ProxyHeaders),
    part: Part<'_>,
    request: &Parts,
    more_hosts: &[String],
) -> Result<(), Response> {
    let headers = &request.headers;
    if headers.contains_key(X_FORWARDED_FOR) {
        tracing::warn!(service = ?service, "a forwarded request was refused");
        let status = if service == Service::Imds { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
        return Err(refuse(part, status, "forbidden", "Forwarded requests are not served"));
    }
    // RFC 9112 3.2. HTTP/1.0 knows no Host: an old tool on this machine; a browser always sends one.
    let unnamed = request.uri.authority().is_none() && !headers.contains_key(header::HOST);
    if unnamed && request.version != http::Version::HTTP_10 {
        return Err(refuse(part, StatusCode::BAD_REQUEST, "invalid_request", "The request names no host"));
    }
    if !host_is_ours(request, more_hosts) {
        tracing::warn!(service = ?service, "a request for another host was refused");
        return Err(refuse(part, StatusCode::FORBIDDEN, "forbidden", "This host name is not served here"));
    }
    let no_proxies = service != Service::Imds && proxies == ProxyHeaders::Refused;
    let is_trace = |name| is_of_a_browser(name) || no_proxies && is_of_a_proxy(name);
    if headers.keys().any(is_trace) {
        return Err(refuse(
            part,
            StatusCode::FORBIDDEN,
            "forbidden",
            "Requests of browsers and proxies are not served",
        ));
    }
    Ok(())
}

fn host_is_ours(request: &Parts, more: &[String]) -> bool {
    let Ok(sent) = single(&request.headers, header::HOST) else { return false };
    let authority = match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => sent,
    };
    let Some(authority) = authority else { return true };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    };
    let more = more.iter().map(String::as_str);
    HOSTS.into_iter().chain(more).any(|ours| host.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_ours(host: &str) -> Option<bool> {
        let request = http::Request::get("/").header("Host", host).body(()).ok()?;
        Some(host_is_ours(&request.into_parts().0, &["10.88.0.1".to_owned()]))
    }

    proptest! {
        /// A05: whatever surrounds our names, only they with a port are ours.
        #[test]
        fn a05_no_other_host_passes(before in "[a-z0-9.@-]{0,8}", after in "[a-z0-9.@:/-]{0,8}") {
            for ours in HOSTS.into_iter().chain(["10.88.0.1"]) {
                let host = format!("{before}{ours}{after}");
                let with_port = before.is_empty()
                    && (after.is_empty() || after.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit())));
                let doubled = HOSTS.contains(&host.as_str());
                prop_assert_eq!(is_ours(&host).unwrap_or(false), with_port || doubled, "{}", host);
            }
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let request = http::Request::get("/").header("Host", value).body(()).unwrap();
                let _ = host_is_ours(&request.into_parts().0, &[]);
            }
        }
    }
}
