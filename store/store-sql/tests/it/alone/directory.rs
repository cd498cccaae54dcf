//! Principals and credentials.

use cs_store::{Directory, Principal, StoreError};

use super::world::*;

async fn add(world: &World, n: u128) {
    world.store.add_principal(principal(tenant(1), n), vec![], record(tenant(1))).await.unwrap();
}

pub async fn ids_are_taken_once(world: &mut World) {
    add(world, 1).await;
    let same_object = Principal { client: Some(client(9)), ..principal(tenant(1), 1) };
    let same_client = Principal { client: Some(client(1)), ..principal(tenant(1), 9) };
    for twin in [same_object, same_client] {
        let refused = world.store.add_principal(twin, vec![], record(tenant(1))).await;
        assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    }
    // Any number of principals have no client id.
    for n in [2, 3] {
        let group = Principal { client: None, ..principal(tenant(1), n) };
        world.store.add_principal(group, vec![], record(tenant(1))).await.unwrap();
    }
}

pub async fn d05_a_removed_principals_client_id_stays_taken(world: &mut World) {
    add(world, 1).await;
    world.store.remove_principal(tenant(1), object(1), record(tenant(1))).await.unwrap();
    let again = Principal { object: object(7), ..principal(tenant(1), 1) };
    let refused = world.store.add_principal(again, vec![], record(tenant(1))).await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
}
