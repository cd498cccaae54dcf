//! Which surface a host name belongs to.

use std::sync::Arc;

/// A surface of a site, with the label that picks the vault or account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Surface {
    Login,
    Management,
    Graph,
    Console,
    /// Folded vault name.
    Vault(String),
    /// Folded account name; a `-secondary` endpoint is told by the flag.
    Blob {
        account: String,
        secondary: bool,
    },
    /// Folded name of a database server.
    Database(String),
}

/// The suffix is no host name we can serve under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a domain name: labels of a-z, 0-9 and '-', joined by dots")]
pub struct BadSuffix(String);

/// The names a listener answers to; cheap to clone, since every request carries them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteNames(pub(crate) Arc<Names>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) login: Box<str>,
    login_aliases: &'static [&'static str],
    pub(crate) management: Box<str>,
    pub(crate) graph: Box<str>,
    pub(crate) console: Box<str>,
    /// Without a leading dot.
    pub(crate) vault: Box<str>,
    /// `core.S`; account hosts are `{account}.blob.` + this.
    pub(crate) storage: Box<str>,
    /// Parent domain of database servers, without a leading dot.
    pub(crate) postgres: Box<str>,
    pub(crate) cloud: bool,
    pub(crate) suffix: Box<str>,
}

/// Authority hosts clients know by heart (sts.md 7.1), so that instance discovery is answered on all of them.
const AZURE_LOGIN_ALIASES: &[&str] = &["login.windows.net", "login.microsoft.com", "sts.windows.net"];

impl SiteNames {
    /// Names under a suffix of one's own.
    ///
    /// # Errors
    /// [`BadSuffix`] when it is not a lower-case domain name of at most 190 characters.
    pub fn under(suffix: &str) -> Result<Self, BadSuffix> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        if suffix.len() > 190 || !suffix.split('.').all(label) {
            return Err(BadSuffix(suffix.chars().take(200).collect()));
        }
        Ok(Self(Arc::new(Names {
            login: format!("login.{suffix}").into(),
            login_aliases: &[],
            management: format!("management.{suffix}").into(),
            graph: format!("graph.{suffix}").into(),
            console: format!("console.{suffix}").into(),
            vault: format!("vault.{suffix}").into(),
            storage: format!("core.{suffix}").into(),
            postgres: format!("postgres.{suffix}").into(),
            cloud: false,
            suffix: suffix.into(),
        })))
    }

    /// The public cloud's own names; only ever reachable inside `countersign run`.
    pub fn azure() -> Self {
        Self(Arc::new(Names {
            login: "login.microsoftonline.com".into(),
            login_aliases: AZURE_LOGIN_ALIASES,
            management: "management.azure.com".into(),
            graph: "graph.microsoft.com".into(),
            console: "portal.azure.com".into(),
            vault: "vault.azure.net".into(),
            storage: "core.windows.net".into(),
            postgres: "postgres.database.azure.com".into(),
            cloud: true,
            suffix: "azure".into(),
        }))
    }

    /// Whether these are the public cloud's names.
    pub fn is_cloud(&self) -> bool {
        self.0.cloud
    }

    /// The suffix as given; `azure` for the public cloud's names.
    pub fn suffix(&self) -> &str {
        &self.0.suffix
    }

    /// The surface behind a host name (no port, any case, one trailing dot allowed); `None` when it is not ours.
    pub fn route(&self, host: &str) -> Option<Surface> {
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.bytes().any(|b| b.is_ascii_uppercase()) {
            return self.route(&host.to_ascii_lowercase());
        }
        let is = |name: &str| host == name;
        if is(&self.0.login) || self.0.login_aliases.iter().any(|a| is(a)) {
            return Some(Surface::Login);
        }
        if is(&self.0.management) {
            return Some(Surface::Management);
        }
        if is(&self.0.graph) {
            return Some(Surface::Graph);
        }
        if is(&self.0.console) {
            return Some(Surface::Console);
        }
        let label = |label: &&str| !label.is_empty() && !label.contains('.');
        let vault = host.strip_suffix(&*self.0.vault).and_then(|h| h.strip_suffix('.')).filter(label);
        if let Some(vault) = vault {
            return Some(Surface::Vault(vault.to_owned()));
        }
        let server = host.strip_suffix(&*self.0.postgres).and_then(|h| h.strip_suffix('.')).filter(label);
        if let Some(server) = server {
            return Some(Surface::Database(server.to_owned()));
        }
        let account =
            host.strip_suffix(&*self.0.storage).and_then(|h| h.strip_suffix(".blob.")).filter(label)?;
        Some(match account.strip_suffix("-secondary") {
            Some(primary) => Surface::Blob { account: primary.to_owned(), secondary: true },
            None => Surface::Blob { account: account.to_owned(), secondary: false },
        })
    }

    /// DNS names a private CA for these names may be asked to certify, as name constraints (subtrees).
    pub fn subtrees(&self) -> Vec<String> {
        if !self.0.cloud {
            return vec![self.0.suffix.to_string()];
        }
        let mut all: Vec<String> =
            [&self.0.login, &self.0.management, &self.0.graph, &self.0.console, &self.0.vault]
                .iter()
                .map(|n| n.to_string())
                .collect();
        all.extend(self.0.login_aliases.iter().map(|a| (*a).to_owned()));
        all.push(format!("blob.{}", self.0.storage));
        all.push(self.0.postgres.to_string());
        all
    }

    /// The fixed hosts (no vaults, no accounts).
    pub fn fixed_hosts(&self) -> Vec<String> {
        let mut all: Vec<String> = [&self.0.login, &self.0.management, &self.0.graph, &self.0.console]
            .iter()
            .map(|n| n.to_string())
            .collect();
        all.extend(self.0.login_aliases.iter().map(|a| (*a).to_owned()));
        all
    }

    pub fn vault_host(&self, vault: &str) -> String {
        format!("{}.{}", vault.to_lowercase(), self.0.vault)
    }

    pub fn blob_host(&self, account: &str) -> String {
        format!("{account}.blob.{}", self.0.storage)
    }

    /// Parent domain of database servers.
    pub fn postgres(&self) -> &str {
        &self.0.postgres
    }

    pub fn postgres_host(&self, server: &str) -> String {
        format!("{}.{}", server.to_lowercase(), self.0.postgres)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_by_host() {
        let names = SiteNames::under("countersign.localhost").unwrap();
        assert_eq!(names.route("LOGIN.countersign.localhost."), Some(Surface::Login));
        assert_eq!(names.route("kv.vault.countersign.localhost"), Some(Surface::Vault("kv".into())));
        assert_eq!(
            names.route("sa-secondary.blob.core.countersign.localhost"),
            Some(Surface::Blob { account: "sa".into(), secondary: true })
        );
        assert_eq!(names.route("Db1.postgres.countersign.localhost"), Some(Surface::Database("db1".into())));
        for other in [
            "",
            "localhost",
            "postgres.countersign.localhost",
            "a.b.vault.countersign.localhost",
            ".vault.countersign.localhost",
            "vault.countersign.localhost",
            "login.countersign.localhost.evil.example",
            "management.azure.com",
        ] {
            assert_eq!(names.route(other), None, "{other}");
        }
        assert_eq!(SiteNames::azure().route("kv.vault.azure.net"), Some(Surface::Vault("kv".into())));
    }

    #[test]
    fn refuses_odd_suffixes() {
        for bad in ["", ".", "a..b", "-a.b", "A.b", "a b", "a/b"] {
            assert!(SiteNames::under(bad).is_err(), "{bad}");
        }
    }
}
