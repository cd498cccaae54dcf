use cs_ids::{ClientId, ObjectId};
use cs_store::{
    Application, Credential, CredentialHolder, CredentialKind, Details, Directory as _,
    DirectoryObjects as _, FederatedCredential, FederatedCredentials as _, LinkKind, Membership, NameIs,
    Principal, PrincipalChange, PrincipalKind, StoreError,
};
use serde_json::json;

use crate::world::{NOW, World, uuid};

fn application(w: &World, name: &str, uris: &[&str]) -> Application {
    Application {
        tenant: w.tenant,
        object: ObjectId::from(uuid()),
        client: ClientId::from(uuid()),
        display_name: name.to_owned(),
        uris: uris.iter().map(|u| (*u).to_owned()).collect(),
        details: json!({"notes": "n"}),
        created: NOW,
    }
}

pub async fn applications_are_found_by_all_their_names(w: &World) {
    let app = application(w, "Lab App", &["api://one"]);
    let owner = w.principal().await.object;
    w.store.add_application(app.clone(), Some(owner), w.audit("add")).await.unwrap();
    let found = [
        w.store.application(w.tenant, app.object).await.unwrap(),
        w.store.application_of_client(w.tenant, app.client).await.unwrap(),
        w.store.application_of_uri(w.tenant, "api://one".into()).await.unwrap(),
    ];
    assert!(found.iter().all(|f| f.as_ref() == Some(&app)), "{found:?}");
    assert_eq!(w.store.application(w.stranger, app.object).await.unwrap(), None);
    let named = async |name: NameIs| w.store.applications(w.tenant, name, None, 10).await.unwrap().len();
    assert_eq!(named(NameIs::Equal("lab app".into())).await, 1);
    assert_eq!(named(NameIs::StartsWith("lab".into())).await, 1);
    assert_eq!(named(NameIs::StartsWith("app".into())).await, 0);
    let owners = w.store.linked(w.tenant, app.object, LinkKind::Owner, None, 10).await.unwrap();
    assert_eq!(owners, [owner]);
    let twin = w.store.add_application(application(w, "x", &["api://one"]), None, w.audit("twin")).await;
    assert!(matches!(twin, Err(StoreError::Exists(_))), "{twin:?}");
    let changed = Application { display_name: "Other".into(), uris: vec!["api://two".into()], ..app.clone() };
    w.store.change_application(app.clone(), changed.clone(), w.audit("change")).await.unwrap();
    let late = w.store.change_application(app.clone(), app.clone(), w.audit("late")).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "made of what is no more: {late:?}");
    assert_eq!(w.store.application_of_uri(w.tenant, "api://one".into()).await.unwrap(), None);
    assert_eq!(w.store.application_of_uri(w.tenant, "api://two".into()).await.unwrap(), Some(changed));
    let none = application(w, "x", &[]);
    let nobody = w.store.change_application(none.clone(), none, w.audit("none")).await;
    assert!(matches!(nobody, Err(StoreError::Missing(_))), "{nobody:?}");
}

