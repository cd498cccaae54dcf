//! The shared table of decision cases; each is complete and says why it comes out as it does.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cs_ids::{ObjectId, Scope};
use cs_rbac::{
    Ask, Assignment, AssignmentId, Attributes, DenyAssignment, Kind, Permission, PermissionText,
    RoleDefinition, RoleId, Snapshot, Source, Subject, Value, builtin_role_named, decide,
};
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize)]
struct Table {
    groups: HashMap<ObjectId, Vec<ObjectId>>,
    custom_roles: Vec<CustomRole>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomRole {
    role_name: String,
    permissions: Vec<PermissionText>,
    assignable_scopes: Vec<String>,
}

type Values = HashMap<String, serde_json::Value>;

#[derive(Deserialize)]
struct Case {
    id: String,
    title: String,
    caller: ObjectId,
    action: String,
    data: bool,
    at: String,
    expect: String,
    why: String,
    role_assignments: Vec<CaseAssignment>,
    #[serde(default)]
    deny_assignments: Vec<CaseDeny>,
    #[serde(default)]
    ancestors: Vec<String>,
    suboperation: Option<String>,
    #[serde(default)]
    resource: Values,
    #[serde(default)]
    request: Values,
    #[serde(default)]
    environment: Values,
    #[serde(default)]
    principal_attributes: Values,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseAssignment {
    principal_id: ObjectId,
    role: String,
    scope: String,
    condition: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseDeny {
    scope: String,
    permissions: Vec<PermissionText>,
    principals: Vec<CasePrincipal>,
    exclude_principals: Vec<CasePrincipal>,
    do_not_apply_to_child_scopes: bool,
}

#[derive(Deserialize)]
struct CasePrincipal {
    id: ObjectId,
}

fn table() -> Table {
    serde_json::from_str(include_str!("rbac-cases.json")).unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

/// All groups that somebody is in, through groups in groups and round their cycles.
fn groups_of(member: ObjectId, groups: &HashMap<ObjectId, Vec<ObjectId>>) -> Vec<ObjectId> {
    let mut known = BTreeSet::new();
    let mut open = vec![member];
    while let Some(id) = open.pop() {
        for (group, _) in groups.iter().filter(|(_, members)| members.contains(&id)) {
            if known.insert(*group) {
                open.push(*group);
            }
        }
    }
    known.into_iter().collect()
}

impl Table {
    fn role(&self, name: &str) -> Arc<RoleDefinition> {
        if let Some(role) = builtin_role_named(name) {
            return Arc::clone(role);
        }
        let (at, role) = self.custom_roles.iter().enumerate().find(|(_, r)| r.role_name == name).unwrap();
        let id = RoleId::new(Uuid::from_u128(0xc0de_0000 + at as u128));
        Arc::new(
            RoleDefinition::custom(id, name, "", &role.assignable_scopes, role.permissions.clone()).unwrap(),
        )
    }

    fn snapshot(&self, case: &Case) -> Snapshot {
        let mut all = Snapshot::new();
        for (at, assignment) in case.role_assignments.iter().enumerate() {
            let role = self.role(&assignment.role);
            all.insert_assignment(Assignment {
                id: AssignmentId::new(Uuid::from_u128(1 + at as u128)),
                principal: assignment.principal_id,
                role: role.id,
                scope: scope(&assignment.scope),
                condition: assignment.condition.clone(),
            });
            all.insert_role(role);
        }
        for (at, deny) in case.deny_assignments.iter().enumerate() {
            all.insert_deny(DenyAssignment {
                id: AssignmentId::new(Uuid::from_u128(1000 + at as u128)),
                scope: scope(&deny.scope),
                only_here: deny.do_not_apply_to_child_scopes,
                principals: deny.principals.iter().map(|p| p.id).collect(),
                excluded: deny.exclude_principals.iter().map(|p| p.id).collect(),
                permissions: deny
                    .permissions
                    .iter()
                    .cloned()
                    .map(|p| Permission::parse(p).unwrap())
                    .collect(),
                condition: None,
            });
        }
        let subscription = case.at.split('/').take(3).collect::<Vec<_>>().join("/");
        let mut child = subscription;
        for above in &case.ancestors {
            all.set_parent(&scope(&child), Some(&scope(above)));
            child.clone_from(above);
        }
        all
    }
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => Value::Number(number.as_i64().unwrap()),
        serde_json::Value::Array(values) => Value::List(values.iter().map(value).collect()),
        other => panic!("no attribute value: {other}"),
    }
}

impl Case {
    fn attributes(&self) -> Attributes {
        let sources = [
            (Source::Resource, &self.resource),
            (Source::Request, &self.request),
            (Source::Environment, &self.environment),
            (Source::Principal, &self.principal_attributes),
        ];
        let mut all = Attributes::new();
        for (source, values) in sources {
            for (name, json) in values {
                all = all.with(source, name, value(json));
            }
        }
        match &self.suboperation {
            Some(name) => all.sub_operation(name),
            None => all,
        }
    }
}

#[test]
fn every_case_comes_out_as_the_table_says() {
    let table = table();
    assert_eq!(table.cases.len(), 118);
    let mut failed = Vec::new();
    for case in &table.cases {
        let who = Subject::new(case.caller, groups_of(case.caller, &table.groups));
        let (at, attributes) = (scope(&case.at), case.attributes());
        let kind = if case.data { Kind::DataAction } else { Kind::Action };
        let ask = Ask { action: &case.action, kind, scope: &at, attributes: &attributes };
        let decision = decide(&table.snapshot(case), &who, &ask);
        let outcome = if decision.is_ok() { "allow" } else { "deny" };
        if outcome != case.expect {
            failed.push(format!(
                "{} ({}): {outcome}, expected {}, because {}",
                case.id, case.title, case.expect, case.why
            ));
        }
    }
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n"));
}
