//! Names people choose, with the rules of arm.md 1.4, keyvault.md 3 and blob.md 6.

use std::{fmt, str::FromStr};

/// The name breaks the rule of its kind; `rule` says which, in words for an error message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a valid {kind}: {rule}")]
pub struct BadName {
    pub kind: &'static str,
    pub name: String,
    pub rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(String);

        impl $name {
            /// As first written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Folded for comparison: these names compare without regard to case.
            pub fn key(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName { kind: $kind, name: text.chars().take(128).collect(), rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A resource group.
    GroupName, "resource group name",
    "1 to 90 letters, digits, '-', '_', '.', '(' or ')', and no '.' at the end",
    |s| (1..=90).contains(&s.chars().count())
        && s.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
        && !s.ends_with('.')
);
name_type!(
    /// A key vault: also the first label of its host name.
    VaultName, "vault name",
    "3 to 24 letters, digits or '-', starting with a letter, ending with a letter or digit, without '--'",
    |s| (3..=24).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && s.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && !s.ends_with('-')
        && !s.contains("--")
);
name_type!(
    /// A storage account: also the first label of its host name.
    AccountName, "storage account name", "3 to 24 lower-case letters or digits",
    |s| (3..=24).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);
name_type!(
    /// A database server: also the first label of its host name.
    ServerName, "server name",
    "3 to 63 lower-case letters, digits or '-', starting and ending with a letter or digit",
    |s| (3..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
);
name_type!(
    /// A connected machine.
    MachineName, "machine name", "1 to 54 letters, digits, '-', '_' or '.'",
    |s| (1..=54).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
);
name_type!(
    /// A secret (and later key or certificate) of a vault.
    SecretName, "secret name", "1 to 127 letters, digits or '-'",
    |s| (1..=127).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);
name_type!(
    /// A blob container.
    ContainerName, "container name",
    "3 to 63 lower-case letters, digits or single hyphens, starting and ending with a letter or digit",
    |s| matches!(s, "$root" | "$web" | "$logs")
        || ((3..=63).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !s.starts_with('-')
            && !s.ends_with('-')
            && !s.contains("--"))
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vault_names() {
        for good in ["abc", "Lab-1", "a23456789012345678901234"] {
            assert!(good.parse::<VaultName>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "1ab", "ab-", "a--b", "a_b", "a2345678901234567890123456", "käse"] {
            assert!(bad.parse::<VaultName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn container_names() {
        for good in ["abc", "a-b", "$root", "1a2"] {
            assert!(good.parse::<ContainerName>().is_ok(), "{good}");
        }
        for bad in ["ab", "Abc", "-ab", "ab-", "a--b", "$other", ".."] {
            assert!(bad.parse::<ContainerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn server_names_are_labels() {
        for good in ["abc", "db-1", "1db", &"a".repeat(63)] {
            assert!(good.parse::<ServerName>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "Db1", "-db", "db-", "a.b", "d_b", &"a".repeat(64)] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn e02_secret_names_hold_no_paths() {
        for bad in ["", "..", "../a", "a/b", "a_b", "a b", &"a".repeat(128)] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }
}
