//! Groups, resources, host names, tags: folding, filters, races, what goes with what.

use std::sync::Arc;

use cs_ids::ResourceId;
use cs_store::{
    Assignments, Directory, Expect, HostKind, NewPrincipal, Principal, PrincipalKind, Resource,
    ResourceFilter, ResourceWrite, Resources, SecretRow, Secrets, StoreError,
};

use super::{secrets::row, world::*};

async fn put(world: &World, write: ResourceWrite) -> Result<Resource, StoreError> {
    let of = write.resource.tenant;
    world.store.put_resource(write, record(of)).await
}

fn claiming(write: ResourceWrite, label: &str) -> ResourceWrite {
    ResourceWrite { host: Some((HostKind::Vault, label.to_owned(), vec![7; 61])), ..write }
}

pub async fn d01_one_id_in_any_case(world: &mut World) {
    put(world, group(tenant(1), "Lab")).await.unwrap();
    put(world, vault(tenant(1), "lab", "Kv1")).await.unwrap();
    let twin = put(world, vault(tenant(1), "LAB", "KV1")).await;
    assert!(matches!(twin, Err(StoreError::Exists(_))), "{twin:?}");
    let mut change = vault(tenant(1), "LAB", "KV1");
    change.expect = Expect::Generation(1);
    change.resource.location = "elsewhere".to_owned();
    let stored = put(world, change.clone()).await.unwrap();
    assert_eq!((stored.generation, stored.id.name(), stored.id.group()), (2, "Kv1", Some("lab")));
    let stale = put(world, change).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let found = world.store.resource(tenant(1), vault_id("lAb", "kV1")).await.unwrap().unwrap();
    assert_eq!(found, stored);
    let mut nothing = vault(tenant(1), "lab", "kv2");
    nothing.expect = Expect::Generation(1);
    assert!(matches!(put(world, nothing).await, Err(StoreError::Missing(_))));
}

pub async fn of_updaters_one_wins(world: &mut World) {
    put(world, group(tenant(1), "lab")).await.unwrap();
    let store = Arc::clone(&world.store);
    let outcomes = at_once(16, move |n| {
        let store = Arc::clone(&store);
        let mut change = group(tenant(1), "lab");
        change.expect = Expect::Generation(1);
        change.resource.location = format!("place{n}");
        async move { store.put_resource(change, record(tenant(1))).await }
    })
    .await;
    let won: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(StoreError::Conflict(_)))), "{outcomes:?}");
    let id = ResourceId::of_group(subscription(1), "lab");
    let found = world.store.resource(tenant(1), id).await.unwrap().unwrap();
    assert_eq!((found.location.as_str(), found.generation), (won[0].location.as_str(), 2));
}

pub async fn a_host_name_has_one_owner_in_all_tenants(world: &mut World) {
    for n in 0..8 {
        put(world, group(tenant(n), "lab")).await.unwrap();
    }
    let store = Arc::clone(&world.store);
    let outcomes = at_once(8, move |n| {
        let store = Arc::clone(&store);
        let write = claiming(vault(tenant(n), "lab", "kv1"), "kv1");
        async move { store.put_resource(write, record(tenant(n))).await.map(|_| n) }
    })
    .await;
    let won: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let owner = world.store.host_owner(HostKind::Vault, "kv1".into()).await.unwrap().unwrap();
    assert_eq!((owner.tenant, owner.wrapped_key), (tenant(*won[0]), vec![7; 61]));
    for n in (0..8).filter(|n| n != won[0]) {
        let beaten = world.store.resource(tenant(n), vault_id("lab", "kv1")).await.unwrap();
        assert_eq!(beaten, None, "who did not get the name got no vault either");
    }
    // The same label as an account is another name.
    assert!(!world.store.host_taken(HostKind::Account, "kv1".into()).await.unwrap());
}

/// Two groups; the vaults kv1 to kv4 with tags, two of them elsewhere.
async fn town(world: &World) {
    for name in ["Lab", "lab2"] {
        put(world, group(tenant(1), name)).await.unwrap();
    }
    for (group, name, env, location) in [
        ("lab", "kv1", "dev", "local"),
        ("lab", "kv2", "prod", "local"),
        ("lab", "Kv3", "dev", "north"),
        ("lab2", "kv4", "dev", "north"),
    ] {
        let mut write = vault(tenant(1), group, name);
        write.resource.location = location.to_owned();
        write.resource.tags = vec![("Env".into(), env.into()), ("x".into(), String::new())];
        put(world, write).await.unwrap();
    }
}

async fn names(world: &World, filter: ResourceFilter) -> Vec<String> {
    let filter = ResourceFilter { subscription: Some(subscription(1)), ..filter };
    let found = world.store.resources(tenant(1), filter).await.unwrap();
    found.iter().map(|r| r.id.name().to_owned()).collect()
}

