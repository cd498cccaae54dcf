//! What the agent reads: documents people write for it, what vaults and sites hand it, and what it must not repeat.

use std::path::{Component, Path};

use cs_agent::{
    bundle, certificates, flags, redact, registration::State, settings::Settings, sources, words,
};
use cs_broker::Policy;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "agent_settings",
        run: settings,
        seeds: &[
            br#"{"proxy.url": "http://u:p@proxy:3128", "proxy.bypass": ["a", "b"], "key.rotation": "12h", "config.mode": "full"}"#,
            br#"{"extensions.enabled": false, "guestconfiguration.agent.cpulimit": 7, "later": {}}"#,
        ],
    },
    Target {
        name: "agent_proxy",
        run: |bytes| text(bytes, proxy),
        seeds: &[b"http://agent:p@ss@proxy.example.com:3128", b"u:p://x@proxy", b"[::1]:3128"],
    },
    Target {
        name: "agent_redact",
        run: |bytes| text(bytes, redacted),
        seeds: &[
            b"proxy http://u:p@h used, Authorization: Basic YQ==",
            b"-----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY----- {\"access_token\": \"eyJhbGciOiJSUzI1NiJ9.e30.c2ln\"}",
            b"AccountKey=Zm9v/YmFy+==;sig=abc%2Fdef&x",
        ],
    },
    Target {
        name: "agent_registration",
        run: registration,
        seeds: &[include_bytes!("../../bin/csagent/fixtures/first/agentconfig.json")],
    },
    Target {
        name: "agent_sources",
        run: |bytes| text(bytes, listeners),
        seeds: &[
            br#"{"sources": [{"name": "web", "kind": "app-service", "listen": "10.88.0.1:41001", "identity": "system", "environment_file": "/run/web.env", "group": "7", "mode": "0660"}]}"#,
            br#"{"sources": [{"name": "pod", "kind": "imds", "socket": "/run/pod.sock", "url": "http://169.254.169.254", "hosts": ["h"]}, {"name": "job", "kind": "workload-identity", "client_id": "a", "token_file": "/run/t"}]}"#,
        ],
    },
    Target {
        name: "agent_policy",
        run: |bytes| text(bytes, |text| drop(Policy::read(text))),
        seeds: &[
            br#"{"default": "deny", "rules": [{"name": "b", "effect": "allow", "executables": ["/usr/bin/restic", "/opt/*"], "users": ["0"], "groups": ["0"], "units": ["b.service"], "audiences": ["https://a"], "identities": ["system"], "sources": ["imds"]}]}"#,
        ],
    },
    Target {
        name: "agent_certificates",
        run: |bytes| text(bytes, observed),
        seeds: &[
            br#"{"secretsManagementSettings":{"pollingIntervalInS":"3600","requireInitialSync":true,"aclEnabled":"true","observedCertificates":[{"url":"https://v1.vault.azure.net/secrets/web/0a","certificateStoreLocation":"/s","customSymbolicLinkName":"web","acls":[{"user":"n"}],"command":["/bin/x"],"owner":"a:b","mode":"0640"}]},"authenticationSettings":{"msiEndpoint":"http://localhost:40342/metadata/identity"}}"#,
            br#"{"properties":{"settings":{"secretsManagementSettings":{"certificateStoreLocation":"/etc/keys","observedCertificates":["https://v:8443/certificates/web"]}}}}"#,
        ],
    },
    Target {
        name: "agent_bundle",
        run: |bytes| text(bytes, armoured),
        seeds: &[include_bytes!("../seeds/bundle.pem")],
    },
    Target {
        name: "agent_bundle_pfx",
        run: |bytes| armoured(&cs_jose::encode_std(bytes)),
        seeds: &[include_bytes!("../seeds/bundle.pfx")],
    },
    Target {
        name: "agent_flags",
        run: |bytes| text(bytes, |text| drop(flags::read(text))),
        seeds: &[
            b"---\n# who\nservice-principal-id: abc # the app\nservice-principal-secret: 'it''s #1: \"x\"'\nj: true\n",
            br#"{"resource-group": "g", "json": true}"#,
        ],
    },
    Target {
        name: "agent_words",
        run: |bytes| text(bytes, given),
        seeds: &[
            b"A=1, B='x, y',C=\"a,b=c\"",
            b" csj1_abc-_9\n",
            br#"Bearer authorization="https://login.x/t", resource="https://vault.azure.net""#,
        ],
    },
];

