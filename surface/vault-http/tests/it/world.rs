//! A site of one vault; tokens are names that the check knows.

use std::{collections::HashMap, sync::Arc};

use cs_access::Access;
use cs_authority::{Audiences, TokenCheck, TokenRefusal};
use cs_ids::{CorrelationId, ObjectId, ResourceId, SubscriptionId, TenantId};
use cs_names::{Address, SiteNames, Surface as Place};
use cs_rbac::Caller;
use cs_seal::Key;
use cs_serve::{Context, Peer, Surface, full, read_body};
use cs_store::{
    Assignment, Assignments, AuditLog, AuditOutcome, AuditQuery, AuditRecord, Directory, Expect, HostKind,
    Principal, PrincipalKind, Resource, ResourceWrite, Resources,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, Clock, FakeClock, SeededChance};
use cs_vault::{VaultParts, Vaults, data_key_place};
use cs_vault_http::VaultHttp;
use serde_json::{Value, json};
use uuid::Uuid;

pub struct World {
    _dir: tempfile::TempDir,
    pub store: Arc<SqlStore>,
    pub clock: Arc<FakeClock>,
    pub access: Arc<Access>,
    surface: VaultHttp,
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

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// `reader`, `writer` and `nobody` are principals of the vault's tenant, `stranger` is of another; other words are what
/// they say: `expired`, `arm`, `forged`.
struct Tokens;

impl TokenCheck for Tokens {
    fn check(&self, token: &str, audiences: &Audiences) -> Result<Caller, TokenRefusal> {
        assert!(
            audiences.contain("https://vault.azure.net")
                && audiences.contain("https://vault.s.example:8443/")
        );
        match token {
            "expired" => Err(TokenRefusal::Expired(cs_time::Timestamp::from_seconds(1))),
            "arm" => Err(TokenRefusal::Audience { found: "https://management.azure.com/".into() }),
            "stranger" => Ok(Caller::invented(tenant(2), object("stranger"))),
            "reader" | "writer" | "nobody" => Ok(Caller::invented(tenant(1), object(token))),
            _ => Err(TokenRefusal::Signature),
        }
    }
}

pub fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(n))
}

pub fn object(name: &str) -> ObjectId {
    ObjectId::new(Uuid::from_u128(name.bytes().fold(7, |sum, b| sum * 31 + u128::from(b))))
}

const SUBSCRIPTION: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

impl World {
    /// A vault `lab` with access policies: the reader may get and list, the writer everything and purge.
    pub async fn with_policies() -> Self {
        let policy = |who: &str, words: &[&str]| json!({"tenantId": tenant(1), "objectId": object(who), "permissions": {"secrets": words}});
        Self::new(json!({
            "enableRbacAuthorization": false, "softDeleteRetentionInDays": 7,
            "accessPolicies": [policy("reader", &["get", "list"]), policy("writer", &["All", "purge"])]
        }))
        .await
    }

    /// The same with roles: Key Vault Secrets User and Key Vault Administrator.
    pub async fn with_roles() -> Self {
        let world = Self::new(json!({"enableRbacAuthorization": true})).await;
        world.assign("reader", "4633458b-17de-408a-b874-0445c86b69e6").await;
        world.assign("writer", "00482a5a-887f-4fb3-b363-3b7fe8e74483").await;
        world
    }

