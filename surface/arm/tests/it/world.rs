//! A site of one subscription; tokens are names that the check knows.

use std::sync::Arc;

use async_trait::async_trait;
use cs_access::Access;
use cs_arm::{Arm, Parts};
use cs_audit::Audit;
use cs_authority::{Audiences, TokenCheck, TokenRefusal};
use cs_blob::{BlobParts, Blobs};
use cs_bytes::LocalBytes;
use cs_databases::Databases;
use cs_ids::{CorrelationId, ObjectId, Scope, ServerName, TenantId};
use cs_names::{Address, SiteNames, Surface as Place};
use cs_pki::ClientAuthority;
use cs_rbac::Caller;
use cs_resources::{DataKeys, Ground, Manager};
use cs_seal::{Aad, Key};
use cs_serve::{Context, Peer, Surface, full, read_body};
use cs_store::{
    Assignment, Assignments, AuditLog, AuditOutcome, AuditQuery, AuditRecord, Directory, DirectoryObjects,
    LinkKind, Principal, PrincipalKind, Resources, StoreError, Subscription,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock, FakeClock, SeededChance, Timestamp};
use cs_vault::{VaultParts, Vaults};
use serde_json::Value;
use uuid::Uuid;

pub const S: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub const FOREIGN: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-ffffffffffff";
pub const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
pub const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub const ONBOARDING: &str = "b64e21ea-ac4e-4cdf-9dc9-5b892992bee7";
pub const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

pub struct World {
    _dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub clock: Arc<FakeClock>,
    access: Arc<Access>,
    audit: Arc<Audit>,
    surface: Arm,
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }

    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.text);
        self.json()
    }
}

/// Names of principals are their tokens; `oid:…` is a token of that object id; other words are what they say.
struct Tokens;

impl TokenCheck for Tokens {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        assert!(audiences.contain("https://management.core.windows.net/"));
        assert!(audiences.contain("https://management.s.example:8443"));
        match token {
            "expired" => Err(TokenRefusal::Expired(Timestamp::from_seconds(1))),
            "vault" => Err(TokenRefusal::Audience { found: "https://vault.azure.net".into() }),
            "forged" => Err(TokenRefusal::Signature),
            "stranger" => Ok(Caller::invented(tenant(2), object("stranger"))),
            _ => {
                let who = token.strip_prefix("oid:").map_or_else(|| object(token), |id| id.parse().unwrap());
                Ok(Caller::invented(tenant(1), who))
            }
        }
    }
}

struct Keys;

/// The one data key of every host, closed as the site closes it.
fn wrapped_key() -> Vec<u8> {
    let data_key = Key::from_bytes(SERVER_SEED);
    tenant_key().wrap(&Aad::of_data_key(tenant(1)), &data_key, &SeededChance::new(6))
}

fn tenant_key() -> Key {
    Key::from_bytes([8; 32])
}

#[async_trait]
impl DataKeys for Keys {
    async fn new_wrapped_key(&self, _: TenantId) -> Result<Vec<u8>, StoreError> {
        Ok(wrapped_key())
    }

    fn account_key(
        &self,
        tenant: TenantId,
        wrapped: &[u8],
        account: &str,
        which: (&str, &str),
    ) -> Result<String, StoreError> {
        assert_eq!(wrapped, wrapped_key());
        let key = Key::from_bytes(SERVER_SEED).derive(&Aad::of_shared_key(tenant, account, which));
        Ok(cs_jose::encode_std(&*key))
    }

    fn client_authority(
        &self,
        _: TenantId,
        wrapped: &[u8],
        server: &ServerName,
        now: Timestamp,
    ) -> Option<String> {
        assert_eq!(wrapped, wrapped_key());
        Some(ClientAuthority::make(&SERVER_SEED, server.as_str(), now).unwrap())
    }
}

impl cs_databases::DataKeys for Keys {
    fn open(&self, _: TenantId, wrapped: &[u8]) -> Option<Key> {
        (wrapped == wrapped_key()).then(|| Key::from_bytes(SERVER_SEED))
    }
}

struct ToldToGateways;

impl cs_arm::Gateways for ToldToGateways {
    fn issuers(&self) -> Vec<String> {
        vec!["https://login.s.example".to_owned()]
    }

    fn keys(&self, _: TenantId) -> Vec<cs_wire_arm::GatewayKey> {
        vec![cs_wire_arm::GatewayKey { kid: "k".into(), n: "AQAB".into(), e: "AQAB".into() }]
    }

