//! Servers and their rules over a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected should stop there"
)]

use std::sync::Arc;

use cs_databases::{DatabaseError, Databases};
use cs_ids::{CorrelationId, ResourceId, TenantId};
use cs_seal::Key;
use cs_store::{
    AuditOutcome, AuditRecord, Expect, HostKind, Resource, ResourceWrite, Resources, Site, Subscription,
    Tenant,
};
use cs_store_sql::SqlStore;
use cs_time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const GROUP: &str = "/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct World {
    _dir: tempfile::TempDir,
    store: Arc<SqlStore>,
    databases: Databases,
}

struct Keys;

impl cs_databases::DataKeys for Keys {
    fn open(&self, _: TenantId, wrapped: &[u8]) -> Option<Key> {
        (wrapped == b"wrapped").then(|| Key::from_bytes([7; 32]))
    }
}

fn tenant() -> TenantId {
    TenantId::new(Uuid::from_u128(1))
}

fn audit() -> AuditRecord {
    AuditRecord {
        tenant: tenant(),
        time: NOW,
        correlation: CorrelationId::new(Uuid::nil()),
        caller: None,
        client: None,
        action: "test".into(),
        scope: "/".into(),
        outcome: AuditOutcome::Done,
        because: String::new(),
    }
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let databases = Databases::new(Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::new(Keys));
        let world = Self { _dir: dir, store, databases };
        let row = Tenant {
            id: tenant(),
            display_name: "t".into(),
            domain: "s.test".into(),
            wrapped_key: vec![],
            created: NOW,
        };
        world.store.add_tenant(row).await.unwrap();
        let group = ResourceId::parse(GROUP).unwrap();
        let subscription = Subscription {
            tenant: tenant(),
            id: group.subscription(),
            display_name: "s".into(),
            tags: vec![],
            created: NOW,
        };
        world.store.add_subscription(subscription, audit()).await.unwrap();
        world.put(GROUP, "Microsoft.Resources/resourceGroups", json!({}), None).await;
        world
    }

    async fn put(&self, id: &str, kind: &str, properties: Value, host: Option<(&str, &[u8])>) {
        let resource = Resource {
            tenant: tenant(),
            id: ResourceId::parse(id).unwrap(),
            kind: kind.into(),
            location: "local".into(),
            tags: vec![],
            extra: json!({}),
            properties,
            created: NOW,
            updated: NOW,
            created_by: String::new(),
            updated_by: String::new(),
            deleted: None,
            generation: 0,
        };
        let host = host.map(|(label, key)| (HostKind::Server, label.to_owned(), key.to_vec()));
        let write = ResourceWrite { resource, expect: Expect::Absent, host, principal: None };
        self.store.put_resource(write, audit()).await.unwrap();
    }

    async fn server(&self, name: &str, key: &[u8]) {
        let id = format!("{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}");
        let properties = json!({"clientCertificateAuthority": "PEM", "sessions": {"replication": true}});
        self.put(&id, cs_database::SERVERS, properties, Some((name, key))).await;
    }

    async fn rule(&self, server: &str, n: u128, properties: Value) {
        let object = Uuid::from_u128(n);
        let id = format!(
            "{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{server}/administrators/{object}"
        );
        self.put(&id, cs_database::ADMINISTRATORS, properties, None).await;
    }
}

fn names(role: &str) -> Value {
    json!({"principalName": role, "principalType": "ServicePrincipal"})
}

#[tokio::test]
async fn a_server_comes_with_all_of_its_rules_and_none_of_its_neighbours() {
    let world = World::new().await;
    for name in ["db1", "db10", "db2"] {
        world.server(name, b"wrapped").await;
        world.rule(name, 9999, names(name)).await;
    }
    // More than a page.
    for n in 1..=150 {
        world.rule("db1", n, names(&format!("role{n}"))).await;
    }
    let server = world.databases.server("db1").await.unwrap().unwrap();
    assert_eq!((server.tenant, server.id.name(), server.label.as_str()), (tenant(), "db1", "db1"));
    assert!(server.settings.replication && server.client_authority == "PEM");
    let mut roles: Vec<&str> = server.rules.iter().map(|r| r.role.as_str()).collect();
    roles.sort_unstable();
    roles.dedup();
    assert_eq!(roles.len(), 151);
    assert!(roles.contains(&"db1") && !roles.contains(&"db10") && roles.contains(&"role150"));
    assert!(world.databases.server("nowhere").await.unwrap().is_none());
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_gives_nobody_anything() {
    let world = World::new().await;
    world.server("db1", b"wrapped").await;
    world.rule("db1", 1, names("pg_monitor")).await;
    world.rule("db1", 2, json!({"principalName": "x", "principalType": "Robot"})).await;
    world.rule("db1", 3, json!({})).await;
    world.rule("db1", 4, names("good")).await;
    let server = world.databases.server("db1").await.unwrap().unwrap();
    assert_eq!(server.rules.iter().map(|r| r.role.as_str()).collect::<Vec<_>>(), ["good"]);
}

#[tokio::test]
async fn only_an_only_server_is_meant_without_a_name() {
    let world = World::new().await;
    assert_eq!(world.databases.only_label().await.unwrap(), None);
    world.server("db1", b"wrapped").await;
    assert_eq!(world.databases.only_label().await.unwrap().as_deref(), Some("db1"));
    world.server("db2", b"wrapped").await;
    assert_eq!(world.databases.only_label().await.unwrap(), None);
}

#[tokio::test]
async fn a_key_of_another_site_opens_nothing() {
    let world = World::new().await;
    world.server("db1", b"foreign").await;
    assert!(matches!(world.databases.server("db1").await, Err(DatabaseError::Sealed)));
}
