use cs_store::{NextValue, SecretChange, SecretRow, Secrets as _, StoreError, VaultPlace};
use futures_util::future::join_all;

use crate::world::{NOW, World, uuid};

pub fn place(w: &World) -> VaultPlace {
    VaultPlace { tenant: w.tenant, vault: w.vault_id("kv").key().to_owned() }
}

fn row(name: &str, value: &str) -> SecretRow {
    SecretRow {
        name: name.to_owned(),
        version: uuid().simple().to_string(),
        sealed: value.as_bytes().to_vec(),
        content_type: None,
        tags: vec![("a".into(), "b".into())],
        enabled: true,
        not_before: None,
        expires: Some(4_102_444_800),
        created: NOW,
        updated: NOW,
    }
}

pub async fn set(w: &World, name: &str, value: &str) -> SecretRow {
    let row = row(name, value);
    w.store.set_secret(&w.allowed(), place(w), row.clone(), w.audit("set")).await.unwrap();
    row
}

pub async fn newest(w: &World, name: &str) -> Option<SecretRow> {
    w.store.secret(&w.allowed(), place(w), name.to_owned(), None).await.unwrap()
}

async fn delete(w: &World, name: &str) -> bool {
    let (at, purge) = (NOW, NOW.plus_seconds(100));
    let gone =
        w.store.delete_secret(&w.allowed(), place(w), name.to_owned(), at, purge, w.audit("del")).await;
    gone.unwrap().is_some()
}

pub async fn versions_stay_and_the_newest_is_found(w: &World) {
    let (first, second) = (set(w, "Name", "1").await, set(w, "nAME", "2").await);
    assert_eq!(newest(w, "name").await.unwrap().sealed, b"2");
    let old =
        w.store.secret(&w.allowed(), place(w), "NAME".into(), Some(first.version.clone())).await.unwrap();
    assert_eq!(old.unwrap(), SecretRow { name: "Name".into(), ..first.clone() });
    let listed =
        w.store.secret_versions(&w.allowed(), place(w), "name".into(), String::new(), 10).await.unwrap();
    assert_eq!(listed.iter().map(|r| r.version.clone()).collect::<Vec<_>>(), [first.version, second.version]);
    assert!(listed.iter().all(|r| r.sealed.is_empty()), "lists carry no values");
    let elsewhere = VaultPlace { tenant: w.stranger, ..place(w) };
    assert_eq!(w.store.secret(&w.allowed(), elsewhere, "name".into(), None).await.unwrap(), None);
}

