//! Attacks on the decision itself.

use cs_ids::Scope;
use cs_rbac::{Ask, Attributes, Snapshot, Source, Subject, WhyDenied, condition, decide};

use crate::world::{SUB, assignment, object, role, scope};

const READ: &str = "Microsoft.KeyVault/vaults/read";
const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";

fn reader_of(at: &str) -> (Snapshot, Subject) {
    let mut all = Snapshot::new();
    all.insert_assignment(assignment(1, object(7), "Reader", at));
    (all, Subject::alone(object(7)))
}

#[test]
fn d01_spellings_of_one_scope_decide_alike_and_look_alikes_do_not() {
    let (all, who) = reader_of(&format!("{SUB}/resourceGroups/Lab"));
    for same in ["/resourcegroups/lab", "//RESOURCEGROUPS///LAB/", "/resourceGroups/Lab/providers/x/y/z/"] {
        assert!(decide(&all, &who, &Ask::action(READ, &scope(&format!("{SUB}{same}")))).is_ok(), "{same}");
    }
    // Cyrillic a; a name that merely begins alike; the parent; another subscription.
    for other in
        ["/resourceGroups/l\u{430}b", "/resourceGroups/lab2", "/resourceGroups/la", "/resourceGroups", "f"]
    {
        assert!(decide(&all, &who, &Ask::action(READ, &scope(&format!("{SUB}{other}")))).is_err(), "{other}");
    }
    for none in ["/resourceGroups/lab/../lab2", "/resourceGroups%2Flab", "/resourceGroups/lab%2f"] {
        assert!(Scope::parse(&format!("{SUB}{none}")).is_err(), "{none}");
    }
}

#[test]
fn d01_scope_borders_hold_at_every_level() {
    let vault = format!("{SUB}/resourceGroups/lab/providers/Microsoft.KeyVault/vaults/kv");
    let get = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
    let mut all = Snapshot::new();
    all.insert_assignment(assignment(1, object(7), "Key Vault Secrets User", &format!("{vault}/secrets/a")));
    let who = Subject::alone(object(7));
    let ask = |at: &str| decide(&all, &who, &Ask::data_action(get, &scope(at))).is_ok();
    assert!(ask(&format!("{vault}/secrets/A")));
    for no in ["/secrets/ab", "/secrets", "", "2/secrets/a", "/keys/a"] {
        assert!(!ask(&format!("{vault}{no}")), "{no}");
    }
}

#[test]
fn d02_owner_of_a_group_assigns_nowhere_else() {
    let mut all = Snapshot::new();
    all.insert_assignment(assignment(1, object(7), "Owner", &format!("{SUB}/resourceGroups/lab")));
    let who = Subject::alone(object(7));
    assert!(decide(&all, &who, &Ask::action(ASSIGN, &scope(&format!("{SUB}/resourceGroups/lab")))).is_ok());
    let foreign = "/subscriptions/ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee/resourceGroups/lab";
    for above in ["/", SUB, foreign, "/providers/Microsoft.Management/managementGroups/root"] {
        let denied = decide(&all, &who, &Ask::action(ASSIGN, &scope(above))).unwrap_err();
        assert_eq!(denied.why, WhyDenied::NoAssignment, "{above}");
    }
}

#[test]
fn d03_no_role_below_owner_grants_itself_one() {
    let who = Subject::alone(object(7));
    for name in ["Contributor", "Reader", "Key Vault Administrator", "Storage Blob Data Owner"] {
        let mut all = Snapshot::new();
        all.insert_assignment(assignment(1, object(7), name, SUB));
        assert!(decide(&all, &who, &Ask::action(ASSIGN, &scope(SUB))).is_err(), "{name}");
    }
}

#[test]
fn d03_delegated_administrator_stays_within_its_condition() {
    let reader = role("Reader");
    let mut given = assignment(1, object(7), "Role Based Access Control Administrator", SUB);
    given.condition = Some(format!(
        "((!(ActionMatches{{'{ASSIGN}'}})) OR \
         (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{reader}}}))"
    ));
    let mut all = Snapshot::new();
    all.insert_assignment(given.clone());
    let who = Subject::alone(object(7));
    let wants = |role: cs_rbac::RoleId| {
        let attributes =
            Attributes::new().with(Source::Request, condition::names::ROLE_DEFINITION_ID, role.uuid());
        decide(&all, &who, &Ask::action(ASSIGN, &scope(SUB)).with(&attributes)).map(|_| ()).map_err(|d| d.why)
    };
    assert_eq!(wants(reader), Ok(()));
    assert_eq!(wants(role("Owner")), Err(WhyDenied::ConditionFalse(given.id)));
    // A surface that forgets to say which role is asked for opens nothing.
    assert!(decide(&all, &who, &Ask::action(ASSIGN, &scope(SUB))).is_err());
}

#[test]
fn d03_a_broken_condition_never_grants() {
    let who = Subject::alone(object(7));
    for text in ["", "true", "(", "@Resource[x] Frobnicates 'y'", "1 NumericEquals 1 OR"] {
        let mut given = assignment(1, object(7), "Owner", SUB);
        given.condition = Some(text.to_owned());
        let mut all = Snapshot::new();
        all.insert_assignment(given);
        assert!(decide(&all, &who, &Ask::action(READ, &scope(SUB))).is_err(), "{text}");
    }
}