pub async fn an_application_takes_all_that_acts_for_it_along(w: &World) {
    let app = application(w, "app", &["api://gone"]);
    w.store.add_application(app.clone(), None, w.audit("add")).await.unwrap();
    let acting =
        Principal { client: Some(app.client), object: ObjectId::from(uuid()), ..w.principal().await };
    w.store.add_principal(acting.clone(), vec![], w.audit("add")).await.unwrap();
    let secret = Credential {
        tenant: w.tenant,
        client: app.client,
        holder: CredentialHolder::Application,
        id: "s".into(),
        kind: CredentialKind::Secret,
        lookup: String::new(),
        material: vec![1],
        not_before: NOW,
        expires: NOW,
    };
    let own = Credential { id: "own".into(), holder: CredentialHolder::Principal, ..secret.clone() };
    for credential in [secret.clone(), own] {
        w.store.add_credential(credential, w.audit("add")).await.unwrap();
    }
    w.store.put_federated(trust(w, app.client, "f", "s"), 20, w.audit("add")).await.unwrap();
    assert_eq!(w.store.credentials(w.tenant, app.client).await.unwrap().len(), 2);
    // What acts may go and come again: it loses its own credentials, the application's stay.
    w.store.remove_principal(w.tenant, acting.object, w.audit("rm")).await.unwrap();
    assert_eq!(w.store.credentials(w.tenant, app.client).await.unwrap(), [secret]);
    let again = Principal { object: ObjectId::from(uuid()), ..acting };
    w.store.add_principal(again.clone(), vec![], w.audit("add")).await.unwrap();
    assert!(w.store.remove_application(w.tenant, app.object, w.audit("rm")).await.unwrap());
    assert!(!w.store.remove_application(w.tenant, app.object, w.audit("rm")).await.unwrap());
    assert_eq!(w.store.principal(w.tenant, again.object).await.unwrap(), None);
    assert!(w.store.credentials(w.tenant, app.client).await.unwrap().is_empty());
    assert!(w.store.federated(w.tenant, app.client).await.unwrap().is_empty());
    assert_eq!(w.store.application_of_uri(w.tenant, "api://gone".into()).await.unwrap(), None);
}

async fn person(w: &World, kind: PrincipalKind, name: &str, handle: Option<&str>) -> Principal {
    let made = Principal {
        object: ObjectId::from(uuid()),
        kind,
        client: None,
        display_name: name.into(),
        ..w.principal().await
    };
    let details = Details { handle: handle.map(Into::into), value: json!({"k": name}) };
    w.store.add_described(made.clone(), details, None, w.audit("add")).await.unwrap();
    made
}

pub async fn principals_are_found_by_kind_name_and_handle(w: &World) {
    let handle = format!("ada@{}", uuid());
    let ada = person(w, PrincipalKind::User, "Ada", Some(&handle)).await;
    let group = person(w, PrincipalKind::Group, "Adas", None).await;
    let named = async |kinds: &[PrincipalKind], name: NameIs| -> Vec<ObjectId> {
        let found = w.store.principals_named(w.tenant, kinds.to_vec(), name, None, 10).await.unwrap();
        found.iter().map(|p| p.object).collect()
    };
    assert_eq!(named(&[PrincipalKind::User], NameIs::Anything).await, [ada.object]);
    assert_eq!(named(&[PrincipalKind::Group], NameIs::StartsWith("ada".into())).await, [group.object]);
    let both = [PrincipalKind::User, PrincipalKind::Group];
    assert_eq!(named(&both, NameIs::Equal("ada".into())).await, [ada.object]);
    assert_eq!(named(&both, NameIs::Anything).await.len(), 2);
    let first = named(&both, NameIs::Anything).await[0];
    let rest = w.store.principals_named(w.tenant, both.to_vec(), NameIs::Anything, Some(first), 10).await;
    assert_eq!(rest.unwrap().len(), 1, "goes on after an id");
    let found = w.store.principal_of_handle(w.tenant, handle.clone()).await.unwrap();
    assert_eq!(found.map(|p| p.object), Some(ada.object));
    let twin = Principal { object: ObjectId::from(uuid()), ..ada.clone() };
    let details = Details { handle: Some(handle.clone()), value: json!({}) };
    let twin = w.store.add_described(twin, details, None, w.audit("twin")).await;
    assert!(matches!(twin, Err(StoreError::Exists(_))), "{twin:?}");
    assert_eq!(
        w.store.details(w.tenant, vec![ada.object, ObjectId::from(uuid())]).await.unwrap(),
        [(ada.object, json!({"k": "Ada"}))]
    );
    let details = Details { handle: Some(handle.clone()), value: json!({"k": "Eve"}) };
    let stale = PrincipalChange { details: Some(details), ..PrincipalChange::default() };
    let late = w.store.change_principal(w.tenant, ada.object, stale, w.audit("late")).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "made of what never was: {late:?}");
    let change = PrincipalChange {
        display_name: Some("Eve".into()),
        enabled: Some(false),
        ..PrincipalChange::default()
    };
    w.store.change_principal(w.tenant, ada.object, change, w.audit("change")).await.unwrap();
    assert_eq!(named(&both, NameIs::Equal("eve".into())).await, [ada.object]);
    assert!(named(&both, NameIs::Equal("ada".into())).await.is_empty());
    w.store.remove_principal(w.tenant, ada.object, w.audit("rm")).await.unwrap();
    assert_eq!(w.store.principal_of_handle(w.tenant, handle).await.unwrap(), None);
}

