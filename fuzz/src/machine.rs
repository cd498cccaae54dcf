//! What comes to a machine's own services, and requests for certificates.

use cs_pki::ClientRequest;
use cs_sandbox::{Zone, dns};
use cs_wire_metadata::is_nonce;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "certificate_request",
        run: |bytes| text(bytes, |text| drop(ClientRequest::read(text, "app"))),
        seeds: &[b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"],
    },
    Target {
        name: "certificate_request_der",
        run: certificate_request_der,
        seeds: &[b"0\x00", b"0\x82\x01\x00\x30\x10\x02\x01\x00"],
    },
    Target {
        name: "dns",
        run: question,
        seeds: &[
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05login\x04site\x00\x00\x01\x00\x01",
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x04site\x00\x00\x1c\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00",
        ],
    },
    Target { name: "nonce", run: |bytes| text(bytes, |text| {
            is_nonce(text);
        }), seeds: &[b"1234567890", b"a b"] },
];

/// Past the armour, which a mutated request seldom survives.
fn certificate_request_der(bytes: &[u8]) {
    let lines: Vec<String> = cs_jose::encode_std(bytes)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        lines.join("\n")
    );
    drop(ClientRequest::read(&pem, "app"));
}

/// An answer is for the question, fits a datagram, and names nothing outside of the zone.
fn question(bytes: &[u8]) {
    let zone = Zone::new().under("site");
    if let Some(answer) = dns::answer(bytes, &zone) {
        assert!(answer.len() <= 4096, "{}", answer.len());
        assert_eq!(answer.get(..2), bytes.get(..2));
    }
}
