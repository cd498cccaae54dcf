//! A site with one database server, the gateway in front of it, and tokens that are what they say.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cs_access::Access;
use cs_audit::Audit;
use cs_authority::{Audiences, TokenCheck, TokenRefusal};
use cs_databases::Databases;
use cs_ids::{CorrelationId, ObjectId, ResourceId, TenantId};
use cs_names::SiteNames;
use cs_pg_gateway::{GatewayParts, Limits, OwnSite};
use cs_pki::{CertificateAuthority, ClientAuthority, Leaves};
use cs_rbac::Caller;
use cs_seal::Key;
use cs_serve::Shutdown;
use cs_store::{
    AuditLog, AuditOutcome, AuditQuery, AuditRecord, Directory, DirectoryObjects, Expect, HostKind, LinkKind,
    Principal, PrincipalKind, Resource, ResourceWrite, Resources, Site, Subscription, Tenant,
};
use cs_store_sql::SqlStore;
use cs_time::{Clock, FakeClock, MachineClock, SeededChance, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::backend::Backend;

pub const SUFFIX: &str = "s.test";
pub const AUDIENCE: &str = "https://ossrdbms-aad.database.windows.net";
/// Everything a test waits for happens at once; this only keeps a broken one from hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The object id of a group.
pub const TEAM: u128 = 50;

pub struct World {
    _dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub clock: Arc<FakeClock>,
    pub backend: Backend,
    pub door: SocketAddr,
    /// Of another replica's gateway.
    pub second_door: SocketAddr,
    pub ca_pem: String,
    pub shutdown: Shutdown,
    access: Arc<Access>,
    audit: Arc<Audit>,
}

/// What a test wants otherwise than usual.
pub struct Plan {
    pub limits: Limits,
    pub sessions: Value,
    /// The server's certificate is for this name.
    pub backend_name: &'static str,
    pub socket: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { limits: Limits::default(), sessions: json!({}), backend_name: "localhost", socket: false }
    }
}

pub fn tenant() -> TenantId {
    TenantId::new(Uuid::from_u128(1))
}

pub fn object(n: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(n))
}

fn group() -> ResourceId {
    ResourceId::parse("/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab").unwrap()
}

pub fn server() -> ResourceId {
    ResourceId::parse(&format!("{}/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1", group()))
        .unwrap()
}

fn rule_id(n: u128) -> ResourceId {
    ResourceId::parse(&format!("{}/administrators/{}", server(), object(n))).unwrap()
}

