//! The challenge every SDK parses in its own way (keyvault.md 2.2).

use cs_serve::Context;
use cs_vault::OpenVault;

/// Scheme, comma **and** blank, quotes, one `=` a parameter, no slash at the end: `resource` is the parent domain of
/// the vault's host, with its port, and `authorization` ends in the tenant's id.
pub(crate) fn header(context: &Context, vault: &OpenVault) -> String {
    let (login, resource) = (context.address.login(), context.address.vault_resource());
    format!("Bearer authorization=\"{login}/{}\", resource=\"{resource}\"", vault.tenant)
}