    fn certificate(&self, host: &str, _: &cs_pki::ClientRequest) -> Option<String> {
        Some(format!("certificate of {host}"))
    }
}

/// What client authorities of servers come of.
const SERVER_SEED: [u8; 32] = [7; 32];

pub fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(n))
}

pub fn object(name: &str) -> ObjectId {
    ObjectId::new(Uuid::from_u128(name.bytes().fold(7, |sum, b| sum * 31 + u128::from(b))))
}

impl World {
    /// `owner` owns the subscription, `reader` reads it, `nobody` is known and holds nothing.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let access = Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock) as _)
            .with_groups(Arc::clone(&store) as _)
            .with_rules(Arc::clone(&store) as _)
            .with_subscriptions(Arc::clone(&store) as _);
        let access = Arc::new(access);
        let audit = Arc::new(Audit::new(Arc::clone(&store) as _));
        let manager = Manager::new(Ground {
            site: Arc::clone(&store) as _,
            resources: Arc::clone(&store) as _,
            assignments: Arc::clone(&store) as _,
            federated: Arc::clone(&store) as _,
            joining: Arc::clone(&store) as _,
            machine_keys: Arc::clone(&store) as _,
            rules: Arc::clone(&store) as _,
            locks: Arc::clone(&store) as _,
            log: Arc::clone(&store) as _,
            directory: Arc::clone(&store) as _,
            keys: Arc::new(Keys),
            clock: Arc::clone(&clock) as _,
            chance: Arc::new(SeededChance::new(3)),
        });
        let blobs = Blobs::new(BlobParts {
            resources: Arc::clone(&store) as _,
            blobs: Arc::clone(&store) as _,
            bytes: Arc::new(LocalBytes::open(dir.path()).unwrap()),
            tenant_keys: std::collections::HashMap::from([(tenant(1), Arc::new(tenant_key()))]),
            development: false,
            clock: Arc::clone(&clock) as _,
            chance: Arc::new(SeededChance::new(4)),
        });
        let vaults = Vaults::new(VaultParts {
            resources: Arc::clone(&store) as _,
            secrets: Arc::clone(&store) as _,
            audit: Arc::clone(&store) as _,
            tenant_keys: std::collections::HashMap::from([(tenant(1), Arc::new(tenant_key()))]),
            clock: Arc::clone(&clock) as _,
            chance: Arc::new(SeededChance::new(8)),
        });
        let surface = Arm::new(Parts {
            manager: Arc::new(manager),
            blobs: Arc::new(blobs),
            vaults: Arc::new(vaults),
            databases: Arc::new(Databases::new(
                Arc::clone(&store) as _,
                Arc::clone(&store) as _,
                Arc::new(Keys),
            )),
            chance: Arc::new(SeededChance::new(5)),
            gateways: Arc::new(ToldToGateways),
            access: Arc::clone(&access),
            audit: Arc::clone(&audit),
            tokens: Arc::new(Tokens),
        });
        let world = Self { _dir: dir, store, clock, access, audit, surface };
        for (n, id) in [(1, S), (2, FOREIGN)] {
            let subscription = Subscription {
                tenant: tenant(n),
                id: id.rsplit('/').next().unwrap().parse().unwrap(),
                display_name: "Lab".into(),
                tags: vec![],
                created: world.clock.now(),
            };
            world.store.add_subscription(subscription, audit_of(tenant(n))).await.unwrap();
        }
        for who in ["owner", "reader", "nobody"] {
            world.meet(who).await;
        }
        world.grant("owner", OWNER, S, None).await;
        world.grant("reader", READER, S, None).await;
        world.access.refresh(tenant(2)).await.unwrap();
        world
    }

    /// A world with the group `lab`.
    pub async fn with_group() -> Self {
        let world = Self::new().await;
        world.put("owner", &format!("{S}/resourceGroups/Lab"), r#"{"location":"West Europe"}"#).await.ok();
        world
    }

    /// Adds a principal.
    pub async fn meet(&self, name: &str) {
        self.store.add_principal(self.principal(name), vec![], audit_of(tenant(1))).await.unwrap();
        self.refresh().await;
    }

    /// Adds a principal that is no application.
    pub async fn meet_as(&self, name: &str, kind: PrincipalKind) {
        let principal = Principal { kind, ..self.principal(name) };
        self.store.add_principal(principal, vec![], audit_of(tenant(1))).await.unwrap();
        self.refresh().await;
    }

    fn principal(&self, name: &str) -> Principal {
        Principal {
            tenant: tenant(1),
            object: object(name),
            kind: PrincipalKind::Application,
            client: None,
            display_name: name.into(),
            enabled: true,
            resource: None,
            directory_admin: false,
            created: self.clock.now(),
            deleted: false,
            revision: 0,
        }
    }

    /// Adds a group to the directory.
    pub async fn directory_group(&self, name: &str) -> ObjectId {
        let principal = Principal { kind: PrincipalKind::Group, ..self.principal(name) };
        self.store.add_principal(principal, vec![], audit_of(tenant(1))).await.unwrap();
        object(name)
    }

    pub async fn join(&self, group: ObjectId, who: ObjectId) {
        self.store.link(tenant(1), group, LinkKind::Member, who, audit_of(tenant(1))).await.unwrap();
        self.refresh().await;
    }

    pub async fn refresh(&self) {
        self.access.refresh(tenant(1)).await.unwrap();
    }

    pub fn record(&self) -> AuditRecord {
        audit_of(tenant(1))
    }

    /// The name of the assignment that [`World::grant`] made.
    pub fn store_assignment_of(&self, who: &str) -> String {
        Uuid::from_u128(object(who).uuid().as_u128() ^ 1).to_string()
    }

    pub async fn grant(&self, who: &str, role: &str, scope: &str, condition: Option<&str>) {
        let now = self.clock.now();
        let assignment = Assignment {
            tenant: tenant(1),
            name: Uuid::from_u128(object(who).uuid().as_u128() ^ 1).to_string(),
            scope: Scope::parse(scope).unwrap(),
            role: role.into(),
            principal: object(who),
            principal_type: "ServicePrincipal".into(),
            condition: condition.map(Into::into),
            condition_version: condition.map(|_| "2.0".into()),
            description: None,
            created: now,
            updated: now,
            created_by: None,
            updated_by: None,
            deleted: false,
            revision: 0,
        };
        self.store.put_assignment(assignment, audit_of(tenant(1))).await.unwrap();
        self.access.refresh(tenant(1)).await.unwrap();
    }

    /// `target` is path and query, sent as it is; an empty `token` sends none.
    pub async fn raw(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        self.with_headers(token, method, target, body, &[]).await
    }

    /// The owner's, with a header that sets a condition.
    pub async fn conditional(&self, method: &str, target: &str, body: &str, header: (&str, &str)) -> Reply {
        let target = format!("{target}?api-version=2024-11-01");
        self.with_headers("owner", method, &target, body, &[header]).await
    }

    pub async fn with_headers(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request =
            http::Request::builder().method(method).uri(target).header("x-ms-client-request-id", "mine");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let context = Context {
            peer: Peer { address: None, local: None, tls: true, connection: 0 },
            request_id: SeededChance::new(9).uuid(),
            started: self.clock.now(),
            address: Address::new(SiteNames::under("s.example").unwrap(), 8443),
            place: Place::Management,
        };
        let request = request.body(full(body.to_owned())).unwrap();
        let (parts, body) = self.surface.serve(request, context).await.into_parts();
        let text = String::from_utf8(read_body(body, 8 << 20).await.unwrap().to_vec()).unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// With an api-version; spaces and quotes encoded as az does.
    pub async fn send(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        let sign = if target.contains('?') { '&' } else { '?' };
        let target = format!("{target}{sign}api-version=2024-11-01").replace(' ', "%20").replace('\'', "%27");
        self.raw(token, method, &target, body).await
    }

    pub async fn get(&self, token: &str, target: &str) -> Reply {
        self.send(token, "GET", target, "").await
    }

    pub async fn put(&self, token: &str, target: &str, body: &str) -> Reply {
        self.send(token, "PUT", target, body).await
    }

    pub async fn audited(&self) -> Vec<AuditRecord> {
        self.audit.flush().await.unwrap();
        self.recorded().await
    }

    /// What is durable by now, without what waits for its group.
    pub async fn recorded(&self) -> Vec<AuditRecord> {
        self.store.records(tenant(1), AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap()
    }
}

fn audit_of(tenant: TenantId) -> AuditRecord {
    AuditRecord {
        tenant,
        time: Timestamp::default(),
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}
