//! Whole requests to a machine's metadata services: a connected machine without a site.

use std::sync::Arc;

use async_trait::async_trait;
use cs_broker::{
    AttestError, Attester, Broker, ChallengeDesk, ChallengeDirectory, Facts, Identity, IssueError,
    MachineFacts, Token, TokenIssuer,
};
use cs_ids::{ClientId, CorrelationId, ObjectId};
use cs_metadata::{Metadata, ProxyHeaders, Service};
use cs_serve::{Peer, Router, empty, read_body};
use cs_time::{Clock, FakeClock, SeededChance};
use http::Request;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::Target;

pub const TARGETS: &[Target] = &[
    Target {
        name: "himds",
        run: |bytes| ask(Service::Himds, bytes),
        seeds: &[
            b"GET /metadata/instance?api-version=2020-06-01\nHost: localhost:40342\nMetadata: true",
            b"GET /metadata/instance/compute/tagsList/0/name?api-version=2021-02-01&format=text\nHost: localhost:40342\nMetadata: true",
            b"GET /metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fvault.azure.net&client_id=00000000-0000-0000-0000-000000000001\nHost: 127.0.0.1:40342\nMetadata: true\nAuthorization: Basic x",
            b"GET /metadata/attested/document?api-version=2020-09-01&nonce=1234567890\nHost: localhost:40342\nMetadata: true",
        ],
    },
    Target {
        name: "imds",
        run: |bytes| ask(Service::Imds, bytes),
        seeds: &[
            b"GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/&msi_res_id=/subscriptions/x\nHost: 169.254.169.254\nMetadata: true",
            b"GET /metadata/versions\nHost: 169.254.169.254\nMetadata: TRUE",
            b"GET /metadata/identity/info?api-version=2018-02-01\nHost: metadata\nMetadata: true\nX-Forwarded-For: x",
            b"GET /metadata/scheduledevents?api-version=2020-07-01\nHost: 169.254.169.254\nMetadata:true",
        ],
    },
    Target {
        name: "app_service",
        run: |bytes| ask(Service::AppService, bytes),
        seeds: &[b"GET /msi/token?resource=https://vault.azure.net&api-version=2019-08-01\nHost: localhost\nX-IDENTITY-HEADER: x"],
    },
    Target {
        name: "cloud_shell",
        run: |bytes| ask(Service::CloudShell, bytes),
        seeds: &[b"POST /oauth2/token\nHost: localhost:50342\nMetadata: true\nContent-Type: application/x-www-form-urlencoded\n\nresource=https%3A%2F%2Fmanagement.azure.com%2F"],
    },
];

struct World {
    runtime: Runtime,
    parts: Arc<Metadata>,
    _challenges: tempfile::TempDir,
}

thread_local! {
    static WORLD: Option<World> = World::new();
}

/// Whatever is asked, it is answered, never as our own failure; and a token is given to nobody who was not asked to
/// prove something first, for no input holds the answer.
fn ask(service: Service, bytes: &[u8]) {
    let Some(request) = request(bytes) else { return };
    let says_metadata = request.headers().contains_key("metadata");
    WORLD.with(|world| {
        let world = world.as_ref().expect("a folder for challenges, and a runtime");
        let (status, body) = world.runtime.block_on(world.ask(service, request));
        assert!(status < 500 || status == 501, "{status}: {body}");
        if body.contains("access_token") {
            assert!(matches!(service, Service::Imds | Service::CloudShell) && says_metadata, "{body}");
        }
    });
}

/// `METHOD target`, lines of headers, an empty line, a body; `None` for what no server's HTTP library would let in.
fn request(bytes: &[u8]) -> Option<cs_serve::Request> {
    let (head, body) = match bytes.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let mut request = Request::builder().method(&first[..space]).uri(&first[space + 1..]);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    let body = if body.is_empty() { empty() } else { cs_serve::full(bytes::Bytes::copy_from_slice(body)) };
    request.body(body).ok()
}

impl World {
    fn new() -> Option<Self> {
        let challenges = tempfile::tempdir().ok()?;
        let directory = ChallengeDirectory::open(challenges.path()).ok()?;
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let chance = Arc::new(SeededChance::new(7));
        let desk = ChallengeDesk::new(directory, Arc::clone(&clock) as _, Arc::clone(&chance) as _);
        let issuer = Arc::new(Machine(Arc::clone(&clock)));
        let parts = Metadata {
            broker: Arc::new(Broker::new(
                Arc::clone(&issuer) as _,
                Arc::clone(&clock) as _,
                Arc::clone(&chance) as _,
            )),
            desk: Arc::new(desk),
            facts: Arc::clone(&issuer) as _,
            clock,
            chance,
            app_service_header: Some("the-header".into()),
            callers: Arc::default(),
            proxy_headers: ProxyHeaders::Refused,
            attester: Some(issuer as _),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        Some(Self { runtime, parts: Arc::new(parts), _challenges: challenges })
    }

    async fn ask(&self, service: Service, request: cs_serve::Request) -> (u16, String) {
        let router: Arc<dyn Router> = self.parts.router(service);
        let peer = Peer { address: None, local: None, tls: false, connection: 0 };
        let (head, body) = router.answer(request, peer).await.into_parts();
        let body = read_body(body, 1 << 20).await.unwrap_or_default();
        (head.status.as_u16(), String::from_utf8_lossy(&body).into_owned())
    }
}

/// Facts, tokens and signatures of nowhere.
struct Machine(Arc<FakeClock>);

fn identity() -> Identity {
    Identity {
        client: ClientId::new(Uuid::from_u128(1)),
        object: ObjectId::new(Uuid::from_u128(2)),
        resource: "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/machines/m".into(),
        system_assigned: true,
    }
}

#[async_trait]
impl MachineFacts for Machine {
    async fn facts(&self) -> Option<Arc<Facts>> {
        Some(Arc::new(Facts {
            name: "m".into(),
            location: "local".into(),
            resource_group: "g".into(),
            subscription_id: "s".into(),
            resource_id: identity().resource,
            tenant_id: "t".into(),
            vm_id: "v".into(),
            tags: vec![("a".into(), "b;c:d".into()), ("\u{fc}".into(), String::new())],
            os_name: "Debian".into(),
            os_version: "12".into(),
            interfaces: vec![],
            environment: "AzurePublicCloud".into(),
        }))
    }

    async fn identities(&self) -> Arc<[Identity]> {
        [identity()].into()
    }
}

#[async_trait]
impl TokenIssuer for Machine {
    async fn issue(&self, identity: &Identity, _: &str, _: CorrelationId) -> Result<Token, IssueError> {
        let now = self.0.now().seconds();
        let client = identity.client;
        Ok(Token { access_token: "a.b.c".into(), expires_on: now + 86_400, not_before: now, client })
    }
}

#[async_trait]
impl Attester for Machine {
    async fn attest(&self, nonce: Option<&str>, _: CorrelationId) -> Result<Vec<u8>, AttestError> {
        Ok(nonce.unwrap_or_default().as_bytes().to_vec())
    }
}
