//! What decides: ids, tokens, patterns, conditions, times.

use cs_database::{RoleName, ServerSettings};
use cs_ids::{ResourceId, Scope};
use cs_jose::{Federation, Jwk, Jws, PublicKey, RsaKey, decode_any, decode_url, encode_url, strict_object};
use cs_names::SiteNames;
use cs_rbac::{Condition, NO_ATTRIBUTES, Pattern};
use cs_time::Timestamp;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "resource_id",
        run: |bytes| text(bytes, resource_id),
        seeds: &[
            b"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/a/b/c",
            b"/Subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/x",
            b"/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Authorization/roleDefinitions/r",
        ],
    },
    Target {
        name: "scope",
        run: |bytes| text(bytes, scope),
        seeds: &[b"/", b"/providers/Microsoft.Management/managementGroups/m", b"/subscriptions/s/resourceGroups/g/"],
    },
    Target {
        name: "jws",
        run: |bytes| text(bytes, jws),
        seeds: &[
            b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJ4IiwiZXhwIjoxfQ.AAAA",
            b"eyJhbGciOiJub25lIn0.e30.",
        ],
    },
    Target { name: "base64", run: base64, seeds: &[b"AQID", b"-_-_", b"AQID+/==", b"AQ"] },
    Target {
        name: "json_object",
        run: json_object,
        seeds: &[b"{\"a\":{\"b\":[1,null,true,\"x\\u0000\"]},\"c\":1e9}", b"{\"a\":1,\"a\":2}"],
    },
    Target {
        name: "jwk",
        run: jwk,
        seeds: &[
            b"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"x\"}",
            b"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        ],
    },
    Target { name: "private_key", run: private_key, seeds: &[b"0\x82\x01\x00\x02\x01\x00", b"\x30\x03\x02\x01\x00"] },
    Target {
        name: "federation",
        run: |bytes| text(bytes, federation),
        seeds: &[b"https://token.actions.example\nrepo:a/b:ref\napi://AzureADTokenExchange", b"http://x\n\n"],
    },
    Target {
        name: "condition",
        run: |bytes| text(bytes, condition),
        seeds: &[
            b"((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'x'))",
            b"@Request[subOperation] ForAnyOfAnyValues:StringLike {'a*', 'b'} AND NOT Exists @Principal[x]",
            b"@Environment[UtcNow] DateTimeGreaterThan '2026-01-01T00:00:00Z'",
        ],
    },
    Target {
        name: "action_pattern",
        run: |bytes| text(bytes, action_pattern),
        seeds: &[b"Microsoft.Compute/*/read\nMicrosoft.Compute/virtualMachines/read", b"*\na", b"*/a*/b\nx/ay/b"],
    },
    Target {
        name: "time",
        run: |bytes| text(bytes, time),
        seeds: &[b"Thu, 01 Jan 2026 00:00:00 GMT", b"2026-01-01T00:00:00.1234567Z", b"9999-12-31T23:59:59+14:00"],
    },
    Target {
        name: "database_role",
        run: |bytes| text(bytes, |text| drop(RoleName::parse(text))),
        seeds: &[b"lab-machine", b"pg_x", "\u{fc}".as_bytes()],
    },
    Target {
        name: "server_settings",
        run: server_settings,
        seeds: &[
            b"{\"backend\":{\"host\":\"db.lan\",\"port\":5432,\"certificateAuthority\":\"-----BEGIN CERTIFICATE-----\"},\"sessions\":{\"idleSeconds\":60,\"followToken\":true}}",
        ],
    },
    Target {
        name: "site_names",
        run: |bytes| text(bytes, site_names),
        seeds: &[b"site.example\nv.vault.site.example", b"a\nlogin.a:443", b"x.y.\nA.BLOB.X.Y."],
    },
];

/// What is shown is read back as the same, in whatever case.
fn resource_id(text: &str) {
    let Ok(id) = ResourceId::parse(text) else { return };
    let again = ResourceId::parse(id.as_str()).expect("canonical");
    assert_eq!((again.as_str(), again.key()), (id.as_str(), id.key()));
    let shouted = ResourceId::parse(&text.to_ascii_uppercase()).expect("in any case");
    assert_eq!(shouted.key(), id.key());
    if let Some(parent) = id.parent() {
        assert!(parent.scope().contains(id.scope()) && !id.scope().contains(parent.scope()));
    }
}

fn scope(text: &str) {
    let Ok(scope) = Scope::parse(text) else { return };
    let again = Scope::parse(scope.as_str()).expect("canonical");
    assert_eq!(again.key(), scope.key());
    assert!(Scope::root().contains(&scope) && scope.contains(&scope));
    // A name that begins with ours is no part of us.
    if let Ok(longer) = Scope::parse(&format!("{}x", scope.as_str())) {
        assert!(scope.key() == "/" || !scope.contains(&longer));
    }
}

