use cs_ids::Scope;
use cs_store::{Assignment, AssignmentFilter, Assignments as _, Part, Principal, StoreError};
use futures_util::future::join_all;

use crate::world::{NOW, World, uuid};

const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

pub fn grant(w: &World, holder: &Principal, scope: &str) -> Assignment {
    Assignment {
        tenant: w.tenant,
        name: uuid().to_string(),
        scope: Scope::parse(scope).unwrap(),
        role: READER.into(),
        principal: holder.object,
        principal_type: "ServicePrincipal".into(),
        condition: None,
        condition_version: None,
        description: None,
        created: NOW,
        updated: NOW,
        created_by: None,
        updated_by: None,
        deleted: false,
        revision: 0,
    }
}

pub async fn the_same_grant_twice_is_one_grant(w: &World) {
    let holder = w.principal().await;
    let first = grant(w, &holder, "/");
    let (stored, new) = w.store.put_assignment(first.clone(), w.audit("put")).await.unwrap();
    assert!(new && stored.revision > 0);
    let described = Assignment { description: Some("why".into()), ..first.clone() };
    let (again, new) = w.store.put_assignment(described, w.audit("put")).await.unwrap();
    assert!(!new && again.revision > stored.revision);
    assert_eq!(again.description.as_deref(), Some("why"));
    let other_name = Assignment { name: uuid().to_string(), ..first.clone() };
    assert_eq!(
        w.store.put_assignment(other_name, w.audit("put")).await.unwrap_err(),
        StoreError::Exists(first.name)
    );
}

pub async fn a_name_is_one_grant_in_the_tenant(w: &World) {
    let (one, other) = (w.principal().await, w.principal().await);
    let first = grant(w, &one, "/");
    w.store.put_assignment(first.clone(), w.audit("put")).await.unwrap();
    let for_another = Assignment { principal: other.object, ..first.clone() };
    let refused = w.store.put_assignment(for_another, w.audit("put")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let nobody = Assignment { name: uuid().to_string(), principal: uuid().into(), ..first };
    let refused = w.store.put_assignment(nobody, w.audit("put")).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
}

pub async fn listing_by_scope_knows_above_and_below(w: &World) {
    let holder = w.principal().await;
    let subscription = format!("/subscriptions/{}", w.subscription);
    let scopes = [
        "/".to_owned(),
        subscription.clone(),
        format!("{subscription}/resourceGroups/Lab"),
        format!("{subscription}/resourceGroups/lab2"),
    ];
    for scope in &scopes {
        w.store.put_assignment(grant(w, &holder, scope), w.audit("put")).await.unwrap();
    }
    let listed = async |scope: &str, below: bool| {
        let scope = Scope::parse(scope).unwrap();
        let filter = AssignmentFilter { scope, below, principals: None, part: Part::WHOLE };
        let mut found: Vec<String> = w
            .store
            .assignments(w.tenant, filter)
            .await
            .unwrap()
            .into_iter()
            .map(|a| a.scope.as_str().to_owned())
            .collect();
        found.sort();
        found
    };
    let mut at_lab = vec![scopes[0].clone(), scopes[1].clone(), scopes[2].clone()];
    at_lab.sort();
    assert_eq!(listed(&format!("{subscription}/resourcegroups/LAB"), false).await, at_lab);
    assert_eq!(listed(&subscription, false).await.len(), 2);
    assert_eq!(listed(&subscription, true).await.len(), 4);
}

pub async fn a_list_of_assignments_comes_in_parts_that_make_the_whole(w: &World) {
    let (holder, other) = (w.principal().await, w.principal().await);
    let subscription = format!("/subscriptions/{}", w.subscription);
    let scopes =
        [subscription.clone(), format!("{subscription}/resourceGroups/a"), format!("{subscription}/x/y")];
    for scope in ["/".to_owned()].iter().chain(&scopes) {
        for who in [&holder, &other] {
            w.store.put_assignment(grant(w, who, scope), w.audit("put")).await.unwrap();
        }
    }
    let list = async |principals: Option<Vec<_>>, part: Part| {
        let filter =
            AssignmentFilter { scope: Scope::parse(&scopes[0]).unwrap(), below: true, principals, part };
        w.store.assignments(w.tenant, filter).await.unwrap()
    };
    for principals in [None, Some(vec![other.object])] {
        let whole = list(principals.clone(), Part::WHOLE).await;
        assert_eq!(whole.len(), if principals.is_some() { 4 } else { 8 });
        assert_eq!(whole[0].scope.key(), "/", "what is above comes first");
        for limit in 1..4 {
            let mut parts: Vec<Assignment> = Vec::new();
            loop {
                let after = parts.last().map(Assignment::place);
                let part = list(principals.clone(), Part { after, limit }).await;
                assert!(part.len() <= limit as usize);
                if part.is_empty() {
                    break;
                }
                parts.extend(part);
            }
            assert_eq!(parts, whole, "{limit}");
        }
    }
}

pub async fn one_of_many_equal_grants_wins(w: &World) {
    let holder = w.principal().await;
    let tries = (0..8).map(|_| w.store.put_assignment(grant(w, &holder, "/"), w.audit("race")));
    let results = join_all(tries).await;
    let won = results.iter().filter(|r| r.is_ok()).count();
    assert_eq!(won, 1, "{results:?}");
    assert!(
        results.iter().flat_map(|r| r.as_ref().err()).all(|e| matches!(e, StoreError::Exists(_))),
        "{results:?}"
    );
}
