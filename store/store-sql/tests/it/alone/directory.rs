//! Principals and credentials.

use cs_store::{Credential, CredentialHolder, CredentialKind, Directory, Principal, StoreError};
use cs_time::Timestamp;

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

pub async fn d05_a_principal_made_again_inherits_nothing(world: &mut World) {
    add(world, 1).await;
    let secret = Credential {
        tenant: tenant(1),
        client: client(1),
        holder: CredentialHolder::Application,
        id: "a".to_owned(),
        kind: CredentialKind::Secret,
        lookup: String::new(),
        material: vec![1],
        not_before: Timestamp::default(),
        expires: Timestamp::default(),
    };
    world.store.add_credential(secret, record(tenant(1))).await.unwrap();
    world.store.remove_principal(tenant(1), object(1), record(tenant(1))).await.unwrap();
    let same_object = world.store.add_principal(principal(tenant(1), 1), vec![], record(tenant(1))).await;
    assert!(matches!(same_object, Err(StoreError::Exists(_))), "an object id is used once: {same_object:?}");
    let again = Principal { object: object(7), ..principal(tenant(1), 1) };
    world.store.add_principal(again, vec![], record(tenant(1))).await.unwrap();
    assert!(world.store.credentials(tenant(1), client(1)).await.unwrap().is_empty());
    let found = world.store.principal_of_client(tenant(1), client(1)).await.unwrap().unwrap();
    assert_eq!(found.object, object(7));
}