pub async fn filters_are_joined_by_and(world: &mut World) {
    town(world).await;
    let all = || ResourceFilter { limit: 100, ..ResourceFilter::default() };
    assert_eq!(names(world, all()).await.len(), 6);
    assert_eq!(names(world, ResourceFilter { groups: Some(true), ..all() }).await, ["Lab", "lab2"]);
    let resources = ResourceFilter { groups: Some(false), ..all() };
    assert_eq!(names(world, resources.clone()).await, ["kv1", "kv2", "Kv3", "kv4"]);
    let in_lab = ResourceFilter { group: Some("lab".into()), ..resources };
    assert_eq!(names(world, in_lab.clone()).await, ["kv1", "kv2", "Kv3"]);
    let kind = Some("microsoft.keyvault/vaults".to_owned());
    assert_eq!(names(world, ResourceFilter { kind, ..in_lab.clone() }).await.len(), 3);
    assert_eq!(names(world, ResourceFilter { name: Some("kv3".into()), ..all() }).await, ["Kv3"]);
    assert_eq!(
        names(world, ResourceFilter { location: Some("north".into()), ..in_lab.clone() }).await,
        ["Kv3"]
    );
    let tagged = |value: Option<&str>| Some(("env".to_owned(), value.map(str::to_owned)));
    assert_eq!(names(world, ResourceFilter { tag: tagged(None), ..all() }).await.len(), 4);
    assert_eq!(
        names(world, ResourceFilter { tag: tagged(Some("dev")), ..all() }).await,
        ["kv1", "Kv3", "kv4"]
    );
    assert_eq!(names(world, ResourceFilter { tag: tagged(Some("DEV")), ..all() }).await, [""; 0]);
    assert_eq!(names(world, ResourceFilter { tag: tagged(Some("dev")), ..in_lab }).await, ["kv1", "Kv3"]);
    let other = ResourceFilter { subscription: Some(subscription(2)), ..all() };
    assert!(world.store.resources(tenant(1), other).await.unwrap().is_empty());
}

pub async fn tags_are_counted_and_defined(world: &mut World) {
    let (mine, s) = (tenant(1), subscription(1));
    town(world).await;
    let store = &world.store;
    assert!(store.define_tag(mine, s, "Team".into(), None, record(mine)).await.unwrap());
    assert!(!store.define_tag(mine, s, "TEAM".into(), None, record(mine)).await.unwrap());
    assert!(store.define_tag(mine, s, "team".into(), Some("red".into()), record(mine)).await.unwrap());
    let uses = store.tag_uses(mine, s).await.unwrap();
    let count = |name: &str, value: Option<&str>| -> i64 {
        let same = uses.iter().filter(|u| u.name.eq_ignore_ascii_case(name) && u.value.as_deref() == value);
        same.map(|u| u.count).sum()
    };
    assert_eq!((count("env", Some("dev")), count("env", Some("prod")), count("x", Some(""))), (3, 1, 4));
    assert!(uses.iter().any(|u| u.name == "Team" && u.value.is_none()));
    assert!(store.undefine_tag(mine, s, "TEAM".into(), None, record(mine)).await.unwrap());
    assert!(!store.undefine_tag(mine, s, "team".into(), None, record(mine)).await.unwrap());
    // A resource that goes takes its tags out of the count.
    assert!(store.remove_resource(mine, vault_id("lab", "kv2"), record(mine)).await.unwrap());
    let uses = store.tag_uses(mine, s).await.unwrap();
    assert!(!uses.iter().any(|u| u.value.as_deref() == Some("prod")));
}

pub async fn a_group_takes_everything_below_and_nothing_beside(world: &mut World) {
    let (mine, store) = (tenant(1), Arc::clone(&world.store));
    for (name, label, n) in [("lab", "kv1", 1), ("lab2", "kv2", 2)] {
        put(world, group(mine, name)).await.unwrap();
        let id = vault_id(name, label);
        let identity = Principal {
            kind: PrincipalKind::MachineIdentity,
            resource: Some(id.as_str().to_owned()),
            ..principal(mine, n)
        };
        let mut write = claiming(vault(mine, name, label), label);
        write.principal = Some(NewPrincipal { principal: identity, credentials: vec![] });
        put(world, write).await.unwrap();
        let below = assignment(mine, n, &id.scope().child("secrets", "a"), n);
        store.put_assignment(below, record(mine)).await.unwrap();
        store.set_secret(&allowed(), place(mine, &id), row("a", 1), record(mine)).await.unwrap();
    }
    let (_, before) = store.assignments_since(mine, 0).await.unwrap();
    let lab = ResourceId::of_group(subscription(1), "LAB");
    assert!(store.remove_resource(mine, lab.clone(), record(mine)).await.unwrap());
    assert!(!store.remove_resource(mine, lab, record(mine)).await.unwrap());
    let (changed, _) = store.assignments_since(mine, before).await.unwrap();
    assert_eq!(changed.iter().map(|a| (a.name.clone(), a.deleted)).collect::<Vec<_>>(), [(guid(1), true)]);
    for (name, label, n, stays) in [("lab", "kv1", 1, false), ("lab2", "kv2", 2, true)] {
        let id = vault_id(name, label);
        assert_eq!(store.resource(mine, id.clone()).await.unwrap().is_some(), stays);
        assert_eq!(store.principal(mine, object(n)).await.unwrap().is_some(), stays);
        assert_eq!(store.host_taken(HostKind::Vault, label.into()).await.unwrap(), stays);
        let secret: Option<SecretRow> =
            store.secret(&allowed(), place(mine, &id), "a".into(), None).await.unwrap();
        assert_eq!(secret.is_some(), stays);
    }
}

pub async fn tenants_do_not_see_each_other(world: &mut World) {
    for n in [1, 2] {
        put(world, group(tenant(n), "lab")).await.unwrap();
    }
    put(world, vault(tenant(1), "lab", "kv1")).await.unwrap();
    assert_eq!(world.store.resource(tenant(2), vault_id("lab", "kv1")).await.unwrap(), None);
    let lab = ResourceId::of_group(subscription(1), "lab");
    assert!(world.store.remove_resource(tenant(2), lab, record(tenant(2))).await.unwrap());
    assert!(world.store.resource(tenant(1), vault_id("lab", "kv1")).await.unwrap().is_some());
}
