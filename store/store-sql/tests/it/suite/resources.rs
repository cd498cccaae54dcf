use cs_ids::ResourceId;
use cs_store::{
    DeletedFilter, Expect, HostKind, Resource, ResourceFilter, ResourceWrite, Resources as _, StoreError,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::world::{NOW, World, label, uuid};

fn update(resource: Resource, generation: i64) -> ResourceWrite {
    ResourceWrite { resource, expect: Expect::Generation(generation), host: None, principal: None }
}

fn of(w: &World) -> ResourceFilter {
    ResourceFilter { subscription: Some(w.subscription), ..ResourceFilter::default() }
}

pub async fn a_resource_is_found_without_regard_to_case(w: &World) {
    let made = w.put(Resource { tags: vec![("A".into(), "b".into())], ..w.vault("Kv-One") }).await.unwrap();
    let shouted =
        ResourceId::parse(&made.id.as_str().to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"));
    let found = w.store.resource(w.tenant, shouted.unwrap()).await.unwrap().unwrap();
    assert_eq!(found, made);
    assert_eq!(found.id.as_str(), made.id.as_str(), "shown as first written");
    assert_eq!(w.store.resource(w.stranger, made.id).await.unwrap(), None, "not in another tenant");
    let homeless = Resource {
        id: ResourceId::parse(&w.vault_id("x").as_str().replace("/lab/", "/nowhere/")).unwrap(),
        ..w.vault("x")
    };
    assert!(matches!(w.put(homeless).await, Err(StoreError::Missing(_))));
}

pub async fn an_update_must_know_the_generation(w: &World) {
    let made = w.put(w.vault("kv")).await.unwrap();
    let change = Resource { location: "north".into(), ..made.clone() };
    let changed = w.store.put_resource(update(change.clone(), made.generation), w.audit("u")).await.unwrap();
    assert!(changed.generation > made.generation && changed.location == "north");
    let late = w.store.put_resource(update(change, made.generation), w.audit("u")).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert!(matches!(w.put(w.vault("KV")).await, Err(StoreError::Exists(_))), "it is there already");
}

pub async fn one_of_many_creators_wins(w: &World) {
    let results = join_all((0..8).map(|_| w.put(w.vault("raced")))).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
    assert!(
        results.iter().flat_map(|r| r.as_ref().err()).all(|e| matches!(e, StoreError::Exists(_))),
        "{results:?}"
    );
}

pub async fn a_host_name_belongs_to_one_tenant(w: &World) {
    let name = label();
    w.put_vault(&name, &name).await.unwrap();
    let owner = w.store.host_owner(HostKind::Vault, name.clone()).await.unwrap().unwrap();
    assert_eq!((owner.tenant, owner.id, owner.wrapped_key), (w.tenant, w.vault_id(&name), vec![7]));
    assert_eq!(w.store.host_owner(HostKind::Account, name.clone()).await.unwrap(), None, "kinds are apart");
    let taken = w.put_vault("another", &name).await;
    assert!(matches!(taken, Err(StoreError::Exists(_))), "{taken:?}");
    assert_eq!(w.store.resource(w.tenant, w.vault_id("another")).await.unwrap(), None, "all or nothing");
}

pub async fn a_soft_deleted_vault_keeps_its_name(w: &World) {
    let (name, id) = (label(), |n: &str| w.vault_id(n));
    w.put_vault(&name, &name).await.unwrap();
    assert!(w.store.soft_delete_resource(w.tenant, id(&name), NOW, w.audit("del")).await.unwrap());
    assert_eq!(w.store.resource(w.tenant, id(&name)).await.unwrap(), None);
    assert_eq!(w.store.host_owner(HostKind::Vault, name.clone()).await.unwrap(), None);
    assert!(w.store.host_taken(HostKind::Vault, name.clone()).await.unwrap());
    let deleted = w
        .store
        .deleted_resources(w.tenant, w.subscription, DeletedFilter { limit: 10, ..DeletedFilter::default() })
        .await
        .unwrap();
    assert_eq!(
        deleted.iter().map(|r| (r.id.clone(), r.deleted)).collect::<Vec<_>>(),
        [(id(&name), Some(NOW))]
    );
    assert!(w.store.recover_resource(w.tenant, id(&name), w.audit("back")).await.unwrap());
    assert!(w.store.host_owner(HostKind::Vault, name).await.unwrap().is_some());
}

pub async fn a_group_takes_all_below_it_along(w: &World) {
    w.put(w.group("lab2")).await.unwrap();
    let name = label();
    w.put_vault(&name, &name).await.unwrap();
    let group = ResourceId::of_group(w.subscription, "LAB");
    assert!(w.store.remove_resource(w.tenant, group.clone(), w.audit("rm")).await.unwrap());
    assert!(!w.store.remove_resource(w.tenant, group, w.audit("rm")).await.unwrap(), "once only");
    assert_eq!(w.store.resource(w.tenant, w.vault_id(&name)).await.unwrap(), None);
    assert!(!w.store.host_taken(HostKind::Vault, name).await.unwrap(), "the name is free again");
    let neighbour = ResourceId::of_group(w.subscription, "lab2");
    assert!(w.store.resource(w.tenant, neighbour).await.unwrap().is_some(), "lab2 does not lie below lab");
}

pub async fn machines_are_found_by_their_id(w: &World) {
    let machine = |name: &str, properties| {
        let id = ResourceId::of_resource(w.subscription, "lab", "Microsoft.HybridCompute", "machines", name);
        let kind = "Microsoft.HybridCompute/machines".to_owned();
        Resource { id, kind, properties, ..w.vault(name) }
    };
    let vm = label();
    w.put(machine("m1", json!({"a": 1, "vmId": vm, "z": 2}))).await.unwrap();
    w.put(machine("m2", json!({"vmId": vm.to_uppercase()}))).await.unwrap();
    w.put(machine("m3", json!({"vmId": "another", "nested": {"vmId": vm}}))).await.unwrap();
    w.put(Resource { properties: json!({"vmId": vm}), ..w.vault("m4") }).await.unwrap();
    let found = w.store.machines_called(w.tenant, vm).await.unwrap();
    assert_eq!(found.iter().map(|r| r.id.name()).collect::<Vec<_>>(), ["m1", "m2"]);
}

pub async fn listing_goes_on_after_a_key(w: &World) {
    for number in 0..5 {
        w.put(w.vault(&format!("kv{number}"))).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let filter = ResourceFilter { groups: Some(false), after, limit: 2, ..of(w) };
        let page = w.store.resources(w.tenant, filter).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.key().to_owned());
        found.extend(page.iter().map(|r| r.id.name().to_owned()));
    }
    assert_eq!(found, ["kv0", "kv1", "kv2", "kv3", "kv4"]);
    w.put(w.vault("kv20")).await.unwrap();
    for parent in ["kv2", "kv20", "kv3"] {
        let child = w.vault_id(parent).child("things", "t");
        w.put(Resource { id: child, ..w.vault(parent) }).await.unwrap();
    }
    let below = Some(w.vault_id("kv2").key().to_owned());
    let children = w.store.resources(w.tenant, ResourceFilter { below, limit: 10, ..of(w) }).await.unwrap();
    let ids: Vec<&str> = children.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, [w.vault_id("kv2").child("things", "t").as_str()], "and none of its neighbours");
}

