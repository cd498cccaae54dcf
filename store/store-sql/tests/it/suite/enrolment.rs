use cs_ids::{ClientId, ObjectId, ResourceId};
use cs_store::{
    Beat, Beaten, Credential, CredentialHolder, CredentialKind, Directory as _, Expect, JoinToken,
    JoinTokens as _, JoinUse, MachineKeyRing as _, NewPrincipal, Principal, PrincipalKind, Resource,
    ResourceWrite, Resources as _, StoreError,
};
use cs_time::Timestamp;
use futures_util::future::join_all;
use serde_json::json;

use crate::world::{NOW, World, uuid};

fn token(w: &World) -> JoinToken {
    JoinToken {
        tenant: w.tenant,
        id: uuid().to_string(),
        group: ResourceId::of_group(w.subscription, "lab"),
        hash: vec![7; 32],
        tags: vec![("site".into(), "plant-1".into())],
        created: NOW,
        created_by: ObjectId::from(uuid()),
        created_by_client: ClientId::from(uuid()),
        expires: NOW.plus_seconds(60),
        used: None,
    }
}

fn machine(w: &World, name: &str) -> Resource {
    let group = ResourceId::of_group(w.subscription, "lab");
    let id =
        ResourceId::parse(&format!("{group}/providers/Microsoft.HybridCompute/machines/{name}")).unwrap();
    let properties = json!({"status": "Connected", "clientPublicKey": "first"});
    Resource { id, kind: "Microsoft.HybridCompute/machines".into(), properties, ..w.vault(name) }
}

fn use_of(key: &str, at: Timestamp) -> JoinUse {
    JoinUse { at, machine: "/m".into(), key: key.into() }
}

fn creation(resource: Resource) -> ResourceWrite {
    ResourceWrite { resource, expect: Expect::Absent, host: None, principal: None }
}

async fn join(w: &World, t: &JoinToken, name: &str, at: Timestamp) -> Result<Resource, StoreError> {
    w.store.join(t.id.clone(), use_of(name, at), creation(machine(w, name)), w.audit("join")).await
}

pub async fn join_tokens_are_kept_listed_and_taken_back(w: &World) {
    let t = token(w);
    w.store.add_join_token(t.clone(), NOW, w.audit("add")).await.unwrap();
    assert_eq!(w.store.join_token(w.tenant, t.id.clone()).await.unwrap(), Some(t.clone()));
    assert_eq!(w.store.join_token(w.stranger, t.id.clone()).await.unwrap(), None, "not in another tenant");
    let shouted = ResourceId::of_group(w.subscription, "LAB");
    assert_eq!(w.store.join_tokens(w.tenant, shouted).await.unwrap(), std::slice::from_ref(&t));
    let other = ResourceId::of_group(w.subscription, "other");
    assert_eq!(w.store.join_tokens(w.tenant, other.clone()).await.unwrap(), []);
    let remove = async |group: ResourceId| {
        w.store.remove_join_token(w.tenant, group, t.id.clone(), w.audit("rm")).await
    };
    assert!(!remove(other).await.unwrap(), "only from its own group");
    assert!(remove(t.group.clone()).await.unwrap());
    assert!(matches!(join(w, &t, "late", NOW).await, Err(StoreError::Conflict(_))), "taken back");

    let (old, new) = (token(w), token(w));
    w.store.add_join_token(old.clone(), NOW, w.audit("add")).await.unwrap();
    w.store.add_join_token(new.clone(), old.expires.plus_seconds(1), w.audit("add")).await.unwrap();
    assert_eq!(w.store.join_token(w.tenant, old.id).await.unwrap(), None, "what ran out is forgotten");
    w.store.remove_resource(w.tenant, new.group, w.audit("rm")).await.unwrap();
    assert_eq!(w.store.join_token(w.tenant, new.id).await.unwrap(), None, "it goes with its group");
}

