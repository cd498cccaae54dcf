//! What the engines promise below every repository.

use std::{os::unix::fs::PermissionsExt, sync::Arc};

use cs_store::{Assignments, AuditLog, AuditQuery, Directory, Resources, Site, StoreError};

use super::world::*;

pub async fn what_was_acknowledged_is_there_after_opening_again(world: &mut World) {
    world.store.put_resource(group(tenant(1), "lab"), record(tenant(1))).await.unwrap();
    world.store.add_principal(principal(tenant(1), 1), vec![], record(tenant(1))).await.unwrap();
    let (before, upto) = world.store.principals_since(tenant(1), 0).await.unwrap();
    world.reopen().await;
    assert_eq!(world.store.principals_since(tenant(1), 0).await.unwrap(), (before, upto));
    let id = cs_ids::ResourceId::of_group(subscription(1), "lab");
    assert!(world.store.resource(tenant(1), id).await.unwrap().is_some());
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    assert_eq!(world.store.records(tenant(1), all).await.unwrap().len(), 2);
}

pub async fn sixty_four_writers_at_once(world: &mut World) {
    let store = Arc::clone(&world.store);
    let outcomes = at_once(64, move |n| {
        let store = Arc::clone(&store);
        async move { store.append(vec![record(tenant(n % 3))]).await }
    })
    .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    world.reopen().await;
    let mut found = 0;
    for n in 0..3 {
        let all = AuditQuery { limit: 100, ..AuditQuery::default() };
        found += world.store.records(tenant(n), all).await.unwrap().len();
    }
    assert_eq!(found, 64);
}

pub async fn a_failing_write_among_many_takes_no_other_down(world: &mut World) {
    let store = Arc::clone(&world.store);
    // Every second one asks for a principal that is not there, after its audit group has begun.
    let outcomes = at_once(32, move |n| {
        let store = Arc::clone(&store);
        async move {
            match n % 2 {
                0 => {
                    store.put_resource(group(tenant(1), &format!("g{n}")), record(tenant(1))).await.map(drop)
                }
                _ => {
                    let to_nobody = assignment(tenant(1), n, &scope("/subscriptions/s"), n);
                    store.put_assignment(to_nobody, record(tenant(1))).await.map(drop)
                }
            }
        }
    })
    .await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match n % 2 {
            0 => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
            _ => assert!(matches!(outcome, Err(StoreError::Missing(_))), "{n}: {outcome:?}"),
        }
    }
    let all = AuditQuery { limit: 100, ..AuditQuery::default() };
    assert_eq!(world.store.records(tenant(1), all).await.unwrap().len(), 16);
}

pub async fn a_newer_schema_is_refused(world: &mut World) {
    match &world.home {
        Home::Sqlite(folder) => {
            let file = rusqlite::Connection::open(folder.path().join("site.db")).unwrap();
            file.pragma_update(None, "user_version", 9999).unwrap();
        }
        Home::Postgres { database, .. } => sql(database, "INSERT INTO schema_version VALUES (9999)").await,
    }
    let refused = world.open().await.map(drop);
    let told = matches!(&refused, Err(StoreError::Unavailable { cause, .. }) if cause.contains("9999"));
    assert!(told, "{refused:?}");
}

pub async fn two_replicas_open_at_once(world: &mut World) {
    // A fresh database each, opened by several at the same moment: one migrates, the others find it done.
    match &world.home {
        Home::Sqlite(_) => {
            // One process holds a data directory; a second store in it is the backup's way to read.
            let second = world.open().await.unwrap();
            world.store.set_setting("a".into(), "1".into()).await.unwrap();
            assert_eq!(second.setting("a".into()).await.unwrap().as_deref(), Some("1"));
        }
        Home::Postgres { database, .. } => {
            sql(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
            let database = database.clone();
            let stores = at_once(4, move |_| {
                let database = database.clone();
                async move { cs_store_sql::SqlStore::postgres(&database).await }
            })
            .await;
            let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
            stores[0].set_setting("a".into(), "1".into()).await.unwrap();
            assert_eq!(stores[3].setting("a".into()).await.unwrap().as_deref(), Some("1"));
        }
    }
}

pub async fn odd_text_comes_back_as_it_went(world: &mut World) {
    for (n, text) in (1..).zip(["", "'; DROP TABLE audit; --", "ä\u{1F511}\u{202e}", "a\\b\n\t\"", "%_"]) {
        let odd = cs_store::Principal { display_name: text.to_owned(), ..principal(tenant(1), n) };
        world.store.add_principal(odd, vec![], record(tenant(1))).await.unwrap();
        let found = world.store.principal(tenant(1), object(n)).await.unwrap().unwrap();
        assert_eq!(found.display_name, text);
    }
}

#[tokio::test]
async fn h08_the_database_is_readable_by_its_owner_only() {
    let world = World::sqlite();
    world.store.set_setting("a".into(), "1".into()).await.unwrap();
    let Home::Sqlite(folder) = &world.home else { unreachable!() };
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

/// A request that is dropped half-way (its client went away) leaves nothing, and its connection serves nobody else
/// while a transaction is open on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_write_on_postgres_leaves_nothing() {
    let Some(world) = World::postgres().await else { return };
    let Home::Postgres { database, .. } = &world.home else { unreachable!() };
    let (blocker, connection) = tokio_postgres::connect(database, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    blocker.batch_execute("BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let store = Arc::clone(&world.store);
    let write =
        tokio::spawn(async move { store.put_resource(group(tenant(1), "half"), record(tenant(1))).await });
    // The resource is written by then; the audit record waits for the lock.
    let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'audit'::regclass";
    while blocker.query(waiting, &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    write.abort();
    assert!(write.await.unwrap_err().is_cancelled());
    blocker.batch_execute("COMMIT").await.unwrap();
    for n in 0..4 {
        world.store.put_resource(group(tenant(1), &format!("whole{n}")), record(tenant(1))).await.unwrap();
    }
    let half = cs_ids::ResourceId::of_group(subscription(1), "half");
    assert_eq!(world.store.resource(tenant(1), half).await.unwrap(), None);
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    assert_eq!(world.store.records(tenant(1), all).await.unwrap().len(), 4);
    world.drop_database().await;
}