/// PostgreSQL takes no NUL in a text, and no long text as a key; SQLite takes both. Neither says "try again".
pub async fn what_an_engine_cannot_take_is_the_callers_to_mend(w: &World) {
    let define = async |value: String| {
        let name = "odd".to_owned();
        w.store.define_tag(w.tenant, w.subscription, name, Some(value), w.audit("tag")).await
    };
    // Drawn, so that no engine makes it short.
    let long: String = (0..120).map(|_| uuid().simple().to_string()).collect();
    for value in ["a\0".to_owned(), long] {
        let outcome = define(value).await;
        assert!(outcome.is_ok() || outcome.as_ref().is_err_and(StoreError::is_unstorable), "{outcome:?}");
    }
}

pub async fn tags_are_counted(w: &World) {
    let tagged =
        |name: &str, value: &str| Resource { tags: vec![("Env".into(), value.into())], ..w.vault(name) };
    w.put(tagged("kv1", "prod")).await.unwrap();
    w.put(tagged("kv2", "prod")).await.unwrap();
    let define = async |value: Option<String>| {
        w.store.define_tag(w.tenant, w.subscription, "scenario".into(), value, w.audit("tag")).await.unwrap()
    };
    assert!(define(None).await);
    assert!(!define(None).await, "once only");
    assert!(define(Some("lab".into())).await);
    let uses = w.store.tag_uses(w.tenant, w.subscription).await.unwrap();
    let count = |name: &str, value: Option<&str>| {
        uses.iter()
            .find(|u| u.name.eq_ignore_ascii_case(name) && u.value.as_deref() == value)
            .map(|u| u.count)
    };
    assert_eq!(count("env", Some("prod")), Some(2), "{uses:?}");
    assert_eq!(count("scenario", None), Some(0), "{uses:?}");
    assert_eq!(count("scenario", Some("lab")), Some(0), "{uses:?}");
    let filter = ResourceFilter { tag: Some(("env".into(), Some("prod".into()))), limit: 10, ..of(w) };
    assert_eq!(w.store.resources(w.tenant, filter).await.unwrap().len(), 2);
}
