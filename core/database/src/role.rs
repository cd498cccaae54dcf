//! Names of database roles.

use std::fmt;

/// PostgreSQL cuts longer names silently (`NAMEDATALEN`), so that two of them could become one role; in bytes.
const MAX_BYTES: usize = 63;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRoleName {
    #[error("a role name has 1 to 63 bytes")]
    Length,
    #[error("a role name holds no control characters")]
    Control,
    #[error("the names public, none and pg_… are PostgreSQL's own")]
    Reserved,
}

/// The name of a role, compared byte by byte: no case folding, no normalisation, no cutting.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(String);

impl RoleName {
    /// # Errors
    /// [`BadRoleName`].
    pub fn parse(text: &str) -> Result<Self, BadRoleName> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(BadRoleName::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(BadRoleName::Control);
        }
        // The server compares these without case when it reads SQL, so every spelling is reserved.
        let folded = text.to_ascii_lowercase();
        if folded == "public" || folded == "none" || folded.starts_with("pg_") {
            return Err(BadRoleName::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_call_roles() {
        for good in [
            "lab-machine",
            "Data Team",
            "user@contoso.test",
            "Ünïcode",
            "\"; DROP ROLE x; --",
            &"é".repeat(31),
        ] {
            assert_eq!(RoleName::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn longer_names_are_refused_and_never_cut() {
        assert!(RoleName::parse(&"a".repeat(63)).is_ok());
        assert_eq!(RoleName::parse(&"a".repeat(64)), Err(BadRoleName::Length));
        assert_eq!(RoleName::parse(&"é".repeat(32)), Err(BadRoleName::Length));
        assert_eq!(RoleName::parse(""), Err(BadRoleName::Length));
    }

    #[test]
    fn reserved_and_odd_names_are_refused() {
        for reserved in ["public", "None", "pg_monitor", "PG_x"] {
            assert_eq!(RoleName::parse(reserved), Err(BadRoleName::Reserved), "{reserved}");
        }
        for odd in ["a\0b", "a\nb", "\u{1b}[31m"] {
            assert_eq!(RoleName::parse(odd), Err(BadRoleName::Control));
        }
    }

    proptest! {
        #[test]
        fn a_name_is_taken_whole_or_not_at_all(text in ".{0,80}") {
            if let Ok(name) = RoleName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
