//! Secrets: versions, soft delete, races.

use std::sync::Arc;

use cs_store::{SecretChange, SecretRow, Secrets, StoreError, VaultPlace};

use super::world::*;

/// Version `n` of a secret; the sealed value says which.
pub fn row(name: &str, n: u128) -> SecretRow {
    SecretRow {
        name: name.to_owned(),
        version: format!("{n:032x}"),
        sealed: vec![0, 255, u8::try_from(n).unwrap()],
        content_type: Some("text/plain".to_owned()),
        tags: vec![("b".into(), "1".into()), ("a".into(), String::new())],
        enabled: true,
        not_before: Some(1),
        expires: None,
        created: at(1),
        updated: at(1),
    }
}

fn version(n: u128) -> Option<String> {
    Some(format!("{n:032x}"))
}

fn here() -> VaultPlace {
    place(tenant(1), &vault_id("lab", "kv1"))
}

async fn set(world: &World, row: SecretRow) -> Result<String, StoreError> {
    world.store.set_secret(&allowed(), here(), row, record(tenant(1))).await
}

async fn get(world: &World, name: &str, version: Option<String>) -> Option<SecretRow> {
    world.store.secret(&allowed(), here(), name.to_owned(), version).await.unwrap()
}

pub async fn e03_a_deleted_name_is_taken_until_purged(world: &mut World) {
    let (mine, store) = (tenant(1), Arc::clone(&world.store));
    set(world, row("Logo", 1)).await.unwrap();
    set(world, row("Logo", 2)).await.unwrap();
    assert_eq!(store.deleted_secret(&allowed(), here(), "logo".into()).await.unwrap(), None);
    let delete = async |name: &str| {
        store.delete_secret(&allowed(), here(), name.into(), at(5), at(50), record(mine)).await.unwrap()
    };
    let deleted = delete("LOGO").await.unwrap();
    assert_eq!(
        (deleted.newest.version.clone(), deleted.deleted, deleted.purge),
        (version(2).unwrap(), at(5), at(50))
    );
    assert!(deleted.newest.sealed.is_empty());
    assert_eq!(delete("logo").await, None);
    assert_eq!((get(world, "logo", None).await, get(world, "logo", version(1)).await), (None, None));
    assert_eq!(store.deleted_secret(&allowed(), here(), "logo".into()).await.unwrap(), Some(deleted));
    let taken = set(world, row("logo", 3)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let back = store.recover_secret(&allowed(), here(), "logo".into(), record(mine)).await.unwrap().unwrap();
    assert_eq!(back.version, version(2).unwrap());
    assert_eq!(store.recover_secret(&allowed(), here(), "logo".into(), record(mine)).await.unwrap(), None);
    assert_eq!(get(world, "logo", version(1)).await.unwrap().sealed, row("", 1).sealed);
    assert_eq!(get(world, "logo", version(3)).await, None, "what was refused left no version");
    assert!(!store.purge_secret(&allowed(), here(), "logo".into(), record(mine)).await.unwrap());
    delete("logo").await.unwrap();
    assert!(store.purge_secret(&allowed(), here(), "Logo".into(), record(mine)).await.unwrap());
    set(world, row("LOGO", 1)).await.unwrap();
    assert_eq!(get(world, "logo", None).await.unwrap().name, "LOGO");
}

pub async fn updates_change_what_they_name(world: &mut World) {
    set(world, row("a", 1)).await.unwrap();
    set(world, row("a", 2)).await.unwrap();
    let change = SecretChange { enabled: Some(false), tags: Some(vec![]), ..SecretChange::default() };
    let update = async |name: &str, version| {
        let change = change.clone();
        world
            .store
            .update_secret(&allowed(), here(), name.into(), version, change, at(7), record(tenant(1)))
            .await
    };
    let wanted = SecretRow { enabled: false, tags: vec![], updated: at(7), ..row("a", 1) };
    let answered = update("A", version(1)).await.unwrap().unwrap();
    assert_eq!(answered, SecretRow { sealed: vec![], ..wanted.clone() });
    assert_eq!(get(world, "a", version(1)).await, Some(wanted));
    assert_eq!(get(world, "a", None).await, Some(row("a", 2)));
    assert!(!update("a", None).await.unwrap().unwrap().enabled);
    assert!(!get(world, "a", None).await.unwrap().enabled);
    assert_eq!(update("a", version(3)).await.unwrap(), None);
    assert_eq!(update("b", None).await.unwrap(), None);
}

pub async fn listings_hold_newest_versions_without_values(world: &mut World) {
    for name in ["b", "C", "a", "a-b", "d"] {
        set(world, row(name, 1)).await.unwrap();
    }
    set(world, row("b", 2)).await.unwrap();
    world.store.delete_secret(&allowed(), here(), "d".into(), at(5), at(6), record(tenant(1))).await.unwrap();
    let list = async |after: &str, limit| {
        world.store.secrets(&allowed(), here(), after.into(), limit).await.unwrap()
    };
    let first = list("", 3).await;
    let seen: Vec<_> = first.iter().map(|r| (r.name.as_str(), r.version.clone())).collect();
    let v = |n| version(n).unwrap();
    assert_eq!(seen, [("a", v(1)), ("a-b", v(1)), ("b", v(2))]);
    assert!(first.iter().all(|r| r.sealed.is_empty()));
    assert_eq!(list("b", 3).await.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["C"]);
    let deleted = world.store.deleted_secrets(&allowed(), here(), String::new(), 9).await.unwrap();
    assert_eq!(deleted.iter().map(|d| d.newest.name.as_str()).collect::<Vec<_>>(), ["d"]);
}

pub async fn of_deleters_one_wins(world: &mut World) {
    set(world, row("a", 1)).await.unwrap();
    let store = Arc::clone(&world.store);
    let outcomes = at_once(8, move |_| {
        let store = Arc::clone(&store);
        async move {
            store
                .delete_secret(&allowed(), here(), "a".into(), at(5), at(6), record(tenant(1)))
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(outcomes.iter().flatten().count(), 1);
}

pub async fn vaults_and_tenants_do_not_see_each_other(world: &mut World) {
    set(world, row("a", 1)).await.unwrap();
    let next_vault = place(tenant(1), &vault_id("lab", "kv2"));
    let next_tenant = VaultPlace { tenant: tenant(2), ..here() };
    for elsewhere in [next_vault, next_tenant] {
        let found = world.store.secret(&allowed(), elsewhere.clone(), "a".into(), None).await.unwrap();
        assert_eq!(found, None);
        assert!(world.store.secrets(&allowed(), elsewhere, String::new(), 9).await.unwrap().is_empty());
    }
}