pub async fn a_deleted_secret_blocks_its_name_until_it_is_purged(w: &World) {
    set(w, "s", "1").await;
    assert!(delete(w, "S").await);
    assert!(!delete(w, "s").await, "once only");
    assert_eq!(newest(w, "s").await, None);
    let refused = w.store.set_secret(&w.allowed(), place(w), row("s", "2"), w.audit("set")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let deleted = w.store.deleted_secret(&w.allowed(), place(w), "s".into()).await.unwrap().unwrap();
    assert_eq!((deleted.deleted, deleted.purge), (NOW, NOW.plus_seconds(100)));
    assert!(w.store.purge_secret(&w.allowed(), place(w), "s".into(), w.audit("purge")).await.unwrap());
    set(w, "s", "3").await;
    assert_eq!(newest(w, "s").await.unwrap().sealed, b"3");
}

pub async fn a_recovered_secret_has_all_its_versions(w: &World) {
    let (first, _) = (set(w, "s", "1").await, set(w, "s", "2").await);
    delete(w, "s").await;
    assert!(
        w.store.recover_secret(&w.allowed(), place(w), "s".into(), w.audit("back")).await.unwrap().is_some()
    );
    assert_eq!(newest(w, "s").await.unwrap().sealed, b"2");
    let old = w.store.secret(&w.allowed(), place(w), "s".into(), Some(first.version)).await.unwrap();
    assert_eq!(old.unwrap().sealed, b"1");
    let gone = w.store.recover_secret(&w.allowed(), place(w), "s".into(), w.audit("back")).await.unwrap();
    assert_eq!(gone, None, "nothing to recover any more");
}

pub async fn a_restored_secret_takes_no_name_in_use(w: &World) {
    let (first, second) = (set(w, "Kept", "1").await, set(w, "kept", "2").await);
    let whole = w.store.whole_secret(&w.allowed(), place(w), "KEPT".into(), 10).await.unwrap();
    assert_eq!(
        whole.iter().map(|r| r.version.clone()).collect::<Vec<_>>(),
        [first.version, second.version.clone()]
    );
    let restore =
        async || w.store.restore_secret(&w.allowed(), place(w), whole.clone(), w.audit("restore")).await;
    assert!(matches!(restore().await, Err(StoreError::Exists(_))));
    delete(w, "kept").await;
    assert!(matches!(restore().await, Err(StoreError::Conflict(_))));
    assert!(w.store.purge_secret(&w.allowed(), place(w), "kept".into(), w.audit("purge")).await.unwrap());
    restore().await.unwrap();
    let back = newest(w, "kept").await.unwrap();
    assert_eq!((back.version, back.sealed), (second.version, b"2".to_vec()));
}

pub async fn what_is_due_is_purged(w: &World) {
    set(w, "early", "1").await;
    delete(w, "early").await;
    w.store.purge_due_secrets(NOW.plus_seconds(99)).await.unwrap();
    let there =
        async || w.store.deleted_secret(&w.allowed(), place(w), "early".into()).await.unwrap().is_some();
    assert!(there().await, "a second too soon");
    assert!(w.store.purge_due_secrets(NOW.plus_seconds(101)).await.unwrap() >= 1);
    assert!(!there().await);
}

pub async fn many_writers_make_many_versions(w: &World) {
    let rows = join_all((0..32).map(|number| async move { set(w, "busy", &number.to_string()).await })).await;
    let listed =
        w.store.secret_versions(&w.allowed(), place(w), "busy".into(), String::new(), 100).await.unwrap();
    assert_eq!(listed.len(), rows.len());
    let last = newest(w, "busy").await.unwrap();
    assert_eq!(last.version, listed.last().unwrap().version, "the newest is the last of the list");
}

/// Changes of attributes beside changes of the value: each keeps what the others said.
pub async fn another_value_keeps_what_others_change_meanwhile(w: &World) {
    set(w, "Both", "0").await;
    let value = |number: usize| async move {
        let next = NextValue {
            name: "bOTH".into(),
            version: uuid().simple().to_string(),
            sealed: number.to_string().into_bytes(),
        };
        let change =
            SecretChange { tags: Some(vec![("n".into(), number.to_string())]), ..Default::default() };
        let made = w.store.replace_value(&w.allowed(), place(w), next, change, NOW, w.audit("value")).await;
        made.unwrap().unwrap()
    };
    let attributes = async {
        let change =
            SecretChange { content_type: Some("kept".into()), not_before: Some(7), ..Default::default() };
        let (name, audit) = ("both".to_owned(), w.audit("attributes"));
        w.store.update_secret(&w.allowed(), place(w), name, None, change, NOW, audit).await.unwrap().unwrap();
    };
    let (made, ()) = tokio::join!(join_all((1..16).map(value)), attributes);
    assert!(made.iter().all(|row| row.name == "Both" && row.sealed.is_empty()), "as first written, no value");
    let last = newest(w, "both").await.unwrap();
    assert_eq!((last.content_type.as_deref(), last.not_before), (Some("kept"), Some(7)));
    assert_eq!(last.tags, [("n".to_owned(), String::from_utf8(last.sealed.clone()).unwrap())]);
    assert_eq!((last.expires, last.enabled), (Some(4_102_444_800), true));
}

pub async fn another_value_needs_a_secret_and_times_in_order(w: &World) {
    let replace = async |name: &str, change: SecretChange| {
        let next =
            NextValue { name: name.into(), version: uuid().simple().to_string(), sealed: b"2".to_vec() };
        w.store.replace_value(&w.allowed(), place(w), next, change, NOW, w.audit("value")).await
    };
    assert_eq!(replace("none", SecretChange::default()).await.unwrap(), None);
    set(w, "gone", "1").await;
    delete(w, "gone").await;
    assert_eq!(replace("gone", SecretChange::default()).await.unwrap(), None);
    set(w, "there", "1").await;
    let late = SecretChange { not_before: Some(4_102_444_800), ..Default::default() };
    assert!(matches!(replace("there", late).await, Err(StoreError::Conflict(_))));
    assert_eq!(newest(w, "there").await.unwrap().sealed, b"1", "nothing was made");
}
