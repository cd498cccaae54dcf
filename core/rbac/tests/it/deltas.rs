//! Changes to a snapshot, one at a time.

use std::sync::Arc;

use cs_rbac::{
    Allowed, Ask, Assignment, DenyAssignment, Permission, PermissionText, Reason, RoleDefinition, RoleId,
    Snapshot, Subject, WhyDenied, decide,
};
use uuid::Uuid;

use crate::world::{SUB, assignment, named, object, scope};

const READ: &str = "Microsoft.KeyVault/vaults/read";

fn reads(all: &Snapshot, who: &Subject, at: &str) -> Result<Allowed, WhyDenied> {
    decide(all, who, &Ask::action(READ, &scope(at))).map_err(|d| d.why)
}

#[test]
fn assignments_come_and_go_by_their_id() {
    let (mut all, who) = (Snapshot::new(), Subject::alone(object(7)));
    all.insert_assignment(assignment(1, object(7), "Reader", SUB));
    assert_eq!(all.len(), 1);
    let proof = reads(&all, &who, &format!("{SUB}/resourceGroups/lab")).unwrap();
    assert!(
        matches!(proof.because(), Reason::Assignment { id, role, .. } if *id == named(1) && &**role == "Reader")
    );
    assert_eq!((proof.action(), proof.scope()), (READ, &scope(&format!("{SUB}/resourceGroups/lab"))));
    // The same id again, elsewhere: moved, not doubled.
    all.insert_assignment(assignment(1, object(8), "Reader", SUB));
    assert_eq!(all.len(), 1);
    assert_eq!(reads(&all, &who, SUB).unwrap_err(), WhyDenied::NoAssignment);
    assert!(reads(&all, &Subject::alone(object(8)), SUB).is_ok());
    assert!(all.remove_assignment(named(1)));
    assert!(!all.remove_assignment(named(1)));
    assert!(reads(&all, &Subject::alone(object(8)), SUB).is_err());
    assert!(all.is_empty());
}

#[test]
fn a_principal_with_many_grants_keeps_each_apart() {
    let (mut all, who) = (Snapshot::new(), Subject::alone(object(7)));
    let group = |n: u128| format!("{SUB}/resourceGroups/g{n}");
    for n in 0..100 {
        all.insert_assignment(assignment(n, object(7), "Reader", &group(n)));
        all.insert_assignment(assignment(1000 + n, object(7), "Owner", &group(n)));
    }
    for n in (0..100).step_by(3) {
        assert!(all.remove_assignment(named(n)) && all.remove_assignment(named(1000 + n)));
    }
    for n in 0..100 {
        assert_eq!(reads(&all, &who, &group(n)).is_ok(), n % 3 != 0, "{n}");
        assert_eq!(all.roles_over(&who, &scope(&group(n))).len(), if n % 3 == 0 { 0 } else { 2 });
    }
}

#[test]
fn groups_count_and_are_named_as_holder() {
    let mut all = Snapshot::new();
    all.insert_assignment(assignment(1, object(50), "Reader", SUB));
    let proof = reads(&all, &Subject::new(object(7), vec![object(49), object(50)]), SUB).unwrap();
    assert!(matches!(proof.because(), Reason::Assignment { holder, .. } if *holder == object(50)));
    assert!(reads(&all, &Subject::new(object(7), vec![object(49)]), SUB).is_err());
}

fn custom(action: &str) -> Arc<RoleDefinition> {
    let id = RoleId::new(Uuid::from_u128(77));
    let block = PermissionText { actions: vec![action.to_owned()], ..PermissionText::default() };
    Arc::new(RoleDefinition::custom(id, "Custom", "", &[SUB.to_owned()], vec![block]).unwrap())
}

#[test]
fn a_changed_role_changes_what_is_assigned_of_it() {
    let (mut all, who) = (Snapshot::new(), Subject::alone(object(7)));
    let role = custom(READ);
    all.insert_assignment(Assignment { role: role.id, ..assignment(1, object(7), "Reader", SUB) });
    assert!(reads(&all, &who, SUB).is_err(), "a role not yet known grants nothing");
    all.insert_role(Arc::clone(&role));
    assert!(reads(&all, &who, SUB).is_ok());
    all.insert_role(custom("Microsoft.Storage/*"));
    assert!(reads(&all, &who, SUB).is_err());
    all.insert_role(role);
    all.remove_role(&RoleId::new(Uuid::from_u128(77)));
    assert!(reads(&all, &who, SUB).is_err());
}

#[test]
fn deny_assignments_win_while_they_last() {
    let (mut all, who) = (Snapshot::new(), Subject::alone(object(7)));
    all.insert_assignment(assignment(1, object(7), "Owner", SUB));
    let block = PermissionText { actions: vec!["*/read".to_owned()], ..PermissionText::default() };
    let deny = |condition: Option<&str>| DenyAssignment {
        id: named(9),
        scope: scope(SUB),
        only_here: false,
        principals: vec![object(0)],
        excluded: vec![],
        permissions: vec![Permission::parse(block.clone()).unwrap()],
        condition: condition.map(str::to_owned),
    };
    for (condition, forbids) in [
        (None, true),
        (Some("1 NumericEquals 1"), true),
        (Some("1 NumericEquals 2"), false),
        // The closed side of a deny assignment is to deny.
        (Some("not a condition"), true),
    ] {
        all.insert_deny(deny(condition));
        let expected = if forbids { Some(WhyDenied::DenyAssignment(named(9))) } else { None };
        assert_eq!(reads(&all, &who, &format!("{SUB}/resourceGroups/lab")).err(), expected, "{condition:?}");
    }
    assert!(all.remove_deny(named(9)) && !all.remove_deny(named(9)));
    assert!(reads(&all, &who, SUB).is_ok());
}

#[test]
fn listings_show_what_lies_above_and_below_a_role() {
    let mut all = Snapshot::new();
    let vault = format!("{SUB}/resourceGroups/lab/providers/Microsoft.KeyVault/vaults/kv");
    all.insert_assignment(assignment(1, object(7), "Reader", &vault));
    let who = Subject::alone(object(7));
    let visible = |all: &Snapshot, at: &str| all.is_visible(&who, &scope(at));
    for yes in ["/", SUB, &format!("{SUB}/resourceGroups/LAB"), &vault, &format!("{vault}/secrets/a")] {
        assert!(visible(&all, yes), "{yes}");
    }
    let group = "/providers/Microsoft.Management/managementGroups/mg";
    for no in [&format!("{SUB}/resourceGroups/la"), &format!("{SUB}f"), &format!("{vault}2"), group] {
        assert!(!visible(&all, no), "{no}");
    }
    all.set_parent(&scope(SUB), Some(&scope(group)));
    assert!(visible(&all, group));
    all.set_parent(&scope(SUB), None);
    assert!(!visible(&all, group));
}
