//! Large tenants: the same answers as asking every assignment in turn, and fast.

use std::{collections::HashMap, time::Instant};

use cs_ids::{ObjectId, Scope};
use cs_rbac::{Ask, Assignment, Kind, Snapshot, Subject, builtin_role, decide};

use crate::world::{named, object, role, scope};

/// Numbers that look random and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const ROLES: [&str; 6] = [
    "Reader",
    "Contributor",
    "Owner",
    "Key Vault Secrets User",
    "Storage Blob Data Contributor",
    "Key Vault Contributor",
];

const ASKS: [(&str, Kind); 4] = [
    ("Microsoft.KeyVault/vaults/secrets/getSecret/action", Kind::DataAction),
    ("Microsoft.KeyVault/vaults/write", Kind::Action),
    ("Microsoft.Authorization/roleAssignments/write", Kind::Action),
    ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", Kind::DataAction),
];

/// A vault of a group of a subscription, or something above or below it.
fn place(draw: &mut Draw) -> Scope {
    let mut text = format!("/subscriptions/00000000-0000-0000-0000-{:012}", draw.below(10));
    let depth = draw.below(8);
    if depth > 0 {
        text += &format!("/resourceGroups/group-{}", draw.below(20));
    }
    if depth > 2 {
        text += &format!("/providers/Microsoft.KeyVault/vaults/vault{}", draw.below(20));
    }
    if depth > 6 {
        text += &format!("/secrets/secret{}", draw.below(5));
    }
    scope(&text)
}

/// Half of all principals hold little, some much; principals below 20 are groups that hold most.
fn holder(draw: &mut Draw, principals: u64) -> ObjectId {
    let bound = if draw.below(4) == 0 { 20 } else { principals };
    object(u128::from(draw.below(bound)))
}

fn drawn(draw: &mut Draw, number: u128, principals: u64) -> Assignment {
    let name = ROLES[draw.below(6) as usize];
    Assignment {
        id: named(number),
        principal: holder(draw, principals),
        role: role(name),
        scope: place(draw),
        condition: None,
    }
}

type ByHolder = HashMap<ObjectId, Vec<Assignment>>;

/// The rule of rbac.md 6 read aloud.
fn plainly(all: &ByHolder, who: &Subject, action: &str, kind: Kind, at: &Scope) -> bool {
    let mut held = std::iter::once(&who.object).chain(&who.groups).flat_map(|id| all.get(id)).flatten();
    held.any(|a| {
        a.scope.contains(at)
            && builtin_role(&a.role).unwrap().permissions.iter().any(|p| p.permits(kind, action))
    })
}

fn agree(draw: &mut Draw, fast: &Snapshot, plain: &ByHolder, principals: u64) -> [u32; 2] {
    let mut outcomes = [0; 2];
    for _ in 0..2000 {
        let groups = if draw.below(50) == 0 { vec![object(u128::from(draw.below(20)))] } else { vec![] };
        let who = Subject::new(object(20 + u128::from(draw.below(principals - 20))), groups);
        let (at, (action, kind)) = (place(draw), ASKS[draw.below(4) as usize]);
        let ask = Ask { kind, ..Ask::action(action, &at) };
        let expected = plainly(plain, &who, action, kind, &at);
        assert_eq!(decide(fast, &who, &ask).is_ok(), expected, "{who:?} {action} {at}");
        outcomes[usize::from(expected)] += 1;
    }
    outcomes
}

#[test]
fn a_hundred_thousand_assignments_decide_as_asking_each() {
    let (mut draw, principals) = (Draw(1), 2000);
    let (mut fast, mut plain) = (Snapshot::new(), ByHolder::new());
    for number in 0..100_000 {
        let new = drawn(&mut draw, number, principals);
        plain.entry(new.principal).or_default().push(new.clone());
        fast.insert_assignment(new);
    }
    assert_eq!(fast.len(), 100_000);
    let outcomes = agree(&mut draw, &fast, &plain, principals);
    assert!(outcomes.iter().all(|n| *n > 200), "both outcomes happen: {outcomes:?}");
    for number in (0..100_000).filter(|n| n % 10 != 0) {
        assert!(fast.remove_assignment(named(number)));
    }
    plain.values_mut().for_each(|list| list.retain(|a| a.id.uuid().as_u128() % 10 == 0));
    assert_eq!(fast.len(), 10_000);
    let outcomes = agree(&mut draw, &fast, &plain, principals);
    assert!(outcomes.iter().all(|n| *n > 20), "both outcomes happen: {outcomes:?}");
}

#[test]
#[ignore = "measures; run with optimisation: cargo test --release -p cs-rbac -- --ignored --nocapture"]
fn a_million_assignments_decide_within_a_microsecond() {
    let (mut draw, principals) = (Draw(2), 100_000);
    let mut all = Snapshot::new();
    let begun = Instant::now();
    for number in 0..1_000_000 {
        all.insert_assignment(drawn(&mut draw, number, principals));
    }
    let loading = begun.elapsed();
    let mut nanos: Vec<u128> = (0..200_000)
        .map(|_| {
            let who = Subject::new(
                object(20 + u128::from(draw.below(principals - 20))),
                vec![object(5), object(1 << 90)],
            );
            let (at, (action, kind)) = (place(&mut draw), ASKS[draw.below(4) as usize]);
            let ask = Ask { kind, ..Ask::action(action, &at) };
            let begun = Instant::now();
            let decision = decide(&all, &who, &ask);
            let taken = begun.elapsed().as_nanos();
            drop(decision);
            taken
        })
        .collect();
    nanos.sort_unstable();
    let (median, p99) = (nanos[nanos.len() / 2], nanos[nanos.len() * 99 / 100]);
    println!("loading {loading:?}; decision median {median} ns, p99 {p99} ns");
    assert!(median < 1000, "median {median} ns");
}
