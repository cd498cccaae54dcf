//! A directory with an administrator, somebody without rights and a machine; tokens are names that the check knows.

use std::sync::Arc;

use cs_access::Access;
use cs_audit::Audit;
use cs_authority::{Audiences, TokenCheck, TokenRefusal};
use cs_directory::{DirectoryParts, Principals};
use cs_graph::{Graph, Parts};
use cs_ids::{ClientId, CorrelationId, ObjectId, TenantId};
use cs_names::{Address, SiteNames, Surface as Place};
use cs_rbac::Caller;
use cs_serve::{Context, Peer, Surface, full, read_body};
use cs_store::{AuditLog, AuditOutcome, AuditQuery, AuditRecord, Directory, Principal, PrincipalKind};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock, FakeClock, SeededChance};
use serde_json::Value;
use uuid::Uuid;

pub const MACHINE: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/Lab/providers/Microsoft.HybridCompute/machines/m1";
pub const GRAPH: &str = "https://graph.s.example:8443";

pub struct World {
    _dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub clock: Arc<FakeClock>,
    pub access: Arc<Access>,
    audit: Arc<Audit>,
    surface: Graph,
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

    /// Status and error code; az reads the message, so there always is one.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert!(body["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", self.text);
        assert!(body["error"]["innerError"]["request-id"].is_string(), "{}", self.text);
        (self.status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.text);
        self.json()
    }

    /// Names in a list.
    pub fn names(self) -> Vec<String> {
        let list = self.ok();
        let name = |row: &Value| row["displayName"].as_str().unwrap_or_default().to_owned();
        list["value"].as_array().unwrap().iter().map(name).collect()
    }
}

struct Tokens;

impl TokenCheck for Tokens {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        assert!(audiences.contain("https://graph.microsoft.com/") && audiences.contain(GRAPH));
        assert!(!audiences.contain("https://management.azure.com"));
        match token {
            "expired" => Err(TokenRefusal::Expired(cs_time::Timestamp::from_seconds(1))),
            "arm" => Err(TokenRefusal::Audience { found: "https://management.azure.com".into() }),
            "unconfirmed" => Err(TokenRefusal::Unconfirmed),
            "stranger" => Ok(Caller::invented(tenant(2), object("stranger"))),
            _ => Ok(Caller::invented(tenant(1), object(token))),
        }
    }
}

pub fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(n))
}

pub fn object(name: &str) -> ObjectId {
    ObjectId::new(Uuid::from_u128(name.bytes().fold(7, |sum, b| sum * 31 + u128::from(b))))
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let access = Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock) as _)
            .with_groups(Arc::clone(&store) as _)
            .with_rules(Arc::clone(&store) as _);
        let access = Arc::new(access);
        let audit = Arc::new(Audit::new(Arc::clone(&store) as _));
        let principals = Principals::new(DirectoryParts {
            rows: Arc::clone(&store) as _,
            objects: Arc::clone(&store) as _,
            federated: Arc::clone(&store) as _,
            chance: Arc::new(SeededChance::new(5)),
        });
        let surface = Graph::new(Parts {
            principals: Arc::new(principals),
            access: Arc::clone(&access),
            audit: Arc::clone(&audit),
            tokens: Arc::new(Tokens),
            clock: Arc::clone(&clock) as _,
        });
        let world = Self { _dir: dir, store, clock, access, audit, surface };
        world.meet("admin", PrincipalKind::Application, None).await;
        world.meet("nobody", PrincipalKind::Application, None).await;
        world.meet("m1", PrincipalKind::MachineIdentity, Some(MACHINE)).await;
        world.access.refresh(tenant(2)).await.unwrap();
        world
    }

    pub async fn meet(&self, name: &str, kind: PrincipalKind, resource: Option<&str>) {
        let principal = Principal {
            tenant: tenant(1),
            object: object(name),
            kind,
            client: Some(ClientId::new(object(name).uuid())),
            display_name: name.into(),
            enabled: true,
            resource: resource.map(Into::into),
            directory_admin: name == "admin",
            created: self.clock.now(),
            deleted: false,
            revision: 0,
        };
        self.store.add_principal(principal, vec![], audit_of(tenant(1))).await.unwrap();
        self.access.refresh(tenant(1)).await.unwrap();
    }

    /// `target` is below `/v1.0`; spaces and quotes are encoded as az does.
    pub async fn send(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        let target = format!("/v1.0{target}").replace(' ', "%20").replace('\'', "%27");
        self.raw(token, method, &target, body).await
    }

    pub async fn raw(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        let mut request =
            http::Request::builder().method(method).uri(target).header("client-request-id", "mine");
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let context = Context {
            peer: Peer { address: None, local: None, tls: true, connection: 0 },
            request_id: SeededChance::new(9).uuid(),
            started: self.clock.now(),
            address: Address::new(SiteNames::under("s.example").unwrap(), 8443),
            place: Place::Graph,
        };
        let request = request.body(full(body.to_owned())).unwrap();
        let (parts, body) = self.surface.serve(request, context).await.into_parts();
        let text = String::from_utf8(read_body(body, 8 << 20).await.unwrap().to_vec()).unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.send("nobody", "GET", target, "").await
    }

    /// As the administrator.
    pub async fn post(&self, target: &str, body: &Value) -> Reply {
        self.send("admin", "POST", target, &body.to_string()).await
    }

    /// A group of the administrator's making.
    pub async fn group(&self, name: &str) -> String {
        let body = serde_json::json!({"displayName": name, "mailNickname": name, "mailEnabled": false,
            "securityEnabled": true});
        self.post("/groups", &body).await.ok()["id"].as_str().unwrap().to_owned()
    }

    pub async fn join(&self, group: &str, who: &str) -> Reply {
        let body = serde_json::json!({"@odata.id": format!("{GRAPH}/v1.0/directoryObjects/{who}")});
        self.post(&format!("/groups/{group}/members/$ref"), &body).await
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
        time: cs_time::Timestamp::default(),
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}
