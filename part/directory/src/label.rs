//! What people call a credential, in the column that finds it.
//!
//! A secret's is `hint name`: its first characters, a blank, the name it was given. A certificate's is
//! `thumbprint name`, with the SHA-256 thumbprint in lower-case hexadecimal.

use cs_store::Credential;

/// Longest name of a credential, in characters.
pub(crate) const NAME_MAX_CHARS: usize = 120;

/// The two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'c> {
    pub mark: &'c str,
    pub name: &'c str,
}

impl<'c> Label<'c> {
    pub fn of(credential: &'c Credential) -> Self {
        let (mark, name) = credential.lookup.split_once(' ').unwrap_or((&credential.lookup, ""));
        Self { mark, name }
    }

    pub(crate) fn text(mark: &str, name: &str) -> String {
        if name.is_empty() { mark.to_owned() } else { format!("{mark} {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_blanks() {
        assert_eq!(Label::text("abc", "my own name"), "abc my own name");
        assert_eq!(Label::text("abc", ""), "abc");
    }
}
