use cs_ids::Scope;
use cs_store::{
    AccessRules as _, Assignment, Assignments as _, DenyRow, Lock, LockLevel, Locks as _, Part,
    Resources as _, RoleRow, StoreError,
};
use serde_json::json;

use crate::world::{NOW, World, uuid};

fn role(w: &World, id: &str, name: &str) -> RoleRow {
    RoleRow {
        tenant: w.tenant,
        id: id.to_owned(),
        name: name.to_owned(),
        description: "d".into(),
        permissions: json!([{"actions": ["*/read"]}]),
        assignable: vec![format!("/subscriptions/{}", w.subscription)],
        created: NOW,
        updated: NOW,
        created_by: None,
        updated_by: None,
        deleted: false,
    }
}

pub async fn roles_have_one_name_and_stay_while_assigned(w: &World) {
    let (one, two) = (uuid().to_string(), uuid().to_string());
    let put = async |id: &str, name: &str| w.store.put_role(role(w, id, name), 2, w.audit("put")).await;
    let stored = put(&one, "Lab").await.unwrap();
    assert_eq!(w.store.role(w.tenant, one.clone()).await.unwrap(), Some(stored));
    assert!(matches!(put(&two, "LAB").await, Err(StoreError::Exists(_))));
    put(&two, "Other").await.unwrap();
    assert!(matches!(put(&uuid().to_string(), "Third").await, Err(StoreError::Conflict(_))));
    let (changes, seen) = w.store.rules_since(w.tenant, 0).await.unwrap();
    assert_eq!(changes.roles.len(), 2);
    let assignment = Assignment {
        tenant: w.tenant,
        name: uuid().to_string(),
        scope: Scope::root(),
        role: one.clone(),
        principal: w.principal().await.object,
        principal_type: "ServicePrincipal".into(),
        condition: None,
        condition_version: None,
        description: None,
        created: NOW,
        updated: NOW,
        created_by: None,
        updated_by: None,
        deleted: false,
        revision: 0,
    };
    let (held, _) = w.store.put_assignment(assignment, w.audit("assign")).await.unwrap();
    let gone = async || w.store.remove_role(w.tenant, one.clone(), w.audit("rm")).await;
    assert!(matches!(gone().await, Err(StoreError::Conflict(_))));
    w.store.remove_assignment(w.tenant, held.scope, held.name, w.audit("rm")).await.unwrap();
    assert!(gone().await.unwrap().is_some());
    assert!(gone().await.unwrap().is_none());
    let (changes, _) = w.store.rules_since(w.tenant, seen).await.unwrap();
    assert!(changes.roles.len() == 1 && changes.roles[0].deleted, "{changes:?}");
    put(&uuid().to_string(), "lab").await.unwrap();
    assert_eq!(w.store.roles(w.tenant).await.unwrap().len(), 2, "its name is free again");
}

pub async fn denies_and_locks_go_with_their_scope(w: &World) {
    let scope = w.vault_id("kv").scope().clone();
    w.put(w.vault("kv")).await.unwrap();
    let group = cs_ids::ResourceId::of_group(w.subscription, "lab");
    let deny = DenyRow {
        tenant: w.tenant,
        id: uuid().to_string(),
        scope: scope.clone(),
        body: json!({"a": 1}),
        created: NOW,
        updated: NOW,
        created_by: None,
        updated_by: None,
        deleted: false,
    };
    assert!(w.store.put_deny(deny.clone(), w.audit("deny")).await.unwrap().1);
    assert!(!w.store.put_deny(deny.clone(), w.audit("deny")).await.unwrap().1);
    let elsewhere = DenyRow { scope: Scope::root(), ..deny.clone() };
    assert!(matches!(w.store.put_deny(elsewhere, w.audit("deny")).await, Err(StoreError::Conflict(_))));
    let lock = Lock {
        tenant: w.tenant,
        scope: scope.clone(),
        name: "Keep".into(),
        level: LockLevel::CanNotDelete,
        notes: None,
        owners: json!([]),
    };
    assert!(w.store.put_lock(lock.clone(), w.audit("lock")).await.unwrap());
    let read_only = Lock { name: "KEEP".into(), level: LockLevel::ReadOnly, ..lock };
    assert!(!w.store.put_lock(read_only, w.audit("lock")).await.unwrap());
    let locks = async |at: &Scope, below| {
        w.store.locks(w.tenant, at.clone(), below, Part::WHOLE).await.unwrap().len()
    };
    assert_eq!((locks(group.scope(), false).await, locks(group.scope(), true).await), (0, 1));
    assert_eq!(locks(&scope.child("secrets", "x"), false).await, 1, "above counts");
    let denies = async |at: &Scope, below| {
        w.store.denies(w.tenant, at.clone(), below, Part::WHOLE).await.unwrap().len()
    };
    assert_eq!((denies(group.scope(), false).await, denies(group.scope(), true).await), (0, 1));
    let (_, seen) = w.store.rules_since(w.tenant, 0).await.unwrap();
    w.store.remove_resource(w.tenant, group.clone(), w.audit("rm")).await.unwrap();
    assert_eq!((locks(group.scope(), true).await, denies(group.scope(), true).await), (0, 0));
    let (changes, _) = w.store.rules_since(w.tenant, seen).await.unwrap();
    assert!(changes.denies.len() == 1 && changes.denies[0].deleted);
}