pub async fn memberships_are_told_once_with_tombstones(w: &World) {
    let (group, member) =
        (person(w, PrincipalKind::Group, "g", None).await.object, w.principal().await.object);
    let add = async || w.store.link(w.tenant, group, LinkKind::Member, member, w.audit("link")).await;
    add().await.unwrap();
    assert!(matches!(add().await, Err(StoreError::Exists(_))));
    let (changed, seen) = w.store.memberships_since(w.tenant, 0).await.unwrap();
    assert_eq!(changed, [Membership { group, member, deleted: false }]);
    assert_eq!(w.store.holders(w.tenant, member, LinkKind::Member).await.unwrap(), [group]);
    w.store.link(w.tenant, group, LinkKind::Owner, member, w.audit("own")).await.unwrap();
    assert!(w.store.memberships_since(w.tenant, seen).await.unwrap().0.is_empty(), "owners are no members");
    assert!(w.store.unlink(w.tenant, group, LinkKind::Member, member, w.audit("out")).await.unwrap());
    assert!(!w.store.unlink(w.tenant, group, LinkKind::Member, member, w.audit("out")).await.unwrap());
    let (changed, _) = w.store.memberships_since(w.tenant, seen).await.unwrap();
    assert_eq!(changed, [Membership { group, member, deleted: true }]);
    add().await.unwrap();
    w.store.remove_principal(w.tenant, member, w.audit("rm")).await.unwrap();
    assert!(w.store.linked(w.tenant, group, LinkKind::Member, None, 10).await.unwrap().is_empty());
    let (changed, _) = w.store.memberships_since(w.tenant, seen).await.unwrap();
    assert_eq!(changed, [Membership { group, member, deleted: true }], "whoever goes is in nothing");
}

fn trust(w: &World, client: ClientId, name: &str, subject: &str) -> FederatedCredential {
    FederatedCredential {
        tenant: w.tenant,
        client,
        id: uuid().to_string(),
        name: name.into(),
        issuer: "https://issuer.example".into(),
        subject: subject.into(),
        audiences: vec!["api://x".into()],
        description: None,
        created: NOW,
    }
}

pub async fn federated_credentials_are_unique_and_few(w: &World) {
    let client = w.principal().await.client.unwrap();
    let put = async |name: &str, subject: &str| {
        w.store.put_federated(trust(w, client, name, subject), 2, w.audit("put")).await
    };
    let (first, new) = put("One", "s").await.unwrap();
    assert!(new);
    let (changed, new) = put("ONE", "t").await.unwrap();
    assert_eq!(
        (changed.id.as_str(), changed.name.as_str(), changed.subject.as_str(), new),
        (first.id.as_str(), "One", "t", false)
    );
    assert!(matches!(put("two", "t").await, Err(StoreError::Exists(_))));
    put("two", "T").await.unwrap();
    assert!(
        matches!(put("three", "u").await, Err(StoreError::Conflict(_))),
        "byte for byte, and two at most"
    );
    assert_eq!(w.store.federated(w.tenant, client).await.unwrap().len(), 2);
    assert!(w.store.remove_federated(w.tenant, client, "oNe".into(), w.audit("rm")).await.unwrap());
    assert!(!w.store.remove_federated(w.tenant, client, "one".into(), w.audit("rm")).await.unwrap());
}
