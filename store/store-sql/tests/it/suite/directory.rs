use cs_ids::ObjectId;
use cs_store::{
    Assignment, Assignments as _, Credential, CredentialHolder, CredentialKind, Directory as _, Principal,
    PrincipalKind, StoreError,
};

use crate::world::{NOW, World, uuid};

fn secret_of(owner: &Principal, id: &str) -> Credential {
    Credential {
        tenant: owner.tenant,
        client: owner.client.unwrap(),
        holder: CredentialHolder::Principal,
        id: id.to_owned(),
        kind: CredentialKind::Secret,
        lookup: String::new(),
        material: vec![0, 1, 255],
        not_before: NOW,
        expires: NOW.plus_seconds(60),
    }
}

pub async fn principals_come_back_and_keys_are_unique(w: &World) {
    let made = w.principal().await;
    let found = w.store.principal(w.tenant, made.object).await.unwrap().unwrap();
    assert_eq!(Principal { revision: found.revision, ..made.clone() }, found);
    let client = made.client.unwrap();
    assert_eq!(w.store.principal_of_client(w.tenant, client).await.unwrap().unwrap().object, made.object);
    assert_eq!(w.store.principal(w.stranger, made.object).await.unwrap(), None, "not in another tenant");

    let same_client = Principal { object: ObjectId::from(uuid()), ..made.clone() };
    for twin in [made.clone(), same_client] {
        let refused = w.store.add_principal(twin, vec![], w.audit("twin")).await;
        assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    }
}

pub async fn credentials_belong_to_their_client(w: &World) {
    let (one, other) = (w.principal().await, w.principal().await);
    w.store.add_credential(secret_of(&one, "a"), w.audit("add")).await.unwrap();
    w.store.add_credential(secret_of(&one, "b"), w.audit("add")).await.unwrap();
    let of = async |p: &Principal| w.store.credentials(w.tenant, p.client.unwrap()).await.unwrap();
    assert_eq!(of(&one).await.len(), 2);
    assert!(of(&one).await.contains(&secret_of(&one, "a")));
    assert_eq!(of(&other).await, []);
    let gone = async |id: &str| {
        w.store.remove_credential(w.tenant, one.client.unwrap(), id.into(), w.audit("rm")).await.unwrap()
    };
    assert!(gone("a").await);
    assert!(!gone("a").await, "once only");
    assert_eq!(of(&one).await, [secret_of(&one, "b")]);
}

pub async fn what_changed_is_told_once_with_tombstones(w: &World) {
    let (one, two) = (w.principal().await, w.principal().await);
    let (all, seen) = w.store.principals_since(w.tenant, 0).await.unwrap();
    assert!(all.iter().any(|p| p.object == one.object) && all.iter().any(|p| p.object == two.object));
    assert_eq!(w.store.principals_since(w.tenant, seen).await.unwrap(), (vec![], seen), "nothing new");

    w.store.set_enabled(w.tenant, one.object, false, w.audit("off")).await.unwrap();
    assert!(w.store.remove_principal(w.tenant, two.object, w.audit("rm")).await.unwrap());
    let (news, later) = w.store.principals_since(w.tenant, seen).await.unwrap();
    assert!(later > seen && news.iter().all(|p| p.revision > seen && p.revision <= later));
    let told = |id: ObjectId| news.iter().find(|p| p.object == id).unwrap();
    assert_eq!(news.len(), 2);
    assert!(!told(one.object).enabled && told(two.object).deleted);
    assert_eq!(w.store.principal(w.tenant, two.object).await.unwrap(), None, "a tombstone is not handed out");
}

pub async fn a_removed_principal_takes_its_assignments_along(w: &World) {
    let holder = Principal { kind: PrincipalKind::Application, ..w.principal().await };
    let grant = crate::suite::assignments::grant(w, &holder, "/");
    w.store.put_assignment(grant.clone(), w.audit("grant")).await.unwrap();
    let (_, seen) = w.store.assignments_since(w.tenant, 0).await.unwrap();
    w.store.remove_principal(w.tenant, holder.object, w.audit("rm")).await.unwrap();
    assert_eq!(w.store.assignment(w.tenant, grant.scope.clone(), grant.name.clone()).await.unwrap(), None);
    let (news, _) = w.store.assignments_since(w.tenant, seen).await.unwrap();
    assert!(matches!(&news[..], [Assignment { deleted: true, .. }]), "replicas hear of it: {news:?}");
}