/// What is taken is written and taken again the same, and its password is not shown.
fn settings(bytes: &[u8]) {
    let Ok(read) = Settings::read(bytes) else { return };
    let Ok(checked) = read.checked() else { return };
    let written = serde_json::to_vec(&checked).expect("settings are written");
    let again = Settings::read(&written).expect("and read").checked().expect("and fit again");
    // What is no setting may hold a number that is not written as it was.
    assert_eq!((format!("{again:?}"), again.proxy()), (format!("{checked:?}"), checked.proxy()));
    let is_http = |url: &str| url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
    let fits = checked.proxy().is_none_or(|url| is_http(url) || !url.contains("://"));
    assert!(fits, "another kind of proxy");
}

fn proxy(url: &str) {
    let (bare, shown) = (redact::address(url), redact::masked(url));
    assert!(!bare.contains('@'), "{bare}");
    assert_eq!(shown.contains('@'), url.contains('@'));
    assert_eq!(redact::address(&shown), bare);
}

/// Whatever stands before it and behind it, a secret is taken out.
fn redacted(around: &str) {
    const SECRET: &str = "hunter2";
    if around.contains(SECRET) {
        return;
    }
    for planted in [
        "password=hunter2",
        "\"secret\": \"hunter2\"",
        "http://u:hunter2@proxy",
        "u:hunter2@proxy:1",
        "Authorization: Basic hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    ] {
        let clean = redact::redact(&format!("{around}\n{planted}\n{around}"));
        assert!(!clean.contains(SECRET), "{planted}: {clean}");
    }
}

fn registration(bytes: &[u8]) {
    if let Ok(state) = State::read(bytes) {
        let written = serde_json::to_vec(&state).expect("a registration is written");
        assert_eq!(State::read(&written), Ok(state));
    }
}

/// Nothing without a secret listens where others reach it, and every file is somewhere for certain.
fn listeners(text: &str) {
    let Ok(all) = sources::read(text, &|name| name.parse().ok()) else { return };
    for (at, entry) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.name != entry.name), "{}", entry.name);
        assert_eq!(entry.mode & 0o117, 0, "{:o}", entry.mode);
        assert!(entry.environment_file.as_ref().is_none_or(|path| path.is_absolute()));
        match &entry.what {
            sources::What::Listener { service, at: sources::At::Tcp(address), .. } => {
                let far = !address.ip().is_loopback();
                assert!(!(far && *service == sources::Kind::Himds), "{address}");
            }
            sources::What::Listener { at: sources::At::Socket(path), .. } => assert!(path.is_absolute()),
            sources::What::Token { file, .. } => assert!(file.is_absolute()),
        }
    }
}

/// Nothing is written or run but where the document says for certain, and nobody is asked in the clear but this machine.
fn observed(text: &str) {
    let Ok(settings) = certificates::read(text) else { return };
    assert!(settings.endpoint.starts_with("http://") && settings.every.as_secs() > 0);
    for one in &settings.observed {
        assert!(one.vault.starts_with("https://"), "{}", one.vault);
        assert!(one.store.is_absolute() && !one.store.components().any(|c| c == Component::ParentDir));
        for name in [one.link_name(), one.base_name()] {
            assert_eq!(Path::new(&name).components().count(), 1, "{name}");
            assert!(!name.contains('/') && name != ".." && name != ".", "{name}");
        }
        let commands = [&one.command, &settings.command];
        assert!(commands.into_iter().flatten().all(|words| words[0].starts_with('/')));
        assert_eq!(one.mode & 0o137, 0, "{:o}", one.mode);
    }
}

/// The leaf first, the key last; and of what was made the same leaf is found again.
fn armoured(value: &str) {
    if let Ok(pem) = bundle::pem(value) {
        assert!(
            pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with(" PRIVATE KEY-----\n"),
            "{pem}"
        );
        let again = bundle::pem(&pem).expect("what was made is read");
        let leaf = |text: &str| text.split_inclusive("-----END").next().map(str::to_owned);
        assert_eq!((leaf(&again), again.len()), (leaf(&pem), pem.len()));
    }
}

fn given(text: &str) {
    if let Ok(tags) = words::tags(text) {
        assert!(tags.keys().all(|name| !name.is_empty()));
    }
    if let Some(token) = words::join_token(text) {
        assert!(token.starts_with(words::JOIN_TOKEN) && token.bytes().all(|b| b.is_ascii_graphic()));
    }
    words::vault_resource(text);
}