impl World {
    pub async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub async fn with(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        // TLS looks at the machine's clock, so ours begins there.
        let clock = Arc::new(FakeClock::at_seconds(MachineClock.now().seconds()));
        let key = [7; 32];
        let authority = ClientAuthority::make(&key, "db1", clock.now()).unwrap();
        let backend = Backend::start(&authority, plan.backend_name, dir.path(), plan.socket).await;
        let access = Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock) as _);
        let access = Arc::new(access.with_groups(Arc::clone(&store) as _));
        let audit = Arc::new(Audit::new(Arc::clone(&store) as _));
        let names = SiteNames::under(SUFFIX).unwrap();
        let (ca, ca_pem, _) = CertificateAuthority::make("site", &names.subtrees(), clock.now()).unwrap();
        let leaves = Arc::new(Leaves::new(ca, names.clone(), Arc::new(MachineClock)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second_door = second.local_addr().unwrap();
        let sockets: HashMap<String, PathBuf> =
            backend.socket.iter().map(|path| ("db1".to_owned(), path.clone())).collect();
        let databases = Databases::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::new(Keys(key)));
        let shutdown = Shutdown::new();
        let databases = Arc::new(databases);
        let parts = |seed| GatewayParts {
            knowledge: Arc::new(OwnSite {
                databases: Arc::clone(&databases),
                access: Arc::clone(&access),
                clock: Arc::clone(&clock) as _,
                chance: Arc::new(SeededChance::new(6)),
            }),
            tokens: Arc::new(Tokens { clock: Arc::clone(&clock), access: Arc::clone(&access) }),
            audit: Arc::clone(&audit),
            clock: Arc::clone(&clock) as _,
            chance: Arc::new(SeededChance::new(seed)),
            names: names.clone(),
            tls: cs_pki::database_server_config(Arc::clone(&leaves) as _).unwrap(),
            sockets: sockets.clone(),
            limits: plan.limits,
        };
        let both = [parts(5), parts(55)];
        let world =
            Self { _dir: dir, store, clock, backend, door, second_door, ca_pem, shutdown, access, audit };
        world.furnish(&authority, &plan).await;
        for (parts, listener) in both.into_iter().zip([listener, second]) {
            cs_pg_gateway::serve(parts, vec![listener], &world.shutdown).unwrap();
        }
        world
    }

    async fn furnish(&self, authority: &str, plan: &Plan) {
        let tenant_row = Tenant {
            id: tenant(),
            display_name: "t".into(),
            domain: SUFFIX.into(),
            wrapped_key: vec![],
            created: self.clock.now(),
        };
        self.store.add_tenant(tenant_row).await.unwrap();
        let subscription = Subscription {
            tenant: tenant(),
            id: group().subscription(),
            display_name: "s".into(),
            tags: vec![],
            created: self.clock.now(),
        };
        self.store.add_subscription(subscription, audit_of()).await.unwrap();
        self.put(group(), "Microsoft.Resources/resourceGroups", json!({}), None).await;
        let mut properties = json!({"sessions": plan.sessions, "clientCertificateAuthority": authority});
        if !plan.socket {
            properties["backend"] = json!({
                "host": "127.0.0.1", "port": self.backend.port, "serverName": "localhost",
                "certificateAuthority": self.backend.ca_pem
            });
        }
        let host = (HostKind::Server, "db1".to_owned(), b"wrapped".to_vec());
        self.put(server(), "Microsoft.DBforPostgreSQL/flexibleServers", properties, Some(host)).await;
        for n in [1, 2, TEAM] {
            self.meet(n).await;
        }
        self.rule(1, "lab-machine").await;
        self.rule(2, "reports").await;
    }

    async fn put(
        &self,
        id: ResourceId,
        kind: &str,
        properties: Value,
        host: Option<(HostKind, String, Vec<u8>)>,
    ) {
        let now = self.clock.now();
        let resource = Resource {
            tenant: tenant(),
            id,
            kind: kind.into(),
            location: "local".into(),
            tags: vec![],
            extra: json!({}),
            properties,
            created: now,
            updated: now,
            created_by: String::new(),
            updated_by: String::new(),
            deleted: None,
            generation: 0,
        };
        let write = ResourceWrite { resource, expect: Expect::Absent, host, principal: None };
        self.store.put_resource(write, audit_of()).await.unwrap();
    }

    async fn meet(&self, n: u128) {
        let principal = Principal {
            tenant: tenant(),
            object: object(n),
            kind: if n == TEAM { PrincipalKind::Group } else { PrincipalKind::Application },
            client: None,
            display_name: format!("p{n}"),
            enabled: true,
            resource: None,
            directory_admin: false,
            created: self.clock.now(),
            deleted: false,
            revision: 0,
        };
        self.store.add_principal(principal, vec![], audit_of()).await.unwrap();
        self.access.refresh(tenant()).await.unwrap();
    }

    pub async fn rule(&self, n: u128, role: &str) {
        let kind = if n == TEAM { "Group" } else { "ServicePrincipal" };
        let properties = json!({"principalName": role, "principalType": kind});
        let kind = "Microsoft.DBforPostgreSQL/flexibleServers/administrators";
        self.put(rule_id(n), kind, properties, None).await;
    }

    pub async fn remove_rule(&self, n: u128) {
        assert!(self.store.remove_resource(tenant(), rule_id(n), audit_of()).await.unwrap());
    }

    /// Moves the clock on, and confirms the access snapshot, which would be too old.
    pub async fn later(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.access.refresh(tenant()).await.unwrap();
    }

    /// Into the team.
    pub async fn join(&self, n: u128) {
        self.store.link(tenant(), object(TEAM), LinkKind::Member, object(n), audit_of()).await.unwrap();
        self.access.refresh(tenant()).await.unwrap();
    }

    pub async fn leave(&self, n: u128) {
        let left = self.store.unlink(tenant(), object(TEAM), LinkKind::Member, object(n), audit_of()).await;
        assert!(left.unwrap());
        self.access.refresh(tenant()).await.unwrap();
    }

    pub async fn disable(&self, n: u128) {
        self.store.set_enabled(tenant(), object(n), false, audit_of()).await.unwrap();
        self.access.refresh(tenant()).await.unwrap();
    }

    /// A good token of principal `n` for an hour.
    pub fn token(&self, n: u128) -> String {
        self.token_with(n, &json!({}))
    }

    /// The same with other claims.
    pub fn token_with(&self, n: u128, claims: &Value) -> String {
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        all.insert("aud".into(), json!(AUDIENCE));
        all.insert("oid".into(), json!(object(n).to_string()));
        all.insert("tid".into(), json!(tenant().to_string()));
        all.insert("exp".into(), json!(self.clock.now().seconds() + 3600));
        all.extend(claims.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())));
        let part = |value: &Value| cs_jose::encode_url(value.to_string());
        let signature = cs_jose::encode_url("good");
        format!("{}.{}.{signature}", part(&json!({"alg": "RS256", "kid": "k"})), part(&json!(all)))
    }

    /// Logins in the audit log: outcome and reason.
    pub async fn audited(&self) -> Vec<(AuditOutcome, String)> {
        self.audit.flush().await.unwrap();
        let log =
            self.store.records(tenant(), AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
        let logins = log.into_iter().filter(|r| r.action.ends_with("connect/action"));
        logins.map(|r| (r.outcome, r.because)).collect()
    }
}

/// Tokens whose signature is the word "good".
struct Tokens {
    clock: Arc<FakeClock>,
    access: Arc<Access>,
}

impl TokenCheck for Tokens {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        let jws = cs_jose::Jws::split(token).map_err(|_| TokenRefusal::Malformed)?;
        if !token.ends_with(&format!(".{}", cs_jose::encode_url("good"))) {
            return Err(TokenRefusal::Signature);
        }
        let text = |name: &str| jws.claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let expires = Timestamp::from_seconds(jws.claims.get("exp").and_then(Value::as_i64).unwrap_or(0));
        if expires <= self.clock.now() {
            return Err(TokenRefusal::Expired(expires));
        }
        if !audiences.contain(text("aud")) {
            return Err(TokenRefusal::Audience { found: text("aud").to_owned() });
        }
        let caller = Caller::invented(text("tid").parse().unwrap(), text("oid").parse().unwrap());
        match self.access.standing(tenant(), caller.object) {
            cs_access::Standing::Good => Ok(caller),
            cs_access::Standing::Gone if caller.tenant == tenant() => Err(TokenRefusal::Principal),
            _ => Ok(caller),
        }
    }
}

struct Keys([u8; 32]);

impl cs_databases::DataKeys for Keys {
    fn open(&self, _: TenantId, _: &[u8]) -> Option<Key> {
        Some(Key::from_bytes(self.0))
    }
}

fn audit_of() -> AuditRecord {
    AuditRecord {
        tenant: tenant(),
        time: Timestamp::from_seconds(1),
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}
