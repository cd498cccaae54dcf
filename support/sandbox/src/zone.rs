//! Which names belong to the site.

/// The names the DNS answerer knows: suffixes, each with everything below it, and single names.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    suffixes: Vec<String>,
    names: Vec<String>,
}

impl Zone {
    /// Public names a script may have written down (`--cloud azure`); vaults and accounts are whole suffixes.
    const AZURE_NAMES: [&str; 5] = [
        "login.microsoftonline.com",
        "login.windows.net",
        "sts.windows.net",
        "management.azure.com",
        "graph.microsoft.com",
    ];
    const AZURE_SUFFIXES: [&str; 3] =
        ["vault.azure.net", "blob.core.windows.net", "postgres.database.azure.com"];

    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a suffix: itself and every name below it.
    #[must_use]
    pub fn under(mut self, suffix: &str) -> Self {
        self.suffixes.push(folded(suffix));
        self
    }

    /// Adds one name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.names.push(folded(name));
        self
    }

    /// Adds the public cloud's own names.
    #[must_use]
    pub fn azure(self) -> Self {
        let named = Self::AZURE_NAMES.iter().fold(self, |zone, name| zone.name(name));
        Self::AZURE_SUFFIXES.iter().fold(named, |zone, suffix| zone.under(suffix))
    }

    /// Compares without case (RFC 4343) and without the root's dot.
    pub fn contains(&self, name: &str) -> bool {
        let name = folded(name);
        self.names.contains(&name) || self.suffixes.iter().any(|suffix| is_under(&name, suffix))
    }
}

fn folded(name: &str) -> String {
    name.trim_matches('.').to_ascii_lowercase()
}

fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_covers_itself_and_every_depth_below_but_no_neighbour() {
        let zone = Zone::new().under("countersign.localhost");
        for name in ["countersign.localhost", "Login.Countersign.LOCALHOST", "a.vault.countersign.localhost."]
        {
            assert!(zone.contains(name), "{name}");
        }
        for name in ["evilcountersign.localhost", "localhost", "countersign.localhost.example", ""] {
            assert!(!zone.contains(name), "{name}");
        }
    }

    #[test]
    fn the_public_clouds_names_are_only_those_we_serve() {
        let zone = Zone::new().azure();
        assert!(zone.contains("kv.vault.azure.net") && zone.contains("login.microsoftonline.com"));
        assert!(!zone.contains("www.microsoft.com") && !zone.contains("a.login.microsoftonline.com"));
    }
}
