//! The snapshot follows the store: grants and revocations, of this replica and of another.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use cs_access::{Access, CONFIRM_WITHIN_SECONDS, Refusal, Standing};
use cs_ids::{CorrelationId, ObjectId, Scope, TenantId};
use cs_rbac::Operation;
use cs_store::{Assignment, Assignments, AuditOutcome, AuditRecord, Directory, Principal, PrincipalKind};
use cs_store_sql::SqlStore;
use cs_time::{Clock, FakeClock, Timestamp};
use uuid::Uuid;

const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const READ: &str = "Microsoft.KeyVault/vaults/read";

struct World {
    _dir: tempfile::TempDir,
    store: Arc<SqlStore>,
    clock: Arc<FakeClock>,
    tenant: TenantId,
    machine: ObjectId,
    group: Scope,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqlStore::sqlite(&dir.path().join("site.db")).unwrap());
        let (tenant, machine) = (TenantId::new(Uuid::from_u128(1)), ObjectId::new(Uuid::from_u128(2)));
        let group =
            Scope::parse("/subscriptions/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab").unwrap();
        let world = Self {
            _dir: dir,
            store,
            clock: Arc::new(FakeClock::at_seconds(1_800_000_000)),
            tenant,
            machine,
            group,
        };
        world.store.add_principal(world.principal(), vec![], world.audit()).await.unwrap();
        world
    }

    fn access(&self) -> Access {
        let store = Arc::clone(&self.store);
        Access::new(Arc::clone(&store) as _, store as _, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    fn principal(&self) -> Principal {
        Principal {
            tenant: self.tenant,
            object: self.machine,
            kind: PrincipalKind::MachineIdentity,
            client: None,
            display_name: "m1".into(),
            enabled: true,
            resource: None,
            directory_admin: false,
            created: self.clock.now(),
            deleted: false,
            revision: 0,
        }
    }

    fn audit(&self) -> AuditRecord {
        AuditRecord {
            tenant: self.tenant,
            time: self.clock.now(),
            correlation: CorrelationId::new(Uuid::nil()),
            caller: None,
            client: None,
            action: "test".into(),
            scope: "/".into(),
            outcome: AuditOutcome::Done,
            because: String::new(),
        }
    }

    async fn assign(&self, name: u128) -> Assignment {
        let assignment = Assignment {
            tenant: self.tenant,
            name: Uuid::from_u128(name).to_string(),
            scope: self.group.clone(),
            role: READER.into(),
            principal: self.machine,
            principal_type: "ServicePrincipal".into(),
            condition: None,
            condition_version: None,
            description: None,
            created: Timestamp::default(),
            updated: Timestamp::default(),
            created_by: None,
            updated_by: None,
            deleted: false,
            revision: 0,
        };
        self.store.put_assignment(assignment, self.audit()).await.unwrap().0
    }

    fn op(&self) -> Operation {
        Operation::invented(self.tenant, self.machine)
    }
}

#[tokio::test]
async fn a_grant_counts_from_the_refresh_on_and_ends_with_its_removal() {
    let world = World::new().await;
    let access = world.access();
    let vault = world.group.child("providers", "Microsoft.KeyVault").child("vaults", "kv");
    assert_eq!(access.require_action(&world.op(), READ, &vault).unwrap_err(), Refusal::Unconfirmed);
    access.refresh(world.tenant).await.unwrap();
    assert!(matches!(access.require_action(&world.op(), READ, &vault), Err(Refusal::Denied(_))));
    let made = world.assign(7).await;
    access.refresh(world.tenant).await.unwrap();
    assert!(access.require_action(&world.op(), READ, &vault).unwrap().covers(&vault));
    assert!(access.is_visible(&world.op(), &Scope::root()).unwrap());
    world.store.remove_assignment(world.tenant, made.scope, made.name, world.audit()).await.unwrap().unwrap();
    access.refresh(world.tenant).await.unwrap();
    assert!(access.require_action(&world.op(), READ, &vault).is_err());
}

#[tokio::test]
async fn another_replica_hears_of_revocation_by_polling() {
    let world = World::new().await;
    world.assign(7).await;
    let other = Arc::new(world.access());
    other.refresh(world.tenant).await.unwrap();
    assert_eq!(other.standing(world.tenant, world.machine), Standing::Good);
    let watching = tokio::spawn({
        let other = Arc::clone(&other);
        async move { other.watch().await }
    });
    world.store.set_enabled(world.tenant, world.machine, false, world.audit()).await.unwrap();
    let told = async {
        while other.standing(world.tenant, world.machine) != Standing::Gone {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("the revocation arrives");
    watching.abort();
}

#[tokio::test]
async fn an_unconfirmed_snapshot_refuses() {
    let world = World::new().await;
    world.assign(7).await;
    let access = world.access();
    access.refresh(world.tenant).await.unwrap();
    world.clock.advance(CONFIRM_WITHIN_SECONDS + 1);
    assert_eq!(access.require_action(&world.op(), READ, &world.group).unwrap_err(), Refusal::Unconfirmed);
    assert_eq!(access.standing(world.tenant, world.machine), Standing::Unconfirmed);
    access.refresh(world.tenant).await.unwrap();
    assert!(access.require_action(&world.op(), READ, &world.group).is_ok());
}

#[tokio::test]
async fn d05_a_removed_principal_takes_its_assignments_along() {
    let world = World::new().await;
    world.assign(7).await;
    let access = world.access();
    world.store.remove_principal(world.tenant, world.machine, world.audit()).await.unwrap();
    access.refresh(world.tenant).await.unwrap();
    assert!(access.require_action(&world.op(), READ, &world.group).is_err());
    assert_eq!(access.standing(world.tenant, world.machine), Standing::Gone);
}
