//! Key Vault access policies (rbac.md 8), for vaults that do not use roles on their data plane.

use std::fmt;

use cs_ids::{ClientId, ObjectId, Scope, TenantId};

use crate::{Allowed, Caller, Denied, Reason, WhyDenied};

/// The collection of a vault that a permission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    Keys,
    Secrets,
    Certificates,
    Storage,
}

impl ObjectKind {
    /// As policies and messages spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Secrets => "secrets",
            Self::Certificates => "certificates",
            Self::Storage => "storage",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every permission a policy may name, `all` first.
pub const fn known_permissions(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::Keys => &[
            "all",
            "encrypt",
            "decrypt",
            "wrapKey",
            "unwrapKey",
            "sign",
            "verify",
            "get",
            "list",
            "create",
            "update",
            "import",
            "delete",
            "backup",
            "restore",
            "recover",
            "purge",
            "release",
            "rotate",
            "getrotationpolicy",
            "setrotationpolicy",
        ],
        ObjectKind::Secrets => {
            &["all", "get", "list", "set", "delete", "backup", "restore", "recover", "purge"]
        }
        ObjectKind::Certificates => &[
            "all",
            "get",
            "list",
            "delete",
            "create",
            "import",
            "update",
            "managecontacts",
            "getissuers",
            "listissuers",
            "setissuers",
            "deleteissuers",
            "manageissuers",
            "recover",
            "purge",
            "backup",
            "restore",
        ],
        ObjectKind::Storage => &[
            "all",
            "get",
            "list",
            "delete",
            "set",
            "update",
            "regeneratekey",
            "recover",
            "purge",
            "backup",
            "restore",
            "setsas",
            "listsas",
            "getsas",
            "deletesas",
        ],
    }
}

/// One entry of `properties.accessPolicies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEntry {
    pub tenant: TenantId,
    /// A principal, or a group of it.
    pub object: ObjectId,
    /// When set, only tokens obtained through this application.
    pub application: Option<ClientId>,
    pub keys: Vec<String>,
    pub secrets: Vec<String>,
    pub certificates: Vec<String>,
    pub storage: Vec<String>,
}

impl PolicyEntry {
    /// The permissions of one collection, as written.
    pub fn permissions(&self, kind: ObjectKind) -> &[String] {
        match kind {
            ObjectKind::Keys => &self.keys,
            ObjectKind::Secrets => &self.secrets,
            ObjectKind::Certificates => &self.certificates,
            ObjectKind::Storage => &self.storage,
        }
    }

    fn is_for(&self, caller: &Caller, groups: &[ObjectId]) -> bool {
        let holder = match self.application {
            // On behalf of: the very principal, through the very application.
            Some(application) => self.object == caller.object && application == caller.client,
            None => self.object == caller.object || groups.contains(&self.object),
        };
        holder && self.tenant == caller.tenant
    }

    fn grants(&self, kind: ObjectKind, permission: &str) -> bool {
        let all_covers = !permission.eq_ignore_ascii_case("purge");
        self.permissions(kind)
            .iter()
            .any(|p| p.eq_ignore_ascii_case(permission) || all_covers && p.eq_ignore_ascii_case("all"))
    }
}

/// What is asked of a vault that uses access policies.
#[derive(Debug, Clone, Copy)]
pub struct PolicyAsk<'a> {
    pub caller: &'a Caller,
    /// The caller's groups, transitive.
    pub groups: &'a [ObjectId],
    pub kind: ObjectKind,
    /// One of [`known_permissions`] but `all`, in any case.
    pub permission: &'a str,
    /// The vault; policies know no scope below it.
    pub vault: &'a Scope,
}

/// Decides by the vault's access policies alone. `all` covers everything but `purge`, which must be named
/// (unverified for certificates and storage). An unknown permission is denied, even under `all`.
///
/// # Errors
/// [`Denied`] with the action spelled `secrets get`.
pub fn decide_policy(entries: &[PolicyEntry], ask: &PolicyAsk<'_>) -> Result<Allowed, Denied> {
    let action = format!("{} {}", ask.kind, ask.permission);
    let known = known_permissions(ask.kind).iter().skip(1).any(|p| p.eq_ignore_ascii_case(ask.permission));
    let entry = entries
        .iter()
        .find(|e| known && e.is_for(ask.caller, ask.groups) && e.grants(ask.kind, ask.permission));
    match entry {
        Some(entry) => {
            let because = Reason::AccessPolicy {
                holder: entry.object,
                application: entry.application,
                kind: ask.kind,
                permission: ask.permission.to_owned(),
            };
            Ok(Allowed::new(ask.vault.clone(), action, because))
        }
        None => Err(Denied { action, scope: ask.vault.clone(), why: WhyDenied::NoAccessPolicy }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller::invented(TenantId::new(uuid::Uuid::from_u128(1)), ObjectId::new(uuid::Uuid::from_u128(2)))
    }

    fn entry(secrets: &[&str]) -> PolicyEntry {
        PolicyEntry {
            tenant: caller().tenant,
            object: caller().object,
            application: None,
            keys: vec![],
            secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
            certificates: vec![],
            storage: vec![],
        }
    }

    fn allowed(entry: PolicyEntry, groups: &[ObjectId], permission: &str) -> bool {
        let vault =
            Scope::parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v").unwrap();
        let caller = caller();
        let ask = PolicyAsk { caller: &caller, groups, kind: ObjectKind::Secrets, permission, vault: &vault };
        decide_policy(&[entry], &ask).is_ok()
    }

    #[test]
    fn all_is_all_but_purge() {
        for permission in ["get", "LIST", "set", "delete", "recover"] {
            assert!(allowed(entry(&["All"]), &[], permission), "{permission}");
        }
        assert!(!allowed(entry(&["all"]), &[], "purge"));
        assert!(allowed(entry(&["all", "Purge"]), &[], "purge"));
    }

    #[test]
    fn unknown_permissions_and_other_collections_are_denied() {
        for permission in ["all", "frobnicate", "", "sign"] {
            assert!(!allowed(entry(&["all", "frobnicate"]), &[], permission), "{permission}");
        }
        let keys_only = PolicyEntry { keys: vec!["all".to_owned()], ..entry(&[]) };
        assert!(!allowed(keys_only, &[], "get"));
        assert!(!allowed(entry(&["list"]), &[], "get"));
    }

    #[test]
    fn holders_are_the_principal_and_its_groups_of_the_same_tenant() {
        let group = ObjectId::new(uuid::Uuid::from_u128(9));
        let for_group = PolicyEntry { object: group, ..entry(&["get"]) };
        assert!(allowed(for_group.clone(), &[group], "get"));
        assert!(!allowed(for_group, &[], "get"));
        let elsewhere = PolicyEntry { tenant: TenantId::new(uuid::Uuid::from_u128(7)), ..entry(&["get"]) };
        assert!(!allowed(elsewhere, &[], "get"));
    }

    #[test]
    fn an_application_entry_needs_both() {
        let through = |client| PolicyEntry { application: Some(client), ..entry(&["get"]) };
        assert!(allowed(through(caller().client), &[], "get"));
        assert!(!allowed(through(ClientId::new(uuid::Uuid::from_u128(5))), &[], "get"));
    }
}
