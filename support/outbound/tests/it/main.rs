//! Against a server on loopback, which is as private as an address can be.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

use std::{sync::Arc, time::Duration};

use cs_outbound::{Outbound, OutboundError, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A TLS server for `localhost` that answers every request with the bytes given, and its CA in PEM.
async fn server(answer: Vec<u8>) -> (u16, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let private = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
                // Open until the client goes: whoever waits for more waits.
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    (port, certificate.pem().into_bytes())
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn outbound(private: &[&str], ca: Vec<u8>) -> Outbound {
    let private_hosts = private.iter().map(|h| (*h).to_owned()).collect();
    Outbound::new(Settings { private_hosts, extra_ca: Some(ca), timeout: Duration::from_secs(5) }).unwrap()
}

#[tokio::test]
async fn b17_hosts_inside_a_network_are_reached_only_where_allowed() {
    let (port, ca) = server(ok("{}")).await;
    let nobody = outbound(&[], ca.clone());
    let by_name = nobody.get(&format!("https://localhost:{port}/x")).await.unwrap_err();
    assert!(by_name.to_string().contains("inside a network"), "{by_name}");
    for literal in ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "169.254.169.254"] {
        let refused = nobody.get(&format!("https://{literal}:{port}/x")).await;
        assert!(matches!(refused, Err(OutboundError::Private(_))), "{literal}: {refused:?}");
    }
    let allowed = outbound(&["LOCALHOST"], ca);
    assert_eq!(allowed.get(&format!("https://localhost:{port}/x")).await.unwrap(), b"{}");
    let other = allowed.get(&format!("https://127.0.0.1:{port}/x")).await;
    assert!(matches!(other, Err(OutboundError::Private(_))), "the name is allowed, not what it resolves to");
}

#[tokio::test]
async fn b17_redirects_plain_http_and_unknown_certificates_lead_nowhere() {
    let target = ok("secret of the inside");
    let (inside, ca) = server(target).await;
    let away =
        format!("HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (port, other_ca) = server(away.into_bytes()).await;
    let followed = outbound(&["localhost"], other_ca).get(&format!("https://localhost:{port}/")).await;
    assert!(matches!(followed, Err(OutboundError::Status(302))), "{followed:?}");
    let client = outbound(&["localhost"], ca);
    for bad in [
        format!("http://localhost:{inside}/"),
        format!("ftp://localhost:{inside}/"),
        format!("https://user:pass@localhost:{inside}/"),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        assert!(matches!(client.get(&bad).await, Err(OutboundError::BadAddress(_))), "{bad}");
    }
    let untrusted = client.get(&format!("https://localhost:{port}/")).await;
    assert!(matches!(untrusted, Err(OutboundError::Failed(_))), "{untrusted:?}");
}

#[tokio::test]
async fn b17_size_and_time_are_bounded() {
    let (port, ca) = server(ok(&"x".repeat(300 * 1024))).await;
    let large = outbound(&["localhost"], ca).get(&format!("https://localhost:{port}/")).await;
    assert!(matches!(large, Err(OutboundError::TooLarge)), "{large:?}");
    // It promises more than it ever sends.
    let (port, ca) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec()).await;
    let settings = Settings {
        private_hosts: vec!["localhost".to_owned()],
        extra_ca: Some(ca),
        timeout: Duration::from_millis(300),
    };
    let silent = Outbound::new(settings).unwrap().get(&format!("https://localhost:{port}/")).await;
    assert!(matches!(silent, Err(OutboundError::Failed(_))), "{silent:?}");
}
