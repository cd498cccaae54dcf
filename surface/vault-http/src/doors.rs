//! Every route of the vault's data plane, with its data action and access-policy permission (keyvault.md 8).

use cs_serve::{Door, Needs};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Set,
    Get,
    Update,
    List,
    Versions,
    Delete,
    GetDeleted,
    ListDeleted,
    Recover,
    Purge,
    Backup,
    Restore,
}

const fn door(
    method: &'static str,
    path: &'static str,
    action: &'static str,
    permission: &'static str,
    op: Op,
) -> Door<Op> {
    Door { method, path, query: "", needs: Needs::Data { action, policy: Some(("secrets", permission)) }, op }
}

const READ_METADATA: &str = "Microsoft.KeyVault/vaults/secrets/readMetadata/action";

/// `versions` stands before `{version?}`: it is a reserved word there.
pub(crate) const DOORS: &[Door<Op>] = &[
    door("GET", "/secrets", READ_METADATA, "list", Op::List),
    door("GET", "/secrets/", READ_METADATA, "list", Op::List),
    door("GET", "/secrets/{name}/versions", READ_METADATA, "list", Op::Versions),
    door("PUT", "/secrets/{name}", "Microsoft.KeyVault/vaults/secrets/setSecret/action", "set", Op::Set),
    door("PUT", "/secrets/{name}/", "Microsoft.KeyVault/vaults/secrets/setSecret/action", "set", Op::Set),
    door(
        "GET",
        "/secrets/{name}/{version?}",
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "get",
        Op::Get,
    ),
    door(
        "PATCH",
        "/secrets/{name}/{version?}",
        "Microsoft.KeyVault/vaults/secrets/update/action",
        "set",
        Op::Update,
    ),
    door("DELETE", "/secrets/{name}", "Microsoft.KeyVault/vaults/secrets/delete", "delete", Op::Delete),
    door("DELETE", "/secrets/{name}/", "Microsoft.KeyVault/vaults/secrets/delete", "delete", Op::Delete),
    door(
        "POST",
        "/secrets/{name}/backup",
        "Microsoft.KeyVault/vaults/secrets/backup/action",
        "backup",
        Op::Backup,
    ),
    door(
        "POST",
        "/secrets/restore",
        "Microsoft.KeyVault/vaults/secrets/restore/action",
        "restore",
        Op::Restore,
    ),
    door("GET", "/deletedsecrets", READ_METADATA, "list", Op::ListDeleted),
    door("GET", "/deletedsecrets/", READ_METADATA, "list", Op::ListDeleted),
    door("GET", "/deletedsecrets/{name}", READ_METADATA, "get", Op::GetDeleted),
    door(
        "POST",
        "/deletedsecrets/{name}/recover",
        "Microsoft.KeyVault/vaults/secrets/recover/action",
        "recover",
        Op::Recover,
    ),
    door(
        "DELETE",
        "/deletedsecrets/{name}",
        "Microsoft.KeyVault/vaults/secrets/purge/action",
        "purge",
        Op::Purge,
    ),
];

/// The table, for the tests that knock on every door.
pub fn doors() -> &'static [Door<Op>] {
    DOORS
}