    async fn new(properties: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let clock = Arc::new(FakeClock::at_seconds(1_800_000_000));
        let chance = Arc::new(SeededChance::new(3));
        let tenant_key = Arc::new(Key::draw(&*chance));
        let access =
            Arc::new(Access::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&clock) as _));
        let vaults = Vaults::new(VaultParts {
            resources: Arc::clone(&store) as _,
            secrets: Arc::clone(&store) as _,
            audit: Arc::clone(&store) as _,
            tenant_keys: HashMap::from([(tenant(1), Arc::clone(&tenant_key))]),
            clock: Arc::clone(&clock) as _,
            chance: Arc::clone(&chance) as _,
        });
        let surface =
            VaultHttp::new(Arc::new(vaults), Arc::clone(&access), Arc::new(Tokens), Arc::clone(&clock) as _);
        let world = Self { _dir: dir, store, clock, access, surface };
        for name in ["reader", "writer", "nobody"] {
            world.store.add_principal(world.principal(name), vec![], audit()).await.unwrap();
        }
        let subscription: SubscriptionId = SUBSCRIPTION.parse().unwrap();
        world
            .put(
                ResourceId::of_group(subscription, "lab"),
                "Microsoft.Resources/resourceGroups",
                json!({}),
                None,
            )
            .await;
        let wrapped = tenant_key.wrap(&data_key_place(tenant(1)), &Key::draw(&*chance), &*chance);
        world
            .put(
                vault_id(),
                "Microsoft.KeyVault/vaults",
                properties,
                Some((HostKind::Vault, "lab".into(), wrapped)),
            )
            .await;
        world.access.refresh(tenant(1)).await.unwrap();
        world
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

    async fn put(
        &self,
        id: ResourceId,
        kind: &str,
        properties: Value,
        host: Option<(HostKind, String, Vec<u8>)>,
    ) {
        let now = self.clock.now();
        let resource = Resource {
            tenant: tenant(1),
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
        self.store.put_resource(write, audit()).await.unwrap();
    }

    async fn assign(&self, who: &str, role: &str) {
        let now = self.clock.now();
        let assignment = Assignment {
            tenant: tenant(1),
            name: Uuid::from_u128(object(who).uuid().as_u128() ^ 1).to_string(),
            scope: vault_id().scope().clone(),
            role: role.into(),
            principal: object(who),
            principal_type: "ServicePrincipal".into(),
            condition: None,
            condition_version: None,
            description: None,
            created: now,
            updated: now,
            created_by: None,
            updated_by: None,
            deleted: false,
            revision: 0,
        };
        self.store.put_assignment(assignment, audit()).await.unwrap();
        self.access.refresh(tenant(1)).await.unwrap();
    }

    /// `target` is path and query; an empty `token` sends none.
    pub async fn send(&self, token: &str, method: &str, target: &str, body: &str) -> Reply {
        self.send_to("lab", token, method, target, body).await
    }

    pub async fn send_to(&self, vault: &str, token: &str, method: &str, target: &str, body: &str) -> Reply {
        let mut request =
            http::Request::builder().method(method).uri(target).header("x-ms-client-request-id", "mine");
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request.body(full(body.to_owned())).unwrap();
        let context = Context {
            peer: Peer { address: None, local: None, tls: true, connection: 0 },
            request_id: SeededChance::new(9).uuid(),
            started: self.clock.now(),
            address: Address::new(SiteNames::under("s.example").unwrap(), 8443),
            place: Place::Vault(vault.to_owned()),
        };
        let (parts, body) = self.surface.serve(request, context).await.into_parts();
        let text = String::from_utf8(read_body(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub async fn set(&self, name: &str, value: &str) -> Reply {
        let body = json!({"value": value}).to_string();
        self.send("writer", "PUT", &format!("/secrets/{name}?api-version=7.4"), &body).await
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.send("reader", "GET", &format!("{target}?api-version=7.4"), "").await
    }

    /// Moves the vault to another group.
    pub async fn move_vault(&self, group: &str) {
        let group = ResourceId::of_group(SUBSCRIPTION.parse().unwrap(), group);
        self.put(group.clone(), "Microsoft.Resources/resourceGroups", json!({}), None).await;
        let to = ResourceId::parse(&format!("{group}/providers/Microsoft.KeyVault/vaults/lab")).unwrap();
        self.store.move_resources(tenant(1), vec![(vault_id(), to)], audit()).await.unwrap();
    }

    pub async fn audited(&self) -> Vec<AuditRecord> {
        self.store.records(tenant(1), AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap()
    }
}

pub fn vault_id() -> ResourceId {
    ResourceId::of_resource(SUBSCRIPTION.parse().unwrap(), "lab", "Microsoft.KeyVault", "vaults", "lab")
}

fn audit() -> AuditRecord {
    AuditRecord {
        tenant: tenant(1),
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
