//! The built-in roles, from a published dump of Azure's list (`data/builtin-roles.json` names its source and date).

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use serde::Deserialize;

use crate::{
    RoleDefinition, RoleId,
    roles::{PermissionText, RoleKind},
};

/// All built-in roles, in the order of the dump (by name).
pub fn builtin_roles() -> impl ExactSizeIterator<Item = &'static Arc<RoleDefinition>> {
    TABLE.roles.iter()
}

/// A built-in role by the GUID that is the same in every tenant.
pub fn builtin_role(id: &RoleId) -> Option<&'static Arc<RoleDefinition>> {
    TABLE.by_id.get(id).map(|at| &TABLE.roles[*at])
}

/// A built-in role by its display name, without regard to case.
pub fn builtin_role_named(name: &str) -> Option<&'static Arc<RoleDefinition>> {
    TABLE.by_name.get(&name.to_lowercase()).map(|at| &TABLE.roles[*at])
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::read);

struct Table {
    roles: Vec<Arc<RoleDefinition>>,
    by_id: HashMap<RoleId, usize>,
    by_name: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct Dump {
    roles: Vec<DumpedRole>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DumpedRole {
    name: RoleId,
    role_name: String,
    description: String,
    assignable_scopes: Vec<String>,
    permissions: Vec<PermissionText>,
}

impl Table {
    /// The dump is part of the binary; that all of it reads is a test's business. A role that did not would be
    /// missing, and so grant nothing.
    fn read() -> Self {
        let dump: Dump = serde_json::from_str(include_str!("../data/builtin-roles.json"))
            .unwrap_or(Dump { roles: Vec::new() });
        let roles: Vec<_> = dump.roles.into_iter().filter_map(DumpedRole::into_role).map(Arc::new).collect();
        let by_id = roles.iter().enumerate().map(|(at, r)| (r.id, at)).collect();
        let by_name = roles.iter().enumerate().map(|(at, r)| (r.name.to_lowercase(), at)).collect();
        Self { roles, by_id, by_name }
    }
}

impl DumpedRole {
    fn into_role(self) -> Option<RoleDefinition> {
        let DumpedRole { name, role_name, description, assignable_scopes, permissions } = self;
        let kind = RoleKind::BuiltIn;
        RoleDefinition::of_kind(kind, name, &role_name, &description, &assignable_scopes, permissions).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn the_whole_dump_reads() {
        assert_eq!(builtin_roles().len(), 133);
        let conditions: Vec<_> =
            builtin_roles().flat_map(|r| &r.permissions).filter_map(|p| p.condition()).collect();
        assert_eq!(conditions.len(), 2);
        assert!(conditions.iter().all(|c| c.is_readable()));
    }

    #[test]
    fn found_by_guid_and_by_name_in_any_case() {
        let reader = builtin_role(&"ACDD72A7-3385-48ef-bd42-f606fba81ae7".parse().unwrap()).unwrap();
        assert_eq!(&*reader.name, "Reader");
        assert!(Arc::ptr_eq(reader, builtin_role_named("rEADER").unwrap()));
        assert!(builtin_role_named("Reader ").is_none());
        assert!(reader.permissions[0].permits(Kind::Action, "Microsoft.X/y/read"));
        assert!(!reader.permissions[0].permits(Kind::DataAction, "Microsoft.X/y/read"));
    }
}
