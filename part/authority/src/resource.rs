//! The resources tokens are for, and the names they go by (sts.md 3.5, 8): one table.

use cs_names::Address;

use crate::Audiences;

/// A resource of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownResource {
    Arm,
    Vault,
    Storage,
    Graph,
    Postgres,
    /// What a federated credential about a managed identity of the site names as its audience: such a token is an
    /// assertion at the token endpoint and opens no door else.
    TokenExchange,
}

/// One row: the resource, its fixed names, its application id.
struct Row {
    resource: KnownResource,
    names: &'static [&'static str],
    id: &'static str,
}

const TABLE: &[Row] = &[
    Row {
        resource: KnownResource::Arm,
        names: &["https://management.azure.com", "https://management.core.windows.net"],
        id: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    },
    Row {
        resource: KnownResource::Vault,
        names: &["https://vault.azure.net"],
        id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    },
    Row {
        resource: KnownResource::Storage,
        names: &["https://storage.azure.com"],
        id: "e406a681-f3d4-42a8-90b6-c2b029497af1",
    },
    Row {
        resource: KnownResource::Graph,
        names: &["https://graph.microsoft.com", "https://graph.windows.net"],
        id: "00000003-0000-0000-c000-000000000000",
    },
    Row {
        resource: KnownResource::Postgres,
        names: &["https://ossrdbms-aad.database.windows.net"],
        id: "123cd850-d9df-40bd-94d5-c9f07b7fa203",
    },
    Row {
        resource: KnownResource::TokenExchange,
        names: &["api://azureadtokenexchange"],
        id: "fb60f99c-7a34-4190-8149-302f77469936",
    },
];

impl KnownResource {
    /// The resource a client names; trailing slashes and the case of the host do not count.
    pub fn named(audience: &str, address: &Address) -> Option<Self> {
        let bare = audience.trim_end_matches('/').to_ascii_lowercase();
        TABLE
            .iter()
            .find(|row| {
                row.id == bare
                    || row.names.contains(&bare.as_str())
                    || row.resource.has_own_name(&bare, address)
            })
            .map(|row| row.resource)
    }

    /// Names under the site's own suffix, with its port and without.
    fn has_own_name(self, bare: &str, address: &Address) -> bool {
        self.own_names(address).iter().any(|name| name == bare)
            || self == Self::Storage && account_of(bare, address).is_some()
    }

    fn own_names(self, address: &Address) -> Vec<String> {
        let plain = Address::new(address.names().clone(), 443);
        [address, &plain]
            .into_iter()
            .filter_map(|a| match self {
                Self::Arm => Some(a.management()),
                Self::Vault => Some(a.vault_resource()),
                Self::Storage => {
                    Some(format!("https://storage.{}", a.storage_suffix().strip_prefix("core.")?))
                }
                Self::Graph => Some(a.graph()),
                Self::TokenExchange => None,
                Self::Postgres if a.names().is_cloud() => None,
                Self::Postgres => Some(format!("https://ossrdbms-aad.database.{}", a.names().suffix())),
            })
            .collect()
    }

    /// What `aud` may say in a token for this resource. For one account's blobs see [`Audiences::with`].
    pub fn audiences(self, address: &Address) -> Audiences {
        let fixed = TABLE
            .iter()
            .filter(|row| row.resource == self)
            .flat_map(|row| row.names.iter().copied().chain([row.id]).map(str::to_owned));
        Audiences(fixed.chain(self.own_names(address)).collect())
    }
}

/// The account of `https://{account}.blob.core.S[:port]`.
fn account_of<'b>(bare: &'b str, address: &Address) -> Option<&'b str> {
    let suffix = format!(".blob.{}", address.storage_suffix());
    let plain = format!(".blob.{}", Address::new(address.names().clone(), 443).storage_suffix());
    let host = bare.strip_prefix("https://")?;
    let account = host.strip_suffix(&suffix).or_else(|| host.strip_suffix(&plain))?;
    (!account.is_empty() && !account.contains(['.', '/'])).then_some(account)
}

impl Audiences {
    /// The same and one more: the address of the very account.
    #[must_use]
    pub fn with(mut self, name: String) -> Self {
        self.0.push(name);
        self
    }
}

#[cfg(test)]
mod tests {
    use cs_names::SiteNames;

    use super::*;

    fn address(port: u16) -> Address {
        Address::new(SiteNames::under("s.example").unwrap(), port)
    }

    #[test]
    fn b27_only_the_names_of_the_table_are_known() {
        let at = address(8443);
        for (name, resource) in [
            ("https://management.azure.com", KnownResource::Arm),
            ("https://management.core.windows.net/", KnownResource::Arm),
            ("https://MANAGEMENT.s.example:8443", KnownResource::Arm),
            ("https://vault.s.example", KnownResource::Vault),
            ("https://vault.s.example:8443/", KnownResource::Vault),
            ("https://acct.blob.core.s.example:8443", KnownResource::Storage),
            ("e406a681-f3d4-42a8-90b6-c2b029497af1", KnownResource::Storage),
            ("https://graph.microsoft.com/", KnownResource::Graph),
            ("https://ossrdbms-aad.database.windows.net", KnownResource::Postgres),
            ("https://ossrdbms-aad.database.s.example/", KnownResource::Postgres),
            ("api://AzureADTokenExchange", KnownResource::TokenExchange),
        ] {
            assert_eq!(KnownResource::named(name, &at), Some(resource), "{name}");
        }
        for other in [
            "",
            "/",
            "https://vault.azure.net.evil",
            "http://vault.azure.net",
            "https://vault.s.example:9",
            "https://vault.other.example",
        ] {
            assert_eq!(KnownResource::named(other, &at), None, "{other}");
        }
        let vault = KnownResource::Vault.audiences(&at);
        assert!(vault.contain("https://vault.azure.net/") && vault.contain("https://vault.s.example:8443"));
        assert!(
            !vault.contain("https://management.azure.com") && !vault.contain("https://vault.azure.net/x")
        );
    }
}
