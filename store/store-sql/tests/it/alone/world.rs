//! A store of either engine, and things to put into it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cs_ids::{ClientId, CorrelationId, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_rbac::Allowed;
use cs_store::{
    Assignment, AuditOutcome, AuditRecord, Expect, Principal, PrincipalKind, Resource, ResourceWrite,
    StoreError, VaultPlace,
};
use cs_store_sql::SqlStore;
use cs_time::Timestamp;
use tokio_postgres::NoTls;
use uuid::Uuid;

pub struct World {
    pub store: Arc<SqlStore>,
    pub home: Home,
}

pub enum Home {
    Sqlite(tempfile::TempDir),
    /// Address of the server, and of a database of our own on it.
    Postgres {
        server: String,
        database: String,
        name: String,
    },
}

const VARIABLE: &str = "COUNTERSIGN_TEST_POSTGRES";

impl World {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&folder.path().join("site.db")).unwrap());
        Self { store, home: Home::Sqlite(folder) }
    }

    #[expect(clippy::print_stderr, reason = "says why a test did nothing")]
    pub async fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var(VARIABLE) else {
            eprintln!("skipped: {VARIABLE} is not set");
            return None;
        };
        let name = format!("suite_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        sql(&server, &format!("CREATE DATABASE {name}")).await;
        let (before, after) = server.rsplit_once('/').unwrap();
        let options = after.split_once('?').map(|(_, o)| format!("?{o}")).unwrap_or_default();
        let database = format!("{before}/{name}{options}");
        let store = Arc::new(SqlStore::postgres(&database).await.unwrap());
        Some(Self { store, home: Home::Postgres { server, database, name } })
    }

    pub async fn drop_database(self) {
        if let Home::Postgres { server, name, .. } = &self.home {
            sql(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    /// One more store on the same database.
    pub async fn open(&self) -> Result<SqlStore, StoreError> {
        match &self.home {
            Home::Sqlite(folder) => SqlStore::sqlite(&folder.path().join("site.db")),
            Home::Postgres { database, .. } => SqlStore::postgres(database).await,
        }
    }

    /// Closes the store and opens it again.
    pub async fn reopen(&mut self) {
        if let Home::Sqlite(_) = self.home {
            // The writer ends with the last store: a throw-away one takes its place in between.
            let elsewhere = tempfile::tempdir().unwrap();
            self.store = Arc::new(SqlStore::sqlite(&elsewhere.path().join("none.db")).unwrap());
        }
        self.store = Arc::new(self.open().await.unwrap());
    }
}

/// Runs SQL past the store.
pub async fn sql(address: &str, text: &str) {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    drop(connection.await);
}

pub fn tenant(n: u128) -> TenantId {
    TenantId::new(Uuid::from_u128(0x1000 + n))
}

pub fn object(n: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(0x2000 + n))
}

pub fn client(n: u128) -> ClientId {
    ClientId::new(Uuid::from_u128(0x3000 + n))
}

pub fn subscription(n: u128) -> SubscriptionId {
    SubscriptionId::new(Uuid::from_u128(0x4000 + n))
}

pub fn correlation(n: u128) -> CorrelationId {
    CorrelationId::new(Uuid::from_u128(0x5000 + n))
}

/// A GUID for the name of an assignment.
pub fn guid(n: u128) -> String {
    Uuid::from_u128(0x6000 + n).to_string()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

pub fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

pub fn record(of: TenantId) -> AuditRecord {
    AuditRecord {
        tenant: of,
        time: at(0),
        correlation: correlation(0),
        caller: Some(object(0)),
        client: None,
        action: "Microsoft.Test/things/write".to_owned(),
        scope: "/".to_owned(),
        outcome: AuditOutcome::Done,
        because: "a test".to_owned(),
    }
}

pub fn allowed() -> Allowed {
    Allowed::by_the_site("a test of the store", Scope::root())
}

pub fn principal(of: TenantId, n: u128) -> Principal {
    Principal {
        tenant: of,
        object: object(n),
        kind: PrincipalKind::Application,
        client: Some(client(n)),
        display_name: format!("principal {n}"),
        enabled: true,
        resource: None,
        directory_admin: false,
        created: at(0),
        deleted: false,
        revision: 0,
    }
}

pub fn assignment(of: TenantId, name: u128, over: &Scope, holder: u128) -> Assignment {
    Assignment {
        tenant: of,
        name: guid(name),
        scope: over.clone(),
        role: guid(0xaaa),
        principal: object(holder),
        principal_type: "ServicePrincipal".to_owned(),
        condition: None,
        condition_version: None,
        description: None,
        created: at(0),
        updated: at(0),
        created_by: None,
        updated_by: None,
        deleted: false,
        revision: 0,
    }
}

pub fn group(of: TenantId, name: &str) -> ResourceWrite {
    creation(of, ResourceId::of_group(subscription(1), name), "Microsoft.Resources/resourceGroups")
}

pub fn vault_id(group: &str, name: &str) -> ResourceId {
    ResourceId::of_resource(subscription(1), group, "Microsoft.KeyVault", "vaults", name)
}

pub fn vault(of: TenantId, group: &str, name: &str) -> ResourceWrite {
    creation(of, vault_id(group, name), "Microsoft.KeyVault/vaults")
}

pub fn creation(of: TenantId, id: ResourceId, kind: &str) -> ResourceWrite {
    let empty = || serde_json::Value::Object(serde_json::Map::new());
    let resource = Resource {
        tenant: of,
        id,
        kind: kind.to_owned(),
        location: "local".to_owned(),
        tags: Vec::new(),
        extra: empty(),
        properties: empty(),
        created: at(0),
        updated: at(0),
        created_by: "somebody".to_owned(),
        updated_by: "somebody".to_owned(),
        deleted: None,
        generation: 0,
    };
    ResourceWrite { resource, expect: Expect::Absent, host: None, principal: None }
}

pub fn place(of: TenantId, vault: &ResourceId) -> VaultPlace {
    VaultPlace { tenant: of, vault: vault.key().to_owned() }
}

/// Runs `count` futures at once, each on a task of its own, and answers their outcomes.
pub async fn at_once<T, F, Fut>(count: u128, make: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(u128) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(make(n))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}