fn jws(text: &str) {
    let Ok(jws) = Jws::split(text) else { return };
    assert_eq!(text.split('.').count(), 3);
    let key = PublicKey::p256(&[1; 32], &[2; 32]).or_else(|| PublicKey::rsa(&[0xc5; 256], &[1, 0, 1]));
    assert!(!key.is_some_and(|key| jws.verifies(&key)));
}

fn base64(bytes: &[u8]) {
    assert_eq!(decode_url(encode_url(bytes)).as_deref(), Some(bytes));
    let Some(raw) = decode_url(bytes) else { return };
    // One spelling for each value, but for the padding that some clients send.
    let unpadded = bytes.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    assert_eq!(encode_url(&raw).as_bytes(), &bytes[..unpadded]);
    text(bytes, |text| assert_eq!(decode_any(text), Some(raw)));
}

fn json_object(bytes: &[u8]) {
    let Some(object) = strict_object(bytes) else { return };
    let written = serde_json::to_vec(&object).expect("JSON");
    assert_eq!(strict_object(&written).map(|o| o.len()), Some(object.len()));
}

fn jwk(bytes: &[u8]) {
    let Ok(jwk) = serde_json::from_slice::<Jwk>(bytes) else { return };
    assert!(!jwk.thumbprint().is_empty());
    drop(jwk.public_key());
}

fn private_key(bytes: &[u8]) {
    drop(RsaKey::from_pkcs8(bytes));
    drop(RsaKey::from_pkcs1(bytes));
    drop(cs_jose::MachineKey::from_pkcs8(bytes));
}

fn federation(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (issuer, subject, audience) = (next(), next(), next());
    drop(Federation::new(issuer, subject, vec![audience.to_owned()]));
    drop(Federation::check_name(text));
}

fn condition(text: &str) {
    let Ok(condition) = Condition::parse(text) else { return };
    assert_eq!(condition.text(), text);
    let operation = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    assert_eq!(condition.holds(operation, &NO_ATTRIBUTES), condition.holds(operation, &NO_ATTRIBUTES));
}

fn action_pattern(text: &str) {
    let (pattern, action) = text.split_once('\n').unwrap_or((text, text));
    let Ok(read) = Pattern::parse(pattern) else { return };
    if pattern.matches("/*").count() > COLLAPSES_MAX || action.len() > ACTION_MAX_BYTES {
        let _ = read.matches(action);
        return;
    }
    assert_eq!(
        read.matches(action),
        collapsing(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase(), 0)
    );
}

/// Each doubles the work of the plain way.
const COLLAPSES_MAX: usize = 6;
/// The plain way takes this times the pattern's length, so often: with the engine's longest inputs, seconds.
const ACTION_MAX_BYTES: usize = 512;

/// `a/*/b` also stands for `a/b`, at every such place.
fn collapsing(pattern: &str, action: &str, from: usize) -> bool {
    match pattern[from..].find("/*/").map(|at| from + at) {
        None => slow_match(pattern, action),
        Some(at) => {
            let shorter = [&pattern[..at], &pattern[at + 2..]].concat();
            collapsing(pattern, action, at + 1) || collapsing(&shorter, action, at)
        }
    }
}

/// The same by the plainest way there is.
fn slow_match(pattern: &str, action: &str) -> bool {
    let (p, a) = (pattern.as_bytes(), action.as_bytes());
    let mut row = vec![false; a.len() + 1];
    row[0] = true;
    for byte in p {
        let mut next = vec![false; a.len() + 1];
        for at in 0..=a.len() {
            next[at] = match byte {
                b'*' => row[at] || (at > 0 && next[at - 1]),
                _ => at > 0 && row[at - 1] && a[at - 1] == *byte,
            };
        }
        row = next;
    }
    row[a.len()]
}

fn time(text: &str) {
    if let Some(time) = Timestamp::parse_rfc1123(text) {
        assert_eq!(Timestamp::parse_rfc1123(&time.rfc1123()), Some(time));
    }
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        assert_eq!(Timestamp::parse_rfc3339(&time.rfc3339()).map(|t| t.seconds()), Some(time.seconds()));
    }
}

fn server_settings(bytes: &[u8]) {
    if let Some(object) = strict_object(bytes) {
        drop(ServerSettings::read(&object));
    }
}

fn site_names(text: &str) {
    let (suffix, host) = text.split_once('\n').unwrap_or((text, text));
    let Ok(names) = SiteNames::under(suffix) else { return };
    drop(names.route(host));
    for fixed in names.fixed_hosts() {
        assert!(names.route(&fixed).is_some(), "{fixed}");
    }
}