pub async fn a_moved_vault_takes_its_name_and_children_along(w: &World) {
    let name = crate::world::label();
    let made = w.put_vault(&name, &name).await.unwrap();
    let child = cs_store::Resource {
        id: made.id.child("things", "Ä"),
        kind: "Microsoft.KeyVault/vaults/things".into(),
        tags: vec![("a".into(), "b".into())],
        ..w.vault("x")
    };
    w.put(child.clone()).await.unwrap();
    w.put(w.group("far")).await.unwrap();
    let to = cs_ids::ResourceId::parse(&made.id.as_str().replace("/lab/", "/far/")).unwrap();
    let moves = vec![(made.id.clone(), to.clone())];
    w.store.move_resources(w.tenant, moves, w.audit("move")).await.unwrap();
    let owner = w.store.host_owner(cs_store::HostKind::Vault, name).await.unwrap().unwrap();
    assert_eq!((&owner.id, owner.sealed_as.as_str()), (&to, made.id.key()), "bound to where it was made");
    let there = w.store.resource(w.tenant, to.child("things", "Ä")).await.unwrap().unwrap();
    assert_eq!((there.id.as_str(), &there.tags), (to.child("things", "Ä").as_str(), &child.tags));
    assert_eq!(w.store.resource(w.tenant, child.id).await.unwrap(), None);
    let back = vec![(to, made.id.clone())];
    w.store.move_resources(w.tenant, back, w.audit("move")).await.unwrap();
    assert!(w.store.remove_resource(w.tenant, made.id, w.audit("rm")).await.unwrap());
}

pub async fn a_moved_resource_is_found_at_its_new_place_alone(w: &World) {
    let from = w.vault_id("moved");
    w.put(cs_store::Resource { tags: vec![("a".into(), "b".into())], ..w.vault("moved") }).await.unwrap();
    let to = cs_ids::ResourceId::parse(&from.as_str().replace("/lab/", "/other/")).unwrap();
    let go =
        async || w.store.move_resources(w.tenant, vec![(from.clone(), to.clone())], w.audit("move")).await;
    assert!(matches!(go().await, Err(StoreError::Missing(_))), "its group is not there");
    w.put(w.group("other")).await.unwrap();
    go().await.unwrap();
    assert_eq!(w.store.resource(w.tenant, from.clone()).await.unwrap(), None);
    assert_eq!(w.store.resource(w.tenant, to.clone()).await.unwrap().unwrap().id, to);
    let by_tag = cs_store::ResourceFilter {
        subscription: Some(w.subscription),
        group: Some("other".into()),
        tag: Some(("a".into(), None)),
        limit: 10,
        ..cs_store::ResourceFilter::default()
    };
    assert_eq!(w.store.resources(w.tenant, by_tag).await.unwrap().len(), 1);
    assert!(matches!(go().await, Err(StoreError::Exists(_))), "taken by itself");
    w.put(w.vault("moved")).await.unwrap();
    assert!(matches!(go().await, Err(StoreError::Exists(_))), "and by the first of two");
    assert!(w.store.resource(w.tenant, from.clone()).await.unwrap().is_some(), "nothing has moved");
}