/// The race is decided by the database, whichever replica the two reach.
pub async fn c01_of_many_that_use_a_join_token_one_wins(w: &World) {
    let t = token(w);
    w.store.add_join_token(t.clone(), NOW, w.audit("add")).await.unwrap();
    let names: Vec<String> = (0..8).map(|n| format!("raced{n}")).collect();
    let results = join_all(names.iter().map(|name| join(w, &t, name, NOW))).await;
    let won: Vec<&Resource> = results.iter().flatten().collect();
    assert_eq!(won.len(), 1, "{results:?}");
    let lost = results.iter().flat_map(|r| r.as_ref().err());
    assert!(lost.into_iter().all(|e| matches!(e, StoreError::Conflict(_))), "{results:?}");
    for name in &names {
        let there = w.store.resource(w.tenant, machine(w, name).id).await.unwrap();
        assert_eq!(there.is_some(), won[0].id.name() == name, "{name}: nothing is left of those that lost");
    }
    let used = w.store.join_token(w.tenant, t.id.clone()).await.unwrap().unwrap().used.unwrap();
    assert_eq!(used.key, won[0].id.name());
    assert!(matches!(join(w, &t, "again", NOW).await, Err(StoreError::Conflict(_))));
}

pub async fn a_join_that_fails_spends_no_token(w: &World) {
    let t = token(w);
    w.store.add_join_token(t.clone(), NOW, w.audit("add")).await.unwrap();
    w.put(machine(w, "taken")).await.unwrap();
    assert!(matches!(join(w, &t, "taken", NOW).await, Err(StoreError::Exists(_))));
    assert!(matches!(join(w, &t, "m", t.expires).await, Err(StoreError::Conflict(_))), "it has run out");
    join(w, &t, "m", NOW).await.unwrap();
}

/// A connected machine, and a key of it.
async fn connected(w: &World, name: &str) -> (Principal, Credential) {
    let resource = machine(w, name);
    let principal = Principal {
        tenant: w.tenant,
        object: ObjectId::from(uuid()),
        kind: PrincipalKind::MachineIdentity,
        client: Some(ClientId::from(uuid())),
        display_name: name.into(),
        enabled: true,
        resource: Some(resource.id.to_string()),
        directory_admin: false,
        created: NOW,
        deleted: false,
        revision: 0,
    };
    let first = key(&principal, "first");
    let new = NewPrincipal { principal: principal.clone(), credentials: vec![first.clone()] };
    let write = ResourceWrite { principal: Some(new), ..creation(resource) };
    w.store.put_resource(write, w.audit("put")).await.unwrap();
    (principal, first)
}

fn key(of: &Principal, name: &str) -> Credential {
    Credential {
        tenant: of.tenant,
        client: of.client.unwrap(),
        id: uuid().to_string(),
        holder: CredentialHolder::Principal,
        kind: CredentialKind::Key,
        lookup: name.into(),
        material: name.as_bytes().to_vec(),
        not_before: NOW,
        expires: NOW.plus_seconds(60),
    }
}

async fn beat(w: &World, of: &Principal, key: &str, counter: i64, nonce: &str) -> Beaten {
    let beat = Beat { key: key.into(), counter, nonce: nonce.into(), at: NOW };
    let (rotated, forked) = (w.audit("rotated"), w.audit("forked"));
    w.store.beat(w.tenant, of.client.unwrap(), beat, rotated, forked).await.unwrap()
}

async fn names(w: &World, of: &Principal) -> Vec<String> {
    let all = w.store.credentials(w.tenant, of.client.unwrap()).await.unwrap();
    let mut names: Vec<String> = all.into_iter().map(|c| c.lookup).collect();
    names.sort();
    names
}

async fn status(w: &World, name: &str) -> String {
    let machine = w.store.resource(w.tenant, machine(w, name).id).await.unwrap().unwrap();
    machine.properties["status"].as_str().unwrap().to_owned()
}

