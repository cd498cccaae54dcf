//! A store with one fresh tenant in it, and short ways to make the rows that cases need.

use std::path::Path;

use cs_ids::{ClientId, CorrelationId, ObjectId, ResourceId, Scope, SubscriptionId, TenantId};
use cs_rbac::Allowed;
use cs_store::{
    AuditOutcome, AuditRecord, Directory as _, Expect, HostKind, Principal, PrincipalKind, Resource,
    ResourceWrite, Resources as _, Site as _, Subscription, Tenant,
};
use cs_store_sql::SqlStore;
use cs_time::{Chance, MachineChance, Timestamp};
use serde_json::json;
use uuid::Uuid;

pub const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

pub struct World {
    pub store: SqlStore,
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    /// Another tenant of the same site.
    pub stranger: TenantId,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self::at(&folder.path().join("site.db")).await;
        world._folder = Some(folder);
        world
    }

    pub async fn at(file: &Path) -> Self {
        Self::peopled(SqlStore::sqlite(file).unwrap()).await
    }

    pub fn reopened(file: &Path, tenant: TenantId, subscription: SubscriptionId) -> Self {
        let store = SqlStore::sqlite(file).unwrap();
        Self { store, tenant, subscription, stranger: tenant, _folder: None }
    }

    pub async fn postgres() -> Option<Self> {
        let url = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()?;
        Some(Self::peopled(SqlStore::postgres(&url).await.unwrap()).await)
    }

    async fn peopled(store: SqlStore) -> Self {
        let (tenant, stranger) = (TenantId::from(uuid()), TenantId::from(uuid()));
        let subscription = SubscriptionId::from(uuid());
        let world = Self { store, tenant, subscription, stranger, _folder: None };
        for id in [tenant, stranger] {
            let domain = format!("{id}.example");
            let row = Tenant { id, display_name: "t".into(), domain, wrapped_key: vec![1], created: NOW };
            world.store.add_tenant(row).await.unwrap();
        }
        let row =
            Subscription { tenant, id: subscription, display_name: "s".into(), tags: vec![], created: NOW };
        world.store.add_subscription(row, world.audit("add")).await.unwrap();
        world.put(world.group("lab")).await.unwrap();
        world
    }

    /// A record as a part would write it; `action` is how a case finds it again.
    pub fn audit(&self, action: &str) -> AuditRecord {
        AuditRecord {
            tenant: self.tenant,
            time: NOW,
            correlation: CorrelationId::from(uuid()),
            caller: Some(ObjectId::from(uuid())),
            client: None,
            action: action.to_owned(),
            scope: "/".to_owned(),
            outcome: AuditOutcome::Done,
            because: "test".to_owned(),
        }
    }

    pub fn allowed(&self) -> Allowed {
        Allowed::by_the_site("a test of the store", Scope::root())
    }

    pub async fn principal(&self) -> Principal {
        let principal = Principal {
            tenant: self.tenant,
            object: ObjectId::from(uuid()),
            kind: PrincipalKind::Application,
            client: Some(ClientId::from(uuid())),
            display_name: "p".into(),
            enabled: true,
            resource: None,
            directory_admin: false,
            created: NOW,
            deleted: false,
            revision: 0,
        };
        self.store.add_principal(principal.clone(), vec![], self.audit("add")).await.unwrap();
        principal
    }

    pub fn group(&self, name: &str) -> Resource {
        self.row(ResourceId::of_group(self.subscription, name), "Microsoft.Resources/resourceGroups")
    }

    pub fn vault_id(&self, name: &str) -> ResourceId {
        let group = ResourceId::of_group(self.subscription, "lab");
        let text = format!("{group}/providers/Microsoft.KeyVault/vaults/{name}");
        ResourceId::parse(&text).unwrap()
    }

    pub fn vault(&self, name: &str) -> Resource {
        self.row(self.vault_id(name), "Microsoft.KeyVault/vaults")
    }

    fn row(&self, id: ResourceId, kind: &str) -> Resource {
        Resource {
            tenant: self.tenant,
            id,
            kind: kind.to_owned(),
            location: "local".into(),
            tags: vec![],
            extra: json!({}),
            properties: json!({"made": "by a test"}),
            created: NOW,
            updated: NOW,
            created_by: "t".into(),
            updated_by: "t".into(),
            deleted: None,
            generation: 0,
        }
    }

    /// Creates a resource that claims no host name.
    pub async fn put(&self, resource: Resource) -> Result<Resource, cs_store::StoreError> {
        let write = ResourceWrite { resource, expect: Expect::Absent, host: None, principal: None };
        self.store.put_resource(write, self.audit("put")).await
    }

    /// Creates a vault that claims its host name, as the resources part does.
    pub async fn put_vault(&self, name: &str, label: &str) -> Result<Resource, cs_store::StoreError> {
        let host = Some((HostKind::Vault, label.to_owned(), vec![7]));
        let write =
            ResourceWrite { resource: self.vault(name), expect: Expect::Absent, host, principal: None };
        self.store.put_resource(write, self.audit("put")).await
    }
}

pub fn uuid() -> Uuid {
    MachineChance.uuid()
}

/// A label that no other case uses: host names are unique on the whole site.
pub fn label() -> String {
    format!("v{}", &uuid().simple().to_string()[..20])
}
