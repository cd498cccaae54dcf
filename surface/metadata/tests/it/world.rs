//! A connected machine without a site: its issuer counts, its facts are fixed.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use cs_broker::{
    AttestError, Attester, Broker, ChallengeDesk, ChallengeDirectory, Facts, Identity, IssueError,
    MachineFacts, Token, TokenIssuer,
};
use cs_ids::{ClientId, CorrelationId, ObjectId};
use cs_metadata::{Metadata, ProxyHeaders, Service};
use cs_serve::{Peer, Router, empty, read_body};
use cs_time::{Clock, FakeClock, SeededChance};
use serde_json::Value;
use uuid::Uuid;

pub const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2019-11-01&resource=https%3A%2F%2Fvault.azure.net";

pub struct World {
    pub dir: tempfile::TempDir,
    pub clock: Arc<FakeClock>,
    pub issuer: Arc<Issuer>,
    pub attester: Arc<Signs>,
    himds: Arc<dyn Router>,
    imds: Arc<dyn Router>,
    pub parts: Arc<Metadata>,
    pub desk: Arc<ChallengeDesk>,
}

pub struct Issuer {
    clock: Arc<FakeClock>,
    pub asked: AtomicUsize,
    pub fails: Mutex<Option<IssueError>>,
    /// Of the last request.
    pub correlation: Mutex<Option<CorrelationId>>,
    /// Requests wait while it is closed.
    gate: tokio::sync::watch::Sender<bool>,
}

impl Issuer {
    pub fn fail(&self, error: Option<IssueError>) {
        *self.fails.lock().unwrap() = error;
    }

    /// Lets the site answer nobody until it is released.
    pub fn hold(&self) {
        self.gate.send_replace(false);
    }

    pub fn release(&self) {
        self.gate.send_replace(true);
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn challenge(&self) -> String {
        self.headers["www-authenticate"].to_str().unwrap().strip_prefix("Basic realm=").unwrap().to_owned()
    }
}

struct Machine;

/// Answers with the nonce; openssl checks the real one in the step `agent`.
#[derive(Default)]
pub struct Signs {
    pub fails: Mutex<Option<AttestError>>,
    pub correlation: Mutex<Option<CorrelationId>>,
}

#[async_trait]
impl Attester for Signs {
    async fn attest(&self, nonce: Option<&str>, correlation: CorrelationId) -> Result<Vec<u8>, AttestError> {
        *self.correlation.lock().unwrap() = Some(correlation);
        match self.fails.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(format!("signed:{}", nonce.unwrap_or("the time")).into_bytes()),
        }
    }
}

pub fn system() -> Identity {
    Identity {
        client: ClientId::new(Uuid::from_u128(1)),
        object: ObjectId::new(Uuid::from_u128(2)),
        resource:
            "/subscriptions/s/resourceGroups/arc-lab/providers/Microsoft.HybridCompute/machines/ubuntu-01"
                .into(),
        system_assigned: true,
    }
}

pub fn user_assigned() -> Identity {
    Identity {
        client: ClientId::new(Uuid::from_u128(3)),
        object: ObjectId::new(Uuid::from_u128(4)),
        resource:
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u1"
                .into(),
        system_assigned: false,
    }
}

#[async_trait]
impl MachineFacts for Machine {
    async fn facts(&self) -> Option<Arc<Facts>> {
        Some(Arc::new(Facts {
            name: "ubuntu-01".into(),
            location: "westeurope".into(),
            resource_group: "arc-lab".into(),
            subscription_id: "0a1b".into(),
            resource_id: system().resource,
            tenant_id: "tenant-1".into(),
            vm_id: "vm-1".into(),
            tags: vec![("scenario".into(), "Managed Identity".into()), ("a".into(), "b".into())],
            os_name: "Ubuntu".into(),
            os_version: "6.8".into(),
            interfaces: vec![],
            environment: String::new(),
        }))
    }

    async fn identities(&self) -> Arc<[Identity]> {
        [system(), user_assigned()].into()
    }
}

#[async_trait]
impl TokenIssuer for Issuer {
    async fn issue(
        &self,
        identity: &Identity,
        resource: &str,
        correlation: CorrelationId,
    ) -> Result<Token, IssueError> {
        *self.correlation.lock().unwrap() = Some(correlation);
        let number = 1 + self.asked.fetch_add(1, Ordering::SeqCst);
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        if let Some(error) = self.fails.lock().unwrap().clone() {
            return Err(error);
        }
        let now = self.clock.now().seconds();
        let access_token = format!("token of {} for {resource}, number {number}", identity.client);
        Ok(Token { access_token, expires_on: now + 86_400, not_before: now - 300, client: identity.client })
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(ProxyHeaders::Refused)
    }

    pub fn with(proxy_headers: ProxyHeaders) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let chance = Arc::new(SeededChance::new(7));
        let issuer = Arc::new(Issuer {
            clock: Arc::clone(&clock),
            asked: AtomicUsize::new(0),
            fails: Mutex::default(),
            correlation: Mutex::default(),
            gate: tokio::sync::watch::Sender::new(true),
        });
        let attester = Arc::new(Signs::default());
        let directory = ChallengeDirectory::open(dir.path()).unwrap();
        let desk = Arc::new(ChallengeDesk::new(directory, Arc::clone(&clock) as _, Arc::clone(&chance) as _));
        let parts = Arc::new(Metadata {
            broker: Arc::new(Broker::new(
                Arc::clone(&issuer) as _,
                Arc::clone(&clock) as _,
                Arc::clone(&chance) as _,
            )),
            desk: Arc::clone(&desk),
            facts: Arc::new(Machine),
            clock: Arc::clone(&clock) as _,
            chance,
            app_service_header: Some("the-header".into()),
            callers: Arc::default(),
            proxy_headers,
            attester: Some(Arc::clone(&attester) as _),
        });
        let (himds, imds) = (parts.router(Service::Himds), parts.router(Service::Imds));
        Self { dir, clock, issuer, attester, himds, imds, parts, desk }
    }

    pub async fn send(
        &self,
        service: Service,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = http::Request::builder().method(method).uri(target);
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            request = request.header("Host", "localhost:40342");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(empty()).unwrap();
        let router = if service == Service::Himds { &self.himds } else { &self.imds };
        Self::ask(router, request).await
    }

    pub async fn ask(router: &Arc<dyn Router>, request: cs_serve::Request) -> Reply {
        let response =
            router.answer(request, Peer { address: None, local: None, tls: false, connection: 0 }).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(read_body(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// With the Metadata header.
    pub async fn get(&self, service: Service, target: &str) -> Reply {
        self.send(service, "GET", target, &[("Metadata", "true")]).await
    }

    /// The whole challenge; answers the second reply.
    pub async fn token(&self, target: &str) -> Reply {
        let first = self.get(Service::Himds, target).await;
        assert_eq!(first.status, 401, "{}", first.text);
        let key = std::fs::read_to_string(first.challenge()).unwrap();
        let basic = format!("Basic {key}");
        self.send(Service::Himds, "GET", target, &[("Metadata", "true"), ("Authorization", &basic)]).await
    }

    /// A challenge's answer, as the header takes it.
    pub async fn basic(&self, target: &str) -> String {
        let first = self.get(Service::Himds, target).await;
        format!("Basic {}", std::fs::read_to_string(first.challenge()).unwrap())
    }

    pub fn router(&self, service: Service) -> Arc<dyn Router> {
        Arc::clone(if service == Service::Himds { &self.himds } else { &self.imds })
    }

    pub fn files(&self) -> usize {
        std::fs::read_dir(self.dir.path()).unwrap().count()
    }
}