pub async fn an_offered_key_is_good_beside_the_old_one_until_it_is_used(w: &World) {
    let (m, _) = connected(w, "rotates").await;
    assert_eq!(beat(w, &m, "first", 1, "a").await, Beaten::Accepted { generation: 1 });
    w.store.offer_key(key(&m, "never-used"), w.audit("offer")).await.unwrap();
    w.store.offer_key(key(&m, "second"), w.audit("offer")).await.unwrap();
    w.store.offer_key(key(&m, "second"), w.audit("offer")).await.unwrap();
    assert_eq!(names(w, &m).await, ["first", "second"], "the one that was never used made room");
    let before = w.store.changes();
    assert_eq!(beat(w, &m, "first", 2, "b").await, Beaten::Accepted { generation: 1 }, "both are good");
    assert_eq!(w.store.changes(), before, "a beat alone empties nobody's cache");
    assert_eq!(beat(w, &m, "second", 3, "c").await, Beaten::Accepted { generation: 2 });
    assert!(w.store.changes() > before, "the resource tells another key");
    assert_eq!(
        beat(w, &m, "second", 3, "c").await,
        Beaten::Accepted { generation: 2 },
        "its answer was lost"
    );
    assert_eq!(names(w, &m).await, ["second"]);
    let keys = w.store.machine_keys(w.tenant, m.client.unwrap()).await.unwrap().unwrap();
    assert_eq!((keys.offered, keys.replaced.len()), (None, 1));
    assert_eq!(keys.replaced[0].thumbprint, "first");
    let resource = w.store.resource(w.tenant, machine(w, "rotates").id).await.unwrap().unwrap();
    assert_eq!(resource.properties["clientPublicKey"], "second");
    w.store.remove_resource(w.tenant, resource.id, w.audit("rm")).await.unwrap();
    assert_eq!(w.store.machine_keys(w.tenant, m.client.unwrap()).await.unwrap(), None, "goes with it");
}

pub async fn c04_two_that_use_one_key_are_quarantined_until_somebody_looks(w: &World) {
    let (m, _) = connected(w, "copied").await;
    let client = m.client.unwrap();
    beat(w, &m, "first", 1, "a").await;
    beat(w, &m, "first", 2, "of one").await;
    let before = w.store.changes();
    assert_eq!(beat(w, &m, "first", 2, "of the other").await, Beaten::Forked { generation: 1 });
    assert!(w.store.changes() > before, "who keeps the resource or its identity looks again");
    for nonce in ["of one", "of the other", "new"] {
        assert!(matches!(beat(w, &m, "first", 3, nonce).await, Beaten::Quarantined { .. }), "both are out");
    }
    assert!(matches!(
        w.store.offer_key(key(&m, "second"), w.audit("offer")).await,
        Err(StoreError::Conflict(_))
    ));
    assert!(!w.store.principal(w.tenant, m.object).await.unwrap().unwrap().enabled);
    assert_eq!(status(w, "copied").await, "Error");
    assert!(!w.store.quarantine(w.tenant, client, "again".into(), w.audit("q")).await.unwrap());
    assert!(w.store.release(w.tenant, client, w.audit("release")).await.unwrap());
    assert!(!w.store.release(w.tenant, client, w.audit("release")).await.unwrap(), "once only");
    assert!(w.store.principal(w.tenant, m.object).await.unwrap().unwrap().enabled);
    assert_eq!(status(w, "copied").await, "Connected");
    assert_eq!(beat(w, &m, "first", 2, "of one").await, Beaten::Accepted { generation: 1 });
    assert_eq!(beat(w, &m, "first", 2, "of the other").await, Beaten::Forked { generation: 1 }, "still two");
    w.store.release(w.tenant, client, w.audit("release")).await.unwrap();
    assert!(w.store.quarantine(w.tenant, client, "an old key".into(), w.audit("q")).await.unwrap());
    assert_eq!(status(w, "copied").await, "Error");
}

pub async fn c04_of_two_first_beats_with_one_number_one_is_believed(w: &World) {
    let (m, _) = connected(w, "twins").await;
    let nonces: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let all = join_all(nonces.iter().map(|nonce| beat(w, &m, "first", 1, nonce))).await;
    assert_eq!(all.iter().filter(|b| matches!(b, Beaten::Accepted { .. })).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|b| matches!(b, Beaten::Forked { .. })).count(), 1, "{all:?}");
}
