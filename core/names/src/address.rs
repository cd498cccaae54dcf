//! URLs as the caller must use them.

use crate::SiteNames;

/// A site's names with the port the caller came by. 443 is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    names: SiteNames,
    port: Option<u16>,
}

impl Address {
    pub fn new(names: SiteNames, port: u16) -> Self {
        Self { names, port: (port != 443).then_some(port) }
    }

    pub fn names(&self) -> &SiteNames {
        &self.names
    }

    fn url(&self, host: &str) -> String {
        format!("https://{}", self.with_port(host))
    }

    fn with_port(&self, host: &str) -> String {
        self.port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// `https://login.S[:port]`, no slash at the end (like all of these).
    pub fn login(&self) -> String {
        self.url(&self.names.0.login)
    }

    /// `login.S[:port]`.
    pub fn login_host(&self) -> String {
        self.with_port(&self.names.0.login)
    }

    pub fn management(&self) -> String {
        self.url(&self.names.0.management)
    }

    pub fn graph(&self) -> String {
        self.url(&self.names.0.graph)
    }

    pub fn graph_host(&self) -> String {
        self.with_port(&self.names.0.graph)
    }

    pub fn console(&self) -> String {
        self.url(&self.names.0.console)
    }

    /// What a vault's challenge names as `resource`: the parent domain of every vault, with the port.
    pub fn vault_resource(&self) -> String {
        self.url(&self.names.0.vault)
    }

    /// `https://{vault}.vault.S[:port]`, the vault's name folded.
    pub fn vault(&self, vault: &str) -> String {
        self.url(&self.names.vault_host(vault))
    }

    /// `https://{account}.blob.core.S[:port]`.
    pub fn blob(&self, account: &str) -> String {
        self.url(&self.names.blob_host(account))
    }

    /// `vault.S[:port]`: `suffixes.keyVaultDns` of the cloud's metadata (az puts a dot before it).
    pub fn key_vault_dns(&self) -> String {
        self.with_port(&self.names.0.vault)
    }

    /// `core.S[:port]`: `suffixes.storage` (no dot is put before it).
    pub fn storage_suffix(&self) -> String {
        self.with_port(&self.names.0.storage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_unless_443() {
        let names = SiteNames::under("s.example").unwrap();
        assert_eq!(Address::new(names.clone(), 443).vault("Kv"), "https://kv.vault.s.example");
        assert_eq!(Address::new(names, 8443).vault_resource(), "https://vault.s.example:8443");
    }
}
