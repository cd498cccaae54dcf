//! Whole handshakes in memory: a rustls client that trusts only the private CA.

use std::sync::Arc;

use cs_names::SiteNames;
use cs_pki::{CertificateAuthority, Leaves, server_config};
use cs_time::{Clock, MachineClock};
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, ProtocolVersion, RootCertStore, ServerConfig,
    ServerConnection, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

struct Site {
    config: Arc<ServerConfig>,
    roots: Arc<RootCertStore>,
}

/// A CA for `trusted`, serving the names of `served`.
fn site(trusted: &str, served: &str) -> Site {
    let (trusted, served) = (SiteNames::under(trusted).unwrap(), SiteNames::under(served).unwrap());
    let (ca, pem, _) = CertificateAuthority::make("test", &trusted.subtrees(), MachineClock.now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let leaves = Leaves::new(ca, served, Arc::new(MachineClock) as Arc<dyn Clock>).unwrap();
    Site { config: server_config(Arc::new(leaves)).unwrap(), roots: Arc::new(roots) }
}

impl Site {
    fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Shakes hands with a client that wants `host`; answers what was agreed on.
    fn greets(&self, config: &Arc<ClientConfig>, host: &str) -> Result<ClientConnection, Error> {
        let name = host.to_owned().try_into().unwrap();
        let mut client = Connection::Client(ClientConnection::new(Arc::clone(config), name)?);
        let mut server = Connection::Server(ServerConnection::new(Arc::clone(&self.config))?);
        while client.wants_write() || server.wants_write() {
            pass(&mut client, &mut server)?;
            pass(&mut server, &mut client)?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        match client {
            Connection::Client(client) => Ok(client),
            Connection::Server(_) => unreachable!(),
        }
    }
}

fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn both_versions_agree_on_http2_for_every_kind_of_name() {
    let site = site("s.example", "s.example");
    for (version, agreed) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let config = site.client(&[version]);
        for host in [
            "login.s.example",
            "kv-1.vault.s.example",
            "acct.blob.core.s.example",
            "localhost",
            "127.0.0.1",
            "::1",
        ] {
            let client = site.greets(&config, host).unwrap_or_else(|e| panic!("{host}: {e}"));
            assert_eq!(client.protocol_version(), Some(agreed));
            assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
        }
    }
}

#[test]
fn a_second_connection_resumes_the_first() {
    let site = site("s.example", "s.example");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = site.client(&[version]);
        let kind = |client: ClientConnection| client.handshake_kind().unwrap();
        assert_eq!(kind(site.greets(&config, "login.s.example").unwrap()), rustls::HandshakeKind::Full);
        assert_eq!(kind(site.greets(&config, "login.s.example").unwrap()), rustls::HandshakeKind::Resumed);
    }
}

#[test]
fn names_that_are_not_ours_do_not_verify() {
    let site = site("s.example", "s.example");
    let config = site.client(&[&rustls::version::TLS13]);
    for host in ["login.evil.example", "s.example.evil", "a.b.vault.s.example", "10.0.0.1"] {
        let refused = site.greets(&config, host);
        assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{host}");
    }
}

#[test]
fn a_leaf_outside_the_constraint_does_not_verify() {
    let stolen = site("s.example", "bank.example");
    let config = stolen.client(&[&rustls::version::TLS13]);
    let refused = stolen.greets(&config, "login.bank.example").unwrap_err();
    assert!(format!("{refused:?}").contains("NameConstraintViolation"), "{refused:?}");
}
