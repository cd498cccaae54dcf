//! Role assignments, their revisions and races.

use std::{collections::HashSet, sync::Arc};

use cs_store::{Assignment, Assignments, Directory, StoreError};

use super::world::*;

const LAB: &str = "/subscriptions/s/resourceGroups/Lab";

async fn with_principals(world: &World, count: u128) {
    for n in 1..=count {
        world.store.add_principal(principal(tenant(1), n), vec![], record(tenant(1))).await.unwrap();
    }
}

async fn put(world: &World, a: Assignment) -> Result<(Assignment, bool), StoreError> {
    world.store.put_assignment(a, record(tenant(1))).await
}

pub async fn what_is_the_same_or_contradicts_is_refused(world: &mut World) {
    with_principals(world, 2).await;
    put(world, assignment(tenant(1), 1, &scope(LAB), 1)).await.unwrap();
    let twin = put(world, assignment(tenant(1), 2, &scope(LAB), 1)).await;
    assert!(matches!(twin, Err(StoreError::Exists(name)) if name == guid(1)));
    let other_holder = put(world, assignment(tenant(1), 1, &scope(LAB), 2)).await;
    assert!(matches!(other_holder, Err(StoreError::Conflict(_))));
    let nobody = put(world, assignment(tenant(1), 3, &scope(LAB), 9)).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))));
    // Once removed, the same may come back under another name.
    world.store.remove_assignment(tenant(1), scope(LAB), guid(1), record(tenant(1))).await.unwrap().unwrap();
    put(world, assignment(tenant(1), 2, &scope(LAB), 1)).await.unwrap();
}

pub async fn many_writers_of_one_tenant_all_get_through(world: &mut World) {
    with_principals(world, 1).await;
    let store = Arc::clone(&world.store);
    let written = at_once(48, move |n| {
        let store = Arc::clone(&store);
        let one = Assignment { role: guid(n), ..assignment(tenant(1), 100 + n, &scope(LAB), 1) };
        async move { store.put_assignment(one, record(tenant(1))).await.unwrap().0.revision }
    })
    .await;
    assert_eq!(written.iter().collect::<HashSet<_>>().len(), 48, "each change has a revision of its own");
    let (all, upto) = world.store.assignments_since(tenant(1), 0).await.unwrap();
    assert_eq!((all.len(), Some(&upto)), (48, written.iter().max()));
}
